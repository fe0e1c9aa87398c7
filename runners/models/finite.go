package models

import (
	"context"
	"errors"
	"math"

	"github.com/snapbench/snapbench/runners/engine"
)

// BeforeLayers stands for the embedding where a layer is asked for.
const BeforeLayers = -1

// Finite says whether no number is NaN or infinite.
func Finite(numbers []float32) bool {
	for _, x := range numbers {
		if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
			return false
		}
	}
	return true
}

// FirstNotFinite reads a prompt under the full cache and returns the first layer
// that a hidden state leaves with a NaN or an infinity in it: BeforeLayers for the
// embedding, m.Layers where all hidden states are finite and only the logits behind the
// last token are not. found is false where those are finite too. Of the last layer
// it sees what its last token leaves.
//
// It costs a prefill up to that layer, and each hidden state's way to the host.
func (m *Model) FirstNotFinite(ctx context.Context, ids []int32) (layer int, found bool, err error) {
	broken := errors.New("a hidden state that is not finite")
	var held []float32
	done, err := m.Prefill(ctx, Prompt{IDs: ids, Look: func(li int, x engine.Array) error {
		if cap(held) < x.Len {
			held = make([]float32, x.Len)
		}
		held = held[:x.Len]
		m.device.Get(held, x)
		if err := m.device.Sync(); err != nil {
			return err
		}
		if !Finite(held) {
			layer = li
			return broken
		}
		return nil
	}})
	switch {
	case errors.Is(err, broken):
		return layer, true, nil
	case err != nil:
		return 0, false, err
	}
	done.Free()
	return m.Layers, !Finite(done.Logits), nil
}

package models

import (
	"context"
	"errors"
	"math"

	"github.com/snapbench/snapbench/runners/engine"
)

// BeforeLayers is the number of the embedding where others are numbers of layers.
const BeforeLayers = -1

// Finite reports whether no number is NaN or infinite.
func Finite(numbers []float32) bool {
	for _, x := range numbers {
		if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
			return false
		}
	}
	return true
}

// FirstNotFinite reads a prompt under the full cache and returns the first layer
// whose output has a NaN or an infinity: BeforeLayers for the embedding, m.Layers if all
// hidden states are finite and only the logits after the last token are not. found is
// false if these are finite too. In the last layer it looks only at the last token.
//
// It costs a prefill up to that layer, and a copy of each hidden state to the host.
func (m *Model) FirstNotFinite(ctx context.Context, ids []int32) (layer int, found bool, err error) {
	broken := errors.New("a hidden state that is not finite")
	var held []float32
	done, err := m.Prefill(ctx, Prompt{IDs: ids, Trace: Trace{Hidden: func(li, _ int, x engine.Array) error {
		if cap(held) < x.Len {
			held = make([]float32, x.Len)
		}
		held = held[:x.Len]
		m.device.Get(held, x)
		if err := m.device.Sync(); err != nil {
			return err
		}
		if !Finite(held) {
			layer = li - 1 // which left it, or BeforeLayers
			return broken
		}
		return nil
	}}})
	switch {
	case errors.Is(err, broken):
		return layer, true, nil
	case err != nil:
		return 0, false, err
	}
	done.Free()
	return m.Layers, !Finite(done.Logits), nil
}

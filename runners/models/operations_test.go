package models

import (
	"math"
	"testing"

	"github.com/snapbench/snapbench/runners/engine"
)

type weighing struct {
	engine.Weight
	bytes int64
}

func (w weighing) Bytes() int64 { return w.bytes }

// TestPairs: the keys that queries see, counted one by one, and a prefill's attention by them.
func TestPairs(t *testing.T) {
	for _, window := range []int{0, 1, 3, 7, 20} {
		for n := range 15 {
			seen := 0
			for i := range n {
				if window == 0 {
					seen += i + 1
				} else {
					seen += min(i+1, window)
				}
			}
			if got := pairs(n, window); got != float64(seen) {
				t.Errorf("%d queries with a window of %d see %g keys, want %d", n, window, got, seen)
			}
		}
	}
	m := &Model{Config: Config{Layers: 3, Width: 8, FF: 8, Vocab: 10, Heads: engine.Heads{Query: 2, KV: 1, Size: 4}, Windows: []int{4, 0, 0}}, block: 4}
	if _, attention := m.PrefillOperations(10, Part{}); attention != 4*8*(34+55) { // the last layer's is that of one token
		t.Errorf("attention takes %g operations, want %d", attention, 4*8*(34+55))
	}
}

// TestIdleExperts: one token reads only its own experts; more tokens read more of them.
func TestIdleExperts(t *testing.T) {
	mixture := &Model{}
	mixture.Experts, mixture.PerToken = 8, 2
	mixture.layers = make([]layer, 3)
	for i := range mixture.layers {
		for range mixture.Experts {
			e := &mixture.layers[i].experts
			e.GateUp, e.Down = append(e.GateUp, weighing{bytes: 2000}), append(e.Down, weighing{bytes: 1000})
		}
	}
	const one = 3 * (8 - 2) * 3000
	if got := mixture.IdleExpertBytes(1); got != one {
		t.Errorf("one row leaves %d bytes, want %d", got, one)
	}
	// A row does not choose an expert with a probability of 3 in 4.
	if got := mixture.IdleExpertBytes(2); math.Abs(float64(got)-one*.75) > 1 {
		t.Errorf("two rows leave %d bytes, want %d", got, one*3/4)
	}
	if got := mixture.IdleExpertBytes(1000); got != 0 {
		t.Errorf("a thousand rows leave %d bytes", got)
	}
	if got := (&Model{layers: make([]layer, 3)}).IdleExpertBytes(1); got != 0 {
		t.Errorf("a dense model leaves %d bytes", got)
	}
}

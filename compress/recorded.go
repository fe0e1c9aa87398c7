package compress

import "fmt"

// Recorded is the variant that keeps given positions: by layer and cache head,
// ascending.
func Recorded(positions [][][]int32) Variant { return Made("recorded", recorded{positions}) }

type recorded struct{ positions [][][]int32 }

func (recorded) Needs(Layer) Needs           { return Needs{} }
func (recorded) Check(Layer, Capacity) error { return nil }

func (r recorded) Expect(l Layer, _ Capacity) Expectation {
	e := Expectation{Heads: len(r.positions[l.Index])}
	for _, p := range r.positions[l.Index] {
		e.Total += len(p)
	}
	return e
}

func (r recorded) Audit(l Layer, _ Capacity, kept [][]int32) error {
	for h, p := range r.positions[l.Index] {
		if len(p) != len(kept[h]) {
			return fmt.Errorf("head %d keeps %d positions, %d are recorded", h, len(kept[h]), len(p))
		}
	}
	return nil
}

func (r recorded) Keep(ops Ops, l Layer, _ Capacity) (Kept, error) {
	return ops.Positions(r.positions[l.Index]), nil
}

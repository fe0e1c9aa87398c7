package modeltest

import (
	"fmt"
	"math"
)

// sameChoice compares two sets of positions. They may differ only in positions whose
// scores equal the cut, the lowest kept score. scores are those of the positions
// before the window.
func sameChoice(got, want []int32, scores []float32, n int, near float64) error {
	if len(got) != len(want) {
		return fmt.Errorf("%d positions, want %d", len(got), len(want))
	}
	if scores == nil {
		return nil // everything is kept
	}
	in := map[int32]bool{}
	last := int32(-1)
	for _, p := range got {
		if p <= last || int(p) >= n {
			return fmt.Errorf("position %d after %d of %d: not ascending", p, last, n)
		}
		last = p
		in[p] = true
	}
	cut := math.Inf(1)
	for _, p := range got {
		if int(p) < len(scores) {
			cut = math.Min(cut, float64(scores[p]))
		}
	}
	for p, s := range scores {
		if !in[int32(p)] && !(float64(s) <= cut) {
			return fmt.Errorf("position %d scores %g and is dropped, the cut is at %g", p, s, cut)
		}
	}
	tied := func(p int32) bool {
		return int(p) < len(scores) && math.Abs(float64(scores[p])-cut) <= near*math.Abs(cut)
	}
	for _, p := range want {
		if !in[p] && !tied(p) {
			return fmt.Errorf("position %d is dropped and does not tie with the cut", p)
		}
		delete(in, p)
	}
	for p := range in {
		if !tied(p) {
			return fmt.Errorf("position %d is kept and does not tie with the cut", p)
		}
	}
	return nil
}

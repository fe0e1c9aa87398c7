package evidence

import (
	"math"

	"github.com/snapbench/snapbench/results"
)

// Least ρ below which an answer's evidence counts as evicted, and from which on as kept. Both are ours, set on 230 pairs of
// SmolLM2-135M and one needle task (docs/evidence.md), so the value always stands beside the label.
const (
	EvictedBelow = 0.5
	KeptFrom     = 0.7
)

// LabelOf is the label of a lost answer by the least ρ of its evidence; empty where that is not known.
func LabelOf(least Share) string {
	switch r := float64(least); {
	case math.IsNaN(r):
		return ""
	case r < EvictedBelow:
		return results.Evicted
	case r < KeptFrom:
		return results.Thinned
	}
	return results.Unused
}

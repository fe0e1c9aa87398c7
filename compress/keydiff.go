package compress

import "math"

func init() {
	Register(Definition{
		Name: "keydiff", Title: "KeyDiff", Paper: "2504.15364",
		Help: "keeps the keys that point away from the mean direction of all keys",
		New:  func(Arguments) (Policy, error) { return ByScore(keyDiff{}), nil },
	})
}

// keyDiff scores by -cos(k, mean of k/‖k‖ over the prompt), in one go (kvpress;
// arXiv 2504.15364, goes block by block).
type keyDiff struct{}

func (keyDiff) Needs(Layer) Needs     { return Needs{} }
func (keyDiff) Bounds(l Layer) Bounds { return Bounds{Heads: l.Heads.KV} }

// A key of no length has no direction; these bounds, torch's own, have it at a right
// angle to all others.
const leastNorm, leastCosineNorm = 1e-12, 1e-8

func (keyDiff) Score(ops Ops, l Layer) (Scores, error) {
	return ops.Compute("key directions", func() [][]float32 {
		keys, d, n := ops.Keys(), l.Heads.Size, l.Tokens
		return byHead(l.Heads.KV, func(g int) []float64 {
			norms, anchor := make([]float64, n), make([]float64, d)
			for j := range norms {
				k := vector(keys[g], j, d)
				norms[j] = norm(k)
				for c, x := range k {
					anchor[c] += float64(x) / max(norms[j], leastNorm) / float64(n)
				}
			}
			length := 0.0
			for _, x := range anchor {
				length += x * x
			}
			length = max(math.Sqrt(length), leastCosineNorm)
			row := make([]float64, n)
			for j := range row {
				product := 0.0
				for c, x := range vector(keys[g], j, d) {
					product += float64(x) * anchor[c]
				}
				row[j] = -product / (length * max(norms[j], leastCosineNorm))
			}
			return row
		})
	}), nil
}

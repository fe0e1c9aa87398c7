package compress

import (
	"slices"

	"github.com/snapbench/snapbench/runners/engine"
)

func init() {
	Register(Definition{
		Name: "knorm", Title: "key norm", Paper: "2406.11430",
		Help: "keeps the keys with the smallest norms",
		Parameters: []Parameter{
			{Name: "skip", Kind: Whole, Default: "0", Help: "first layers that are left whole (KVCache-Factory leaves 2)"},
		},
		New: func(a Arguments) (Policy, error) {
			skip := a.Whole("skip")
			if !slices.ContainsFunc(skip, func(n int) bool { return n > 0 }) {
				return ByScore(keyNorm{}), nil
			}
			return laterLayers{Ranked{keyNorm{}}, skip}, nil
		},
	})
}

// keyNorm scores by -‖k‖₂ (arXiv 2406.11430).
type keyNorm struct{}

func (keyNorm) Needs(l Layer) Needs   { return Needs{Scores: 2 * l.Heads.KV} }
func (keyNorm) Bounds(l Layer) Bounds { return Bounds{Heads: l.Heads.KV} }

func (keyNorm) Score(ops Ops, _ Layer) (Scores, error) {
	return ops.Combine(ops.Norms(KeyState), Scores{}, engine.ScoresTimes, -1), nil
}

// laterLayers leaves the first layers whole and chooses by score in the others.
type laterLayers struct {
	Ranked
	skip List[int]
}

func (p laterLayers) whole(l Layer) bool { return l.Index < p.skip.At(l.Index) }

func (p laterLayers) Check(l Layer, c Capacity) error {
	if p.whole(l) {
		return nil
	}
	return p.Ranked.Check(l, c)
}

func (p laterLayers) Expect(l Layer, c Capacity) Expectation {
	if p.whole(l) {
		return full{}.Expect(l, c)
	}
	return p.Ranked.Expect(l, c)
}

func (p laterLayers) Keep(ops Ops, l Layer, c Capacity) (Kept, error) {
	if p.whole(l) {
		return ops.Everything(), nil
	}
	return p.Ranked.Keep(ops, l, c)
}

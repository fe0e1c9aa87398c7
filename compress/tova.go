package compress

import "github.com/snapbench/snapbench/runners/engine"

func init() {
	Register(Definition{
		Name: "tova", Title: "TOVA", Paper: "2401.06104",
		Help: "keeps what the last query looks at, the mean over all heads, the same positions in every head",
		New:  func(Arguments) (Policy, error) { return ByScore(tova{}), nil },
	})
}

// tova scores by the last token's attention (arXiv 2401.06104, section 3.2).
type tova struct{}

func (tova) Needs(l Layer) Needs   { return Needs{Window: 1, Scores: l.Heads.Query + l.Heads.KV} }
func (tova) Bounds(l Layer) Bounds { return Bounds{Heads: l.Heads.KV, Tail: 1} }

func (tova) Score(ops Ops, _ Layer) (Scores, error) {
	return ops.Group(ops.WindowScores(1), engine.GroupAll), nil
}

package compress

import "github.com/snapbench/snapbench/runners/engine"

func init() {
	Register(Definition{
		Name: "observed", Title: "observed attention",
		Help: "keeps what the queries that can see it look at, on average; no position is kept whatever its score (kvpress)",
		New:  func(Arguments) (Policy, error) { return ByScore(observed{}), nil },
	})
}

// observed scores by a position's attention, summed over all queries and divided by
// the number of those that stand at it or behind, as kvpress does; also in a layer
// with a sliding window, where fewer of them see it.
type observed struct{}

func (observed) Needs(l Layer) Needs   { return Needs{Columns: true, Scores: 2*l.Heads.KV + 1} }
func (observed) Bounds(l Layer) Bounds { return Bounds{Heads: l.Heads.KV} }

func (observed) Score(ops Ops, l Layer) (Scores, error) {
	seen := ops.ByPosition("queries at it or behind", func(j int) float32 { return float32(l.Tokens - j) })
	return ops.Combine(ops.Group(ops.Columns(), engine.GroupMean), seen, engine.ScoresOver, 1), nil
}

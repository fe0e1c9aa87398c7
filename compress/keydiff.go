package compress

import (
	"fmt"

	"github.com/snapbench/snapbench/runners/engine"
)

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

// Needs: the norms and four steps from them, and what the sum of directions takes on a
// device that adds up parts of it.
func (keyDiff) Needs(l Layer) Needs   { return Needs{Scores: 6*l.Heads.KV + 1} }
func (keyDiff) Bounds(l Layer) Bounds { return Bounds{Heads: l.Heads.KV} }

// leastNorm, torch's own, is below any key's length but 0: a key that has none has no
// direction.
const leastNorm = 1e-12

func (keyDiff) Score(ops Ops, l Layer) (Scores, error) {
	least := ops.ByPosition(fmt.Sprint(leastNorm), func(int) float32 { return leastNorm })
	norms := ops.Combine(ops.Norms(KeyState), least, engine.ScoresPlus, 1)
	shares := ops.Combine(Scores{}, norms, engine.ScoresOver, 1/float32(l.Tokens))
	return ops.Combine(ops.Cosines(KeyState, ops.Sum(KeyState, shares)), Scores{}, engine.ScoresTimes, -1), nil
}

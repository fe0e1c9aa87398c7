package compress

import (
	"fmt"
	"math"
)

// Scorer is what most policies are: a score for every position, of which each
// cache head keeps the highest.
type Scorer interface {
	Needs(l Layer) Needs
	// Bounds says what the scores' rows are and what is kept whatever they say.
	Bounds(l Layer) Bounds
	// Score returns the scores, (Bounds.Heads, n-Bounds.Tail).
	Score(ops Ops, l Layer) (Scores, error)
}

// Bounds are the shape of a scorer's choice.
type Bounds struct {
	Heads int // cache heads: the model's KV heads, or its query heads
	Sinks int // the first positions, always kept
	Tail  int // the last positions, always kept; they have no scores
}

// ByScore returns the policy that keeps a scorer's highest positions: as many as
// the capacity, sinks and tail among them.
func ByScore(s Scorer) Policy { return Ranked{s} }

// Allotter is a scorer that gives layers capacities of their own.
type Allotter interface {
	// Allot returns what each cache head of a layer keeps; c is what the budget
	// gives the layers on average. It is asked once the prompt is known.
	Allot(l Layer, c Capacity) Capacity
}

// allot returns a layer's capacity under a scorer.
func allot(s Scorer, l Layer, c Capacity) Capacity {
	if a, ok := s.(Allotter); ok {
		return a.Allot(l, c)
	}
	return c
}

// Summed is a scorer whose scores are sums where the original takes means: one and
// the same to a choice, not to who adds to scores.
type Summed interface {
	// Summands returns over how many.
	Summands(l Layer) int
}

func summands(s Scorer, l Layer) int {
	if m, ok := s.(Summed); ok {
		return m.Summands(l)
	}
	return 1
}

// protected returns scores for all positions as kvpress has them: means, and one more
// than the highest of all heads for what is always kept.
func protected(ops Ops, l Layer, scorer Scorer, s Scores) [][]float32 {
	b, count := scorer.Bounds(l), float32(summands(scorer, l))
	highest := float32(math.Inf(-1))
	out := make([][]float32, s.Rows)
	for h, row := range ops.Read(s) {
		out[h] = make([]float32, l.Tokens)
		for j := b.Sinks; j < len(row); j++ {
			out[h][j] = row[j] / count
			highest = max(highest, out[h][j])
		}
	}
	for _, row := range out {
		for j := range row {
			if j < b.Sinks || j >= l.Tokens-b.Tail {
				row[j] = highest + 1
			}
		}
	}
	return out
}

// Fixed returns how many positions of each head are kept whatever the scores say.
func (b Bounds) Fixed() int { return b.Sinks + b.Tail }

// Ranked is a policy by score: what others are built on.
type Ranked struct{ Scorer }

// Check refuses a capacity that sinks and tail alone would fill.
func (r Ranked) Check(l Layer, c Capacity) error {
	b := r.Bounds(l)
	if c.Tokens <= b.Fixed() {
		what := fmt.Sprintf("the window of %d", b.Tail)
		if b.Sinks > 0 {
			what = fmt.Sprintf("%d first and %d last positions", b.Sinks, b.Tail)
		}
		return fmt.Errorf("capacity %d leaves nothing beside %s: it must be larger", c.Tokens, what)
	}
	return nil
}

// Expect asks for the capacity in every head.
func (r Ranked) Expect(l Layer, c Capacity) Expectation {
	b, c := r.Bounds(l), allot(r.Scorer, l, c)
	return Expectation{Heads: b.Heads, PerHead: c.Tokens, Total: b.Heads * c.Tokens, Tail: b.Tail}
}

// Keep scores and chooses.
func (r Ranked) Keep(ops Ops, l Layer, c Capacity) (Kept, error) {
	s, err := r.Score(ops, l)
	if err != nil {
		return Kept{}, err
	}
	b, c := r.Bounds(l), allot(r.Scorer, l, c)
	return ops.Top(s, b.Sinks, c.Tokens-b.Fixed(), b.Tail), nil
}

// ranked returns the scorer that a policy is built on.
func ranked(outer string, inner Policy) (Scorer, error) {
	r, ok := inner.(Ranked)
	if !ok {
		return nil, fmt.Errorf("%s is built on a policy that scores positions one by one", outer)
	}
	return r.Scorer, nil
}

package compress

import (
	"fmt"
	"math"
	"slices"
)

func init() {
	Register(Definition{
		Name: "critical", Title: "CriticalKV", Paper: "2502.03805",
		Help: "a part of the capacity by the scores, the rest by scores times what a value adds to the layer's output; on ada(form=kvpress) it is CriticalAdaKV",
		Parameters: []Parameter{
			{Name: "epsilon", Kind: Real, Default: "0.0001", Least: 0, Most: 1, Help: "added to the scores of the second stage"},
			{Name: "first", Kind: Real, Default: "0.5", Least: 0, Most: 1, Help: "the part of the capacity that the first stage fills by the scores alone"},
		},
		Inner: "snapkv",
		New: func(a Arguments) (Policy, error) {
			c := critical{epsilon: a.Real("epsilon"), first: a.Real("first")}
			if heads, ok := a.Inner.(ada); ok {
				if form := slices.IndexFunc(heads.form, func(f string) bool { return f != kvpress }); form >= 0 {
					return nil, fmt.Errorf("critical is built on ada(form=kvpress), not on form %s", heads.form[form])
				}
				c.Policy, c.scorer, c.heads = heads, heads.scorer, &heads
				return c, nil
			}
			s, err := ranked("critical", a.Inner)
			c.Policy, c.scorer = a.Inner, s
			return c, err
		},
	})
}

// critical chooses in two stages (arXiv 2502.03805, algorithm 1), as many positions
// as the policy does that it is built on.
type critical struct {
	Policy
	scorer         Scorer
	heads          *ada // what shares the capacity out, nil where all heads have the same
	epsilon, first List[float64]
}

func (p critical) Needs(l Layer) Needs {
	n := p.Policy.Needs(l)
	n.Output = true
	n.Scores += p.scorer.Bounds(l).Heads
	return n
}

// Expect is the inner policy's. A first stage that is smaller than what is always
// kept leaves the rest of it to the second.
func (p critical) Expect(l Layer, c Capacity) Expectation {
	e := p.Policy.Expect(l, c)
	if p.least(l, c) < p.scorer.Bounds(l).Fixed() {
		e.Tail = 0
	}
	return e
}

// least is how many positions the first stage chooses in every head at least.
func (p critical) least(l Layer, c Capacity) int {
	if p.heads != nil {
		keeps := p.heads.least(l, c)
		return p.stage(l, c, keeps)
	}
	return p.stage(l, c, 0)
}

// stage is how many positions of a head the first stage chooses, of keeps.
func (p critical) stage(l Layer, c Capacity, keeps int) int {
	c = allot(p.scorer, l, c)
	first := p.first.At(l.Index)
	if p.heads == nil {
		return int(c.Exact*first + 1e-9) // the nudge is Budget.At's
	}
	// What AdaKV's safeguard chose counts as chosen.
	return max(int(float64(keeps)*first), int(float64(c.Tokens)*p.heads.alpha.At(l.Index)))
}

// Audit is the inner policy's: as many positions, other ones.
func (p critical) Audit(l Layer, c Capacity, kept [][]int32) error {
	if p.heads != nil {
		return p.heads.Audit(l, c, kept)
	}
	return nil
}

func (p critical) Keep(ops Ops, l Layer, c Capacity) (Kept, error) {
	b := p.scorer.Bounds(l)
	counts := make([]int, b.Heads)
	var s Scores
	var err error
	if p.heads != nil {
		s, counts, err = p.heads.divide(ops, l, c)
	} else {
		s, err = p.scorer.Score(ops, l)
		for h := range counts {
			counts[h] = allot(p.scorer, l, c).Tokens - b.Fixed()
		}
	}
	if err != nil {
		return Kept{}, err
	}
	first := make([]int, b.Heads)
	for h := range counts {
		counts[h] += b.Fixed()
		first[h] = p.stage(l, c, counts[h])
	}
	epsilon := p.epsilon.At(l.Index)
	final := ops.Compute(fmt.Sprintf("%s, of %d+%d, by output behind the top %v, ε %g", s.question, b.Sinks, b.Tail, first, epsilon), func() [][]float32 {
		rows, norms := protected(ops, l, p.scorer, s), ops.OutputNorms()
		for h, row := range rows {
			weigh(row, groupNorms(norms, h, len(rows)), first[h], float32(epsilon))
		}
		return rows
	})
	return ops.TopEach(final, 0, counts, 0), nil
}

// groupNorms returns the norms of cache head h of heads: its query head's, or the
// mean of its group's.
func groupNorms(norms [][]float32, h, heads int) []float32 {
	group := len(norms) / heads
	mean := make([]float32, len(norms[0]))
	for j := range mean {
		sum := 0.0
		for _, n := range norms[h*group : (h+1)*group] {
			sum += float64(n[j])
		}
		mean[j] = float32(sum / float64(group))
	}
	return mean
}

// weigh makes a head's scores those of the second stage: the first highest come
// before all others, which are multiplied by their norms.
func weigh(row, norms []float32, first int, epsilon float32) {
	order := make([]int, len(row))
	for j := range order {
		order[j] = j
	}
	slices.SortStableFunc(order, func(a, b int) int {
		if row[a] > row[b] {
			return -1
		}
		if row[a] < row[b] {
			return 1
		}
		return 0
	})
	for i, j := range order {
		if i < first {
			row[j] = math.MaxFloat32
		} else {
			row[j] = (row[j] + epsilon) * norms[j]
		}
	}
}

package compress

import (
	"fmt"
	"math"
	"slices"
)

func init() {
	Register(Definition{
		Name: "ada", Title: "AdaKV", Paper: "2407.11550",
		Help: "shares a layer's capacity out among its heads by their scores; cap is the mean of the heads, heads differ in length",
		Parameters: []Parameter{
			formParameter("whose sharing: kvpress (alpha is the least of a head, the sum is exact), factory and ffy0 (alpha mixes in equal shares, the sum is about the capacity)"),
			{Name: "alpha", Kind: Real, Default: "0.2", Least: 0, Most: 1, Help: "the part of the capacity that every head is sure of"},
			{Name: "normalize", Kind: Word, Default: "off", Allowed: []string{"on", "off"},
				Help: "factory only, where its authors' default is on: a head's scores count by how much of their sum its highest have"},
		},
		Inner: "snapkv",
		New: func(a Arguments) (Policy, error) {
			s, err := ranked("ada", a.Inner)
			if err != nil {
				return nil, err
			}
			return ada{s, a.Word("form"), a.Real("alpha"), a.Word("normalize")}, nil
		},
	})
}

// ada keeps the highest scores of all heads of a layer together, each head sure of a
// part (arXiv 2407.11550, algorithm 1).
type ada struct {
	scorer    Scorer
	form      List[string]
	alpha     List[float64]
	normalize List[string]
}

// Needs: also the scores normalized, those of some heads side by side and their highest.
func (a ada) Needs(l Layer) Needs {
	n := a.scorer.Needs(l)
	n.Scores += 3 * a.scorer.Bounds(l).Heads
	return n
}

func (a ada) Check(l Layer, c Capacity) error {
	if form := a.form.At(l.Index); form != factoryForm && a.normalize.At(l.Index) == "on" {
		return fmt.Errorf("normalize=on is of form=factory: form %s does not normalize", form)
	}
	return Ranked{a.scorer}.Check(l, c)
}

func (a ada) Expect(l Layer, c Capacity) Expectation {
	b, c := a.scorer.Bounds(l), allot(a.scorer, l, c)
	e := Expectation{Heads: b.Heads, Tail: b.Tail}
	if a.form.At(l.Index) == kvpress {
		e.Total = b.Heads * c.Tokens
		if b.Heads == 1 || c.Tokens == l.Tokens {
			e.PerHead = c.Tokens
		}
		return e
	}
	free := c.Tokens - b.Fixed()
	if b.Heads == 1 {
		e.PerHead = a.mix(l, free, free) + b.Fixed()
		e.Total = e.PerHead
		return e
	}
	// The shares that are mixed in add up exactly, and each head is rounded.
	sum := (1-a.alpha.At(l.Index))*float64(free) + math.Trunc(a.alpha.At(l.Index)*float64(free))
	e.Total = b.Heads*b.Fixed() + int(math.RoundToEven(float64(b.Heads)*sum))
	e.Spread = (b.Heads + 1) / 2
	return e
}

// Audit checks what each head is sure of.
func (a ada) Audit(l Layer, c Capacity, kept [][]int32) error {
	least := a.least(l, c)
	for h, p := range kept {
		if len(p) < least {
			return fmt.Errorf("head %d keeps %d positions, it is sure of %d", h, len(p), least)
		}
	}
	return nil
}

// least is what every head keeps, everything included.
func (a ada) least(l Layer, c Capacity) int {
	b, c := a.scorer.Bounds(l), allot(a.scorer, l, c)
	if a.form.At(l.Index) == kvpress {
		return max(b.Fixed(), int(float64(c.Tokens)*a.alpha.At(l.Index)))
	}
	return b.Fixed() + a.mix(l, 0, c.Tokens-b.Fixed())
}

func (a ada) Keep(ops Ops, l Layer, c Capacity) (Kept, error) {
	s, counts, err := a.divide(ops, l, c)
	if err != nil {
		return Kept{}, err
	}
	b := a.scorer.Bounds(l)
	return ops.TopEach(s, b.Sinks, counts, b.Tail), nil
}

// divide returns the scores, and how many positions each head keeps by them, beside
// those that are always kept.
func (a ada) divide(ops Ops, l Layer, c Capacity) (Scores, []int, error) {
	s, err := a.scorer.Score(ops, l)
	if err != nil {
		return Scores{}, nil, err
	}
	b := a.scorer.Bounds(l)
	free := allot(a.scorer, l, c).Tokens - b.Fixed()
	if a.form.At(l.Index) == kvpress {
		return s, ops.Share(s, b.Sinks, b.Heads*free, a.least(l, c)-b.Fixed()), nil
	}
	by := s
	if a.normalize.At(l.Index) == "on" {
		by = ops.Compute(fmt.Sprintf("%s, normalized by the top %d+%d", s.question, b.Sinks, free), func() [][]float32 {
			return normalized(ops.Read(s), b.Sinks, free)
		})
	}
	counts := ops.Share(by, b.Sinks, b.Heads*free, 0)
	for h, count := range counts {
		counts[h] = a.mix(l, count, free)
	}
	return s, counts, nil
}

// mix is a head's share: alpha of it equal to all heads' mean, the rest as many as it
// has of the highest scores of all. It is computed in float32, as both codes do.
func (a ada) mix(l Layer, count, mean int) int {
	alpha := a.alpha.At(l.Index)
	own := float32(float32(count) * float32(1-alpha))
	return int(math.RoundToEven(float64(own + float32(int(float64(mean)*alpha)))))
}

// normalized multiplies a head's scores by the part of their sum that its highest
// top scores have; the first sinks positions are left as they are.
func normalized(rows [][]float32, sinks, top int) [][]float32 {
	out := make([][]float32, len(rows))
	for h, row := range rows {
		sorted := slices.Clone(row[sinks:])
		slices.Sort(sorted)
		highest, all := 0.0, 0.0
		for i, v := range sorted {
			if i >= len(sorted)-top {
				highest += float64(v)
			}
			all += float64(v)
		}
		weight := float32(highest) / float32(all)
		out[h] = slices.Clone(row)
		for j := sinks; j < len(row); j++ {
			out[h][j] = row[j] * weight
		}
	}
	return out
}

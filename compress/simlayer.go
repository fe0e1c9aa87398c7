package compress

import (
	"fmt"
	"slices"
)

func init() {
	Register(Definition{
		Name: "simlayer", Title: "SimLayerKV", Paper: "2410.13846",
		Help: "finds, for every prompt, lazy layers, whose last queries look at the first and the latest positions, and keeps only these there; all of the other layers",
		Parameters: []Parameter{
			{Name: "last", Kind: Whole, Default: "1", Least: 1, Help: "queries that are asked"},
			{Name: "recent", Kind: Whole, Default: "1024", Least: 1, Help: "latest positions; a lazy layer keeps them but for as many as are asked"},
			{Name: "sinks", Kind: Whole, Default: "4", Help: "first positions"},
			{Name: "threshold", Kind: Real, Default: "0.9", Least: 0, Most: 1,
				Help: "a layer is lazy where these have more of the attention; every model needs its own, 1 turns it off"},
		},
		Unbudgeted: true,
		New: func(a Arguments) (Policy, error) {
			return simLayer{a.Whole("last"), a.Whole("recent"), a.Whole("sinks"), a.Real("threshold")}, nil
		},
	})
}

// simLayer drops most of a layer or nothing of it (arXiv 2410.13846, section 4, as
// kvpress has it).
type simLayer struct {
	last, recent, sinks List[int]
	threshold           List[float64]
}

// short: a prompt that a lazy layer would keep about whole is left alone.
func (p simLayer) short(l Layer) bool {
	return l.Tokens < p.sinks.At(l.Index)+p.recent.At(l.Index)
}

// lazy is how many positions a lazy layer keeps behind the first ones.
func (p simLayer) lazy(l Layer) int { return p.recent.At(l.Index) - p.last.At(l.Index) }

func (p simLayer) Needs(l Layer) Needs {
	if p.short(l) {
		return Needs{}
	}
	return Needs{Window: p.last.At(l.Index), Scores: l.Heads.Query + 1}
}

func (p simLayer) Check(l Layer, _ Capacity) error {
	if p.lazy(l) < 1 {
		return fmt.Errorf("recent=%d leaves nothing beside last=%d: it must be larger", p.recent.At(l.Index), p.last.At(l.Index))
	}
	return nil
}

// Expect leaves open whether the layer is lazy.
func (p simLayer) Expect(l Layer, _ Capacity) Expectation {
	if p.short(l) {
		return full{}.Expect(l, Capacity{})
	}
	heads, n := l.Heads.KV, l.Tokens
	e := Expectation{Heads: heads, Tail: p.lazy(l)}
	e.Spread = (heads*(n-p.sinks.At(l.Index)-p.lazy(l)) + 1) / 2
	e.Total = heads*n - e.Spread
	return e
}

// Audit: all positions, or the first and the latest, the same in every head.
func (p simLayer) Audit(l Layer, _ Capacity, kept [][]int32) error {
	lazy := p.streaming(l)
	for h, positions := range kept {
		if !slices.Equal(positions, lazy) && len(positions) != l.Tokens {
			return fmt.Errorf("head %d keeps %d positions: want all %d, or the %d of a lazy layer", h, len(positions), l.Tokens, len(lazy))
		}
		if len(positions) != len(kept[0]) {
			return fmt.Errorf("head %d keeps %d positions, head 0 %d", h, len(positions), len(kept[0]))
		}
	}
	return nil
}

// streaming is what a lazy layer keeps.
func (p simLayer) streaming(l Layer) []int32 {
	return append(span(0, p.sinks.At(l.Index)), span(l.Tokens-p.lazy(l), l.Tokens)...)
}

func (p simLayer) Keep(ops Ops, l Layer, _ Capacity) (Kept, error) {
	if p.short(l) {
		return ops.Everything(), nil
	}
	sinks, recent, last := p.sinks.At(l.Index), p.recent.At(l.Index), p.last.At(l.Index)
	if lazySum(ops, ops.WindowScores(last), last, sinks, recent) > p.threshold.At(l.Index) {
		return ops.Fixed(fmt.Sprintf("first %d, last %d", sinks, p.lazy(l)), func() []int32 { return p.streaming(l) }), nil
	}
	return ops.Everything(), nil
}

// lazySum is the attention of the last queries, the mean over them and all heads, to
// the first positions and to the latest before these queries. Where the two overlap
// it counts twice.
func lazySum(ops Ops, s Scores, last, sinks, recent int) float64 {
	sum := 0.0
	for _, part := range [][]float32{ops.Part(s, 0, min(sinks, s.Width())), ops.Part(s, max(0, s.Width()-recent), s.Width())} {
		for _, v := range part {
			sum += float64(v)
		}
	}
	return sum / float64(last)
}

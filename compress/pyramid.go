package compress

import (
	"fmt"
	"math"
)

// The codes that several policies are known from, where they differ.
const (
	factoryForm = "factory" // KVCache-Factory
	ffy0Form    = "ffy0"    // FFY0/AdaKV, AdaKV's authors
)

func formParameter(help string) Parameter {
	return Parameter{Name: "form", Kind: Word, Default: kvpress, Allowed: []string{kvpress, factoryForm, ffy0Form}, Help: help}
}

func init() {
	Register(Definition{
		Name: "pyramid", Title: "PyramidKV", Paper: "2406.02069",
		Help: "gives lower layers more of the capacity and upper layers less; cap is the mean of the layers",
		Parameters: []Parameter{
			formParameter("whose schedule: kvpress (the window counts within a layer's share), factory (whole numbers, the window besides), ffy0 (as factory, never uniform)"),
			{Name: "beta", Kind: Whole, Default: "20", Least: 1, Help: "steepness: the top layer has 1/beta of the mean"},
		},
		Inner:   "snapkv",
		ByLayer: true,
		New: func(a Arguments) (Policy, error) {
			s, err := ranked("pyramid", a.Inner)
			if err != nil {
				return nil, err
			}
			if _, ok := s.(Allotter); ok {
				return nil, fmt.Errorf("pyramid is built on a policy that has the same capacity in all layers, not on another pyramid")
			}
			return ByScore(pyramid{s, a.Word("form"), a.Whole("beta")}), nil
		},
	})
}

// pyramid scores as the policy does that it is built on, and gives each layer a
// capacity of its own (arXiv 2406.02069, section 4.2). It is computed for every
// prompt anew; FFY0/AdaKV computes it for the first one and uses it for all.
type pyramid struct {
	Scorer
	form List[string]
	beta List[int]
}

func (p pyramid) Summands(l Layer) int { return summands(p.Scorer, l) }

// Allot falls linearly from the first layer to the last. A single layer has the
// mean.
func (p pyramid) Allot(l Layer, c Capacity) Capacity {
	fixed := p.Bounds(l).Fixed()
	n, beta, form := l.Tokens, p.beta.At(l.Index), p.form.At(l.Index)
	if form == kvpress {
		hi, lo, ok := slope(c.Exact, c.Exact/float64(beta), float64(n-fixed))
		if !ok || lo < float64(fixed) || l.Layers == 1 {
			return whole(c.Exact)
		}
		return whole(hi - float64(l.Index)*((hi-lo)/float64(l.Layers-1)))
	}
	base := c.Tokens - fixed
	if l.Layers == 1 || form == factoryForm && n < 2*base {
		return c
	}
	hi, lo, _ := slope(base, base/beta, n-fixed)
	share := hi - l.Index*((hi-lo)/(l.Layers-1)) + fixed
	return Capacity{share, float64(share)}
}

// slope returns the shares of the first and the last layer, whose mean is the mean:
// the last one has least, unless the first would then have more than most. It is not
// ok where that turns the slope round.
func slope[T int | float64](mean, least, most T) (hi, lo T, ok bool) {
	hi, lo = 2*mean-least, least
	if hi >= most {
		hi, lo = most, 2*mean-most
	}
	return hi, lo, hi >= lo
}

// whole rounds a capacity, halves to the even number.
func whole(exact float64) Capacity {
	tokens := math.RoundToEven(exact)
	return Capacity{int(tokens), tokens}
}

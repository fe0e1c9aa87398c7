package plots

import (
	"math"
	"slices"

	"github.com/snapbench/snapbench/results"
)

// bin replaces every value by the mean of its bin. sorted has all values in ascending order.
func bin(place, sorted []float64) {
	const bins = 12
	edge := make([]float64, bins)
	for b := range edge {
		edge[b] = sorted[b*len(sorted)/bins]
	}
	sum, n := make([]float64, bins), make([]float64, bins)
	of := func(v float64) int {
		b := bins - 1
		for b > 0 && v < edge[b] {
			b--
		}
		return b
	}
	for _, v := range sorted {
		sum[of(v)] += v
		n[of(v)]++
	}
	for i, v := range place {
		if !math.IsNaN(v) {
			place[i] = sum[of(v)] / n[of(v)]
		}
	}
}

// numberAxis is logarithmic if the values are positive and span a factor of at least 16, or 4 for numbers of tokens,
// which users usually double. Ticks are at the values themselves where someone asked for those and they are few.
func numberAxis(label string, unique []float64, name string, asked bool) axis {
	a := axis{label: label}
	lo, hi := unique[0], unique[len(unique)-1]
	tokens := slices.Contains([]string{"length", "capacity", "prompt_tokens"}, name)
	a.log = lo > 0 && (hi/lo >= 16 || tokens && hi/lo >= 4)
	at := unique
	switch {
	case len(unique) <= 9 && asked:
	case !a.log:
		at = niceTicks(lo, hi, 5)
	case !tokens:
		at = decades(lo/1.0001, hi*1.0001)
	default:
		at = nil
		step := 2.0
		if hi/lo > 256 {
			step = 4
		}
		for v := math.Pow(step, math.Ceil(math.Log(lo)/math.Log(step)-1e-9)); v <= hi*1.0001; v *= step {
			at = append(at, v)
		}
	}
	for _, v := range at {
		s := plain(v)
		if tokens && v == math.Round(v) {
			s = results.Tokens(int(v))
		}
		a.ticks = append(a.ticks, tickMark{v, s})
	}
	if a.log {
		span := math.Pow(hi/lo, 0.06)
		a.lo, a.hi = lo/span, hi*span
	} else {
		margin := (hi - lo) * 0.06
		if margin == 0 {
			margin = 1
		}
		a.lo, a.hi = lo-margin, hi+margin
	}
	return a
}

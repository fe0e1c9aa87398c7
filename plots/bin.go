package plots

import (
	"math"
	"slices"
	"strconv"
)

// bin moves every value to the middle of its bin; sorted has the values in order.
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

// numberAxis is logarithmic where positive values span a factor of sixteen or more; numbers of tokens, which are asked
// for by doubling, from four on.
func numberAxis(label string, unique []float64, name string) axis {
	a := axis{label: label}
	lo, hi := unique[0], unique[len(unique)-1]
	tokens := slices.Contains([]string{"length", "capacity", "prompt_tokens"}, name)
	a.log = lo > 0 && (hi/lo >= 16 || tokens && hi/lo >= 4)
	at := unique
	if len(unique) > 9 {
		at = niceTicks(lo, hi, 5)
		if a.log {
			at = nil
			step := 10.0
			switch {
			case tokens && hi/lo > 256:
				step = 4
			case tokens || hi/lo < 30:
				step = 2
			}
			for v := math.Pow(step, math.Ceil(math.Log(lo)/math.Log(step)-1e-9)); v <= hi*1.0001; v *= step {
				at = append(at, v)
			}
		}
	}
	for _, v := range at {
		s := strconv.FormatFloat(v, 'g', 4, 64)
		if tokens && v == math.Round(v) {
			s = Tokens(int(v))
		}
		a.ticks = append(a.ticks, tickMark{v, s})
	}
	if a.log {
		span := math.Pow(hi/lo, 0.06)
		a.lo, a.hi = lo/span, hi*span
	} else {
		room := (hi - lo) * 0.06
		if room == 0 {
			room = 1
		}
		a.lo, a.hi = lo-room, hi+room
	}
	return a
}

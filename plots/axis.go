package plots

import (
	"math"
	"strconv"
	"strings"

	"github.com/snapbench/snapbench/results"
)

// yAxis makes an axis that covers all points, intervals and levels of panels.
func yAxis(points bool, panels ...chartPanel) axis {
	lo, hi := math.Inf(1), math.Inf(-1)
	see := func(q point) {
		for _, v := range []float64{q.y, q.lo, q.hi} {
			if !math.IsNaN(v) {
				lo, hi = min(lo, v), max(hi, v)
			}
		}
	}
	for _, p := range panels {
		for _, l := range p.lines {
			for _, q := range l.points {
				see(q)
			}
		}
		if p.level != nil {
			see(*p.level)
		}
	}
	if !(lo <= hi) {
		lo, hi = 0, 1
		if points {
			hi = 100
		}
	}
	margin := (hi - lo) * 0.06
	if margin == 0 {
		margin = max(math.Abs(hi)*0.1, 1e-6)
	}
	if points {
		margin = max(margin, 1)
	}
	a := axis{lo: lo - margin, hi: hi + margin}
	if lo >= 0 {
		a.lo = max(a.lo, 0)
	}
	if lo >= 0 && lo < 0.35*hi {
		a.lo = 0
	}
	if points {
		a.hi = min(a.hi, 102)
	}
	for _, v := range niceTicks(a.lo, min(a.hi, orInf(points)), 4) {
		a.ticks = append(a.ticks, tickMark{v, plain(v)})
	}
	return a
}

func orInf(points bool) float64 {
	if points {
		return 100
	}
	return math.Inf(1)
}

// budgetAxis places budgets of one unit: tokens by their logarithm, shares by their value, one for each layer at the mean of
// the layers. A budget that is no amount has no place.
func budgetAxis(budgets []string) (axis, func(string) float64) {
	a := axis{label: "Budget (" + budgetUnit(budgets) + ")", places: true, log: true}
	lo, hi := math.Inf(1), math.Inf(-1)
	for _, b := range budgets {
		v := amount(b)
		if math.IsNaN(v) {
			continue
		}
		lo, hi = min(lo, v), max(hi, v)
		a.ticks = append(a.ticks, tickMark{v, budgetName(b)})
		a.log = a.log && !strings.HasSuffix(b, "%")
	}
	if a.log {
		span := math.Pow(hi/lo, 0.07)
		a.lo, a.hi = lo/span, hi*span
	} else {
		margin := max((hi-lo)*0.07, 0.5)
		a.lo, a.hi = lo-margin, hi+margin
	}
	return a, amount
}

// amount is a budget as a number of tokens or per cent, the mean of one for each layer; NaN where it is none.
func amount(budget string) float64 {
	sum := 0.0
	each := strings.Split(strings.TrimPrefix(budget, results.InBytes), "|")
	for _, text := range each {
		number, share := strings.CutSuffix(text, "%")
		v, err := strconv.ParseFloat(number, 64)
		if err != nil || !(v > 0) || share != strings.HasSuffix(each[0], "%") {
			return math.NaN()
		}
		sum += v
	}
	return sum / float64(len(each))
}

// costAxis is for amounts from lo to hi. It begins at 0 unless the amounts are close to each other.
func costAxis(label string, lo, hi float64) axis {
	if lo > 0 && hi > 2*lo {
		lo = 0
	}
	margin := max((hi-lo)*0.07, hi*0.02, 1e-9)
	a := axis{label: label, lo: max(lo-margin, 0), hi: hi + margin}
	for _, v := range niceTicks(a.lo, a.hi, 5) {
		a.ticks = append(a.ticks, tickMark{v, plain(v)})
	}
	return a
}

// timesAxis is for the sizes of caches as multiples of the full cache, from about 0.01 to a few. It always includes the
// full cache itself, 1.
func timesAxis(lo, hi float64) axis {
	lo, hi = min(lo, 1), max(hi, 1)
	a := axis{label: "Cache (full cache = 1)", log: lo > 0 && hi/lo >= 3}
	at := niceTicks(lo, hi, 5)
	if a.log {
		span := math.Pow(hi/lo, 0.07)
		a.lo, a.hi = lo/span, hi*span
		at = decades(a.lo, a.hi)
	} else {
		margin := (hi - lo) * 0.07
		a.lo, a.hi = lo-margin, hi+margin
	}
	for _, v := range at {
		a.ticks = append(a.ticks, tickMark{v, plain(v)})
	}
	return a
}

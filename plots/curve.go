package plots

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/snapbench/snapbench/results"
)

// Curves draws a measure against the budget: one panel per task and average, one line per policy and combination of
// parameters, 95 % intervals as bars. The full cache is a dashed level with its interval as a band.
func Curves(set results.Set, m results.Measure) ([]Figure, error) {
	return curves(set, m, results.Means(set, m))
}

func curves(set results.Set, m results.Measure, tables []results.Table) ([]Figure, error) {
	return curveFigures(set, m, tables, "curve", " by budget", overBudgets)
}

// ByteCurves is Curves over the actual size of the caches, as a multiple of the full cache's bytes. Policies with the
// same budget may differ in it. Where caches have formats, a grey line joins the variants that no other beats in both.
func ByteCurves(set results.Set, m results.Measure) ([]Figure, error) {
	return byteCurves(set, m, results.Means(set, m))
}

func byteCurves(set results.Set, m results.Measure, tables []results.Table) ([]Figure, error) {
	return curveFigures(set, m, tables, "bytes", " by bytes of the cache", overBytes)
}

// TimeCurves is Curves over the time to a server's first token, over the tokens that come each second after it, and over
// the new tokens of all answers together that a server gave each second. Variants of our own engine share their prefill
// and are decoded together, so they do not have such times.
func TimeCurves(set results.Set, m results.Measure) ([]Figure, error) {
	return timeCurves(set, m, results.Means(set, m))
}

func timeCurves(set results.Set, m results.Measure, tables []results.Table) ([]Figure, error) {
	first, err := curveFigures(set, m, tables, "first_token", " by time to the first token", overCost("Median time to the first token (s)",
		func(c results.Cost) float64 { return c.Served.FirstTokenP50 }))
	if err != nil {
		return nil, err
	}
	rate, err := curveFigures(set, m, tables, "tokens_per_second", " by tokens per second", overCost("Tokens per second of an answer",
		func(c results.Cost) float64 { return c.DecodeTokensPerSecond }))
	if err != nil && !errors.Is(err, ErrNothing) { // answers of one token
		return nil, err
	}
	all, err := curveFigures(set, m, tables, "throughput", " by throughput", overCost("New tokens per second, all answers together",
		func(c results.Cost) float64 {
			if l, ok := set.LoadOf(c.Variant); ok {
				return l.NewTokensPerSecond()
			}
			return math.NaN()
		}))
	if errors.Is(err, ErrNothing) { // nobody saw the server's load
		err = nil
	}
	return slices.Concat(first, rate, all), err
}

// overCost places a server by a cost, over all tasks.
func overCost(label string, of func(results.Cost) float64) func(group, []kind, []string) (placing, bool) {
	return func(g group, kinds []kind, _ []string) (placing, bool) {
		if !slices.ContainsFunc(kinds, func(k kind) bool { return k.row.Policy == "server" }) {
			return placing{}, false
		}
		at := map[string]float64{}
		lo, hi := math.Inf(1), math.Inf(-1)
		for _, c := range results.Costs(results.Run{}, g.rows) {
			if x := of(c); !math.IsNaN(x) {
				at[c.Variant] = x
				lo, hi = min(lo, x), max(hi, x)
			}
		}
		if len(at) < 2 {
			return placing{}, false
		}
		p := placing{axis: costAxis(label, lo, hi), at: func(_ results.Line, _, variant string) float64 {
			if x, ok := at[variant]; ok {
				return x
			}
			return math.NaN()
		}}
		if x, ok := at[g.baseline]; ok {
			p.full = &x
		}
		return p, true
	}
}

// placing says where the points of curves lie on x.
type placing struct {
	axis axis
	at   func(l results.Line, budget, variant string) float64 // NaN: no place; variant is "" if there is none
	full *float64                                             // the baseline's place, nil if it has none
}

func overBudgets(_ group, _ []kind, budgets []string) (placing, bool) {
	if budgets = slices.DeleteFunc(slices.Clone(budgets), func(b string) bool { return math.IsNaN(amount(b)) }); len(budgets) < 2 {
		return placing{}, false // one point is not a curve
	}
	a, at := budgetAxis(budgets)
	return placing{axis: a, at: func(_ results.Line, budget, _ string) float64 { return at(budget) }}, true
}

// overBytes places a variant by its mean over a line's tasks, which have equal weights.
func overBytes(g group, kinds []kind, _ []string) (placing, bool) {
	type place struct{ variant, task string }
	rows := map[place][]*results.Row{}
	for i := range g.rows {
		p := place{g.rows[i].Variant, g.rows[i].Task}
		rows[p] = append(rows[p], &g.rows[i])
	}
	times := map[place]float64{}
	for p, list := range rows {
		times[p] = results.FootprintOf(list).TimesFull
	}
	var xs []float64
	for _, k := range kinds {
		for _, v := range k.variants {
			for _, task := range g.tasks {
				if t, ok := times[place{v, task}]; ok && !math.IsNaN(t) {
					xs = append(xs, t)
				}
			}
		}
	}
	slices.Sort(xs)
	xs = slices.Compact(xs)
	if len(xs) < 2 {
		return placing{}, false
	}
	at := func(l results.Line, _, variant string) float64 {
		sum := 0.0
		for _, task := range l.Tasks {
			t, ok := times[place{variant, task}]
			if !ok {
				return math.NaN()
			}
			sum += t
		}
		return sum / float64(len(l.Tasks))
	}
	return placing{timesAxis(xs[0], xs[len(xs)-1]), at, new(1.0)}, true
}

func curveFigures(set results.Set, m results.Measure, tables []results.Table, name, title string, place func(group, []kind, []string) (placing, bool)) ([]Figure, error) {
	var figures []Figure
	for i, g := range groups(set, m, func(*results.Row) bool { return true }, false) {
		kinds, budgets, full := g.kindsAndBudgets()
		parts := [][]string{budgets}
		if name == "curve" {
			parts = byUnit(budgets)
		}
		for _, budgets := range parts {
			where, ok := place(g, kinds, budgets)
			if !ok {
				continue
			}
			unit := ""
			if of := unitOf(budgets[0]); len(parts) > 1 && of != "tokens" {
				unit = of
			}
			if unit == "bytes" && !strings.HasSuffix(budgets[0], "%") {
				unit = "bytes_of_tokens"
			}
			ch := curveChart(g, m, tables[i], having(kinds, budgets), budgets, full, where)
			ch.title = barTitle(m) + title
			ch.front = name == "bytes" && slices.ContainsFunc(g.rows, func(r results.Row) bool { return r.Cache != "" })
			figures = append(figures, ch.figure(fileName(name, m.Name, unit, g.suffix)))
		}
	}
	if figures == nil {
		return nil, fmt.Errorf("curves of %s%s: %w: they need variants at two places", m.Name, title, ErrNothing)
	}
	return figures, nil
}

// byUnit splits budgets into tokens, shares of the prompt, shares of the full cache's bytes and bytes of so many tokens,
// which have no place on one axis. The full cache in a format has none on any.
func byUnit(budgets []string) [][]string {
	var tokens, shares, bytes, ofTokens []string
	for _, b := range budgets {
		switch unitOf(b) {
		case "full":
		case "bytes":
			if strings.HasSuffix(b, "%") {
				bytes = append(bytes, b)
			} else {
				ofTokens = append(ofTokens, b)
			}
		case "share":
			shares = append(shares, b)
		default:
			tokens = append(tokens, b)
		}
	}
	return slices.DeleteFunc([][]string{tokens, shares, bytes, ofTokens}, func(list []string) bool { return len(list) == 0 })
}

// having are the kinds that have one of the budgets.
func having(kinds []kind, budgets []string) []kind {
	return slices.DeleteFunc(slices.Clone(kinds), func(k kind) bool {
		return !slices.ContainsFunc(budgets, func(b string) bool { return k.variants[b] != "" })
	})
}

// meanPoint is a cell's mean with its interval.
func meanPoint(m results.Measure, x float64, c results.Cell) point {
	if c.N == 0 {
		return point{x: x, y: math.NaN(), lo: math.NaN(), hi: math.NaN()}
	}
	return point{x: x, y: scale(m) * c.Mean, lo: scale(m) * c.Lo, hi: scale(m) * c.Hi}
}

func curveChart(g group, m results.Measure, t results.Table, kinds []kind, budgets []string, full string, where placing) chart {
	ch := chart{subtitle: joined(g.subtitle, g.shared(kinds)), ylabel: barTitle(m), connect: true, x: where.axis, upright: where.full}
	for _, k := range kinds {
		ch.labels = append(ch.labels, k.label)
	}
	ch.crossing = cross(kinds, false)
	if full != "" {
		ch.level = strings.TrimPrefix(t.Against(), "the ")
	}
	for _, l := range t.Lines {
		p := chartPanel{title: l.Name}
		for _, k := range kinds {
			ln := line{label: k.label}
			for _, b := range budgets {
				v := k.variants[b]
				x, i := where.at(l, b, v), slices.Index(t.Variants, v)
				switch {
				case math.IsNaN(x):
				case i < 0:
					ln.points = append(ln.points, meanPoint(m, x, results.Cell{}))
				default:
					q := meanPoint(m, x, l.Cells[i])
					q.spot = cellSpot(m, l, l.Cells[i], g.labels[v], v)
					if where.axis.label != "" {
						q.spot.fields = append(q.spot.fields, fieldsOf(noUnit(where.axis.label), plain(x))...)
					}
					ln.points = append(ln.points, q)
				}
			}
			slices.SortStableFunc(ln.points, func(a, b point) int { return cmp.Compare(a.x, b.x) })
			p.lines = append(p.lines, ln)
		}
		if i := slices.Index(t.Variants, full); i >= 0 && full != "" {
			q := meanPoint(m, 0, l.Cells[i])
			p.level = &q
		}
		p.y = yAxis(m.Points, p)
		ch.panels = append(ch.panels, p)
	}
	return ch
}

package plots

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/snapbench/snapbench/results"
)

// Axes names the columns of an XY picture. X and Y are required. Each value of Facet gets its own panel, each value of
// Series its own line.
type Axes struct{ X, Y, Facet, Series string }

// The largest numbers of distinct values that a picture can show.
const (
	mostFacets = 25
	mostSeries = 16
	mostPlaces = 40 // on x; if there are more numbers, they are put into bins
)

// XY draws the mean of a column over rows, with its 95 % interval over rows, against another column. X may be a number
// or text. Numbers with many values are put into bins with about the same number of rows each. Rows in which X or Y is
// null are left out, and the subtitle says how many.
func XY(set results.Set, a Axes) (Figure, error) {
	x, err := column(set.Rows, a.X)
	if err != nil {
		return Figure{}, err
	}
	y, err := column(set.Rows, a.Y)
	if err != nil {
		return Figure{}, err
	}
	if y.kind == "string" {
		return Figure{}, fmt.Errorf("column %q is no number and has no mean: choose a number for y, such as score", a.Y)
	}
	facetOf, facets, err := named(set.Rows, a.Facet, mostFacets)
	if err != nil {
		return Figure{}, err
	}
	seriesOf, names, err := named(set.Rows, a.Series, mostSeries)
	if err != nil {
		return Figure{}, err
	}

	// A row without the parameter, such as the full cache's, belongs to the panel of every value.
	facet, _ := column(set.Rows, a.Facet)
	everywhere := len(facets) > 1 && facet.ofVariant()
	if everywhere {
		facets = slices.DeleteFunc(facets, func(f string) bool { return f == facet.absent(set.Rows) })
	}
	inFacet := func(r *results.Row, f string) bool {
		v := facetOf(r)
		return v == f || everywhere && facet.value(r) == nil
	}

	yScale, points := 1.0, false
	ylabel := y.axisLabel()
	for _, m := range results.Measures() {
		if m.Name == a.Y && m.Points {
			yScale, points, ylabel = 100, true, barTitle(m)
		}
	}
	yUnit, ylabel := y.inUnits(set.Rows, ylabel)
	yScale /= yUnit

	// The place of every row on x.
	place := make([]float64, len(set.Rows)) // NaN: left out
	xUnit, xlabel := x.inUnits(set.Rows, x.axisLabel())
	axisX := axis{label: xlabel, places: true}
	numbers := x.kind != "string"
	var values []float64
	missing := 0
	for i := range set.Rows {
		r := &set.Rows[i]
		place[i] = math.NaN()
		vx, vy := x.value(r), y.value(r)
		if vx == nil || vy == nil {
			missing++
			continue
		}
		if numbers {
			place[i] = numeric(vx) / xUnit
			values = append(values, place[i])
		} else {
			place[i] = 0
		}
	}
	if missing == len(set.Rows) {
		return Figure{}, fmt.Errorf("%s against %s: %w: every row lacks one of them", a.Y, a.X, ErrNothing)
	}
	if numbers {
		slices.Sort(values)
		unique := slices.Compact(slices.Clone(values))
		if len(unique) > mostPlaces {
			bin(place, values)
			unique = nil
			for _, v := range place {
				if !math.IsNaN(v) {
					unique = append(unique, v)
				}
			}
			slices.Sort(unique)
			unique = slices.Compact(unique)
			axisX.label += ", in bins"
		}
		axisX = numberAxis(axisX.label, unique, x.name, x.asked())
	} else {
		seen := map[string]bool{}
		var texts []string
		for i := range set.Rows {
			if s, ok := x.value(&set.Rows[i]).(string); ok && !math.IsNaN(place[i]) && !seen[s] {
				seen[s] = true
				texts = append(texts, s)
			}
		}
		order := map[string][]string{"task": set.Run.Tasks, "variant": set.Run.Variants}[x.name]
		slices.SortStableFunc(texts, results.Natural)
		slices.SortStableFunc(texts, orderOf(order))
		if x.name == "budget" {
			slices.SortStableFunc(texts, func(a, b string) int {
				return orderOf([]string{"tokens", "share", "bytes", "full"})(unitOf(a), unitOf(b))
			})
		}
		if len(texts) > mostPlaces {
			return Figure{}, fmt.Errorf("column %q has %d values, too many for a picture (at most %d)", a.X, len(texts), mostPlaces)
		}
		labels := map[string]string{}
		if x.name == "variant" {
			labels = results.Labels(set.Rows)
		}
		at := map[string]float64{}
		for i, s := range texts {
			at[s] = float64(i)
			l := s
			if short, ok := labels[s]; ok {
				l = short
			}
			if x.name == "budget" {
				l = budgetName(s)
			}
			axisX.ticks = append(axisX.ticks, tickMark{float64(i), l})
		}
		axisX.lo, axisX.hi, axisX.places = -0.6, float64(len(texts))-0.4, true
		for i := range set.Rows {
			if !math.IsNaN(place[i]) {
				place[i] = at[x.value(&set.Rows[i]).(string)]
			}
		}
	}

	// Leave out panels and lines without rows.
	drawn := func(list []string, in func(*results.Row, string) bool) []string {
		return slices.DeleteFunc(list, func(s string) bool {
			for i := range set.Rows {
				if !math.IsNaN(place[i]) && in(&set.Rows[i], s) {
					return false
				}
			}
			return true
		})
	}
	facets = drawn(facets, inFacet)
	names = drawn(names, func(r *results.Row, s string) bool { return seriesOf(r) == s })

	ch := chart{
		title: noUnit(y.axisLabel()) + " by " + lower(noUnit(x.axisLabel())), x: axisX, ylabel: ylabel,
		connect: numbers || x.name == "budget",
	}
	subjects, _ := results.Subjects(set.Rows)
	if len(subjects) == 1 {
		ch.subtitle = subjects[0].String()
	} else {
		ch.subtitle = fmt.Sprintf("%d models, protocols or devices together", len(subjects))
	}
	if missing > 0 {
		ch.subtitle += fmt.Sprintf("; %d of %d rows have no value", missing, len(set.Rows))
	}
	if a.Series != "" {
		ch.labels = names
	}
	for _, f := range facets {
		p := chartPanel{}
		if a.Facet != "" {
			p.title = f
			if !facet.parameter && facet.kind == "string" {
				p.title = strings.ReplaceAll(a.Facet, "_", " ") + " " + f
			}
		}
		for _, s := range names {
			at := map[float64][]float64{}
			var xs []float64
			for i := range set.Rows {
				r := &set.Rows[i]
				if math.IsNaN(place[i]) || !inFacet(r, f) || seriesOf(r) != s {
					continue
				}
				if at[place[i]] == nil {
					xs = append(xs, place[i])
				}
				at[place[i]] = append(at[place[i]], numeric(y.value(r)))
			}
			slices.Sort(xs)
			ln := line{label: s}
			for _, v := range xs {
				iv := results.PlainInterval(at[v])
				if points {
					iv = results.MeanInterval(at[v])
				}
				q := point{x: v, y: yScale * iv.Mean, lo: yScale * iv.Lo, hi: yScale * iv.Hi}
				q.spot = &spot{fields: fieldsOf(a.Facet, p.title, a.Series, s, a.X, axisX.at(v)), value: q.y, lo: q.lo, hi: q.hi, n: iv.N}
				if n := len(ln.points); n > 0 && x.name == "budget" && unitOf(axisX.at(v)) != unitOf(axisX.at(ln.points[n-1].x)) {
					ln.points = append(ln.points, point{x: v, y: math.NaN()}) // no line leads from tokens to shares or to the full cache
				}
				ln.points = append(ln.points, q)
			}
			p.lines = append(p.lines, ln)
		}
		ch.panels = append(ch.panels, p)
	}
	y0 := yAxis(points, ch.panels...) // one scale for all, so that panels can be compared
	for i := range ch.panels {
		ch.panels[i].y = y0
	}
	return ch.figure(fileName("xy", a.Y, a.X, a.Facet, a.Series)), nil
}

func numeric(v any) float64 {
	switch v := v.(type) {
	case int64:
		return float64(v)
	case float64:
		return v
	}
	panic(fmt.Sprintf("plots: %T is no number", v))
}

func noUnit(label string) string {
	label, _, _ = strings.Cut(label, " (")
	return label
}

// lower makes the first letter of a label lower case, unless it begins with an abbreviation.
func lower(s string) string {
	if len(s) > 1 && strings.ToUpper(s[:2]) == s[:2] {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}

func upper(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

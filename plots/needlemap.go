package plots

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/snapbench/snapbench/results"
)

// NeedleMap draws a needle test: prompt length across, depth down with the start of the prompt on top, the mean over
// trials in the cells. For every task and subject it makes one figure with all variants and, if there are at most
// mostMaps variants, one for each variant, all with the same scale. With a single length, variants go across instead, in
// one figure. A variant without a value anywhere has no figure of its own.
func NeedleMap(set results.Set, m results.Measure) ([]Figure, error) { return needleMaps(set, m, nil) }

func needleMaps(set results.Set, m results.Measure, _ []results.Table) ([]Figure, error) {
	var figures []Figure
	for _, g := range groups(set, m, func(r *results.Row) bool { return r.Depth != nil && r.Length != nil }, true) {
		base := heat{title: g.title, subtitle: g.subtitle, ylabel: "Needle depth (%)", bar: barTitle(m)}
		lengths := distinct(g.rows, func(r *results.Row) int { return *r.Length })
		name := func(variant string) string { return fileName("needle", m.Name, g.suffix, variant) }
		if len(lengths) == 1 {
			h := base
			h.subtitle = joined(g.subtitle, results.Tokens(lengths[0])+" tokens")
			if h.panels, h.columns = g.depthPanels(m, lengths[0]); len(h.panels) == 0 {
				continue
			}
			h.xlabel = "Variant"
			if _, budgets, _ := g.kindsAndBudgets(); len(budgets) > 1 {
				h.xlabel = "Budget (" + budgetUnit(budgets) + ")"
			}
			h.setScale(m.Points, false)
			last := "all"
			if len(g.variants) == 1 {
				last = g.variants[0]
			}
			figures = append(figures, h.figure(name(last)))
			continue
		}
		base.xlabel = "Prompt length (tokens)"
		var panels []panel
		for _, v := range g.variants {
			panels = append(panels, g.needlePanel(m, v, lengths))
		}
		if !slices.ContainsFunc(panels, func(p panel) bool { return !p.empty() }) {
			continue // of several tasks, one whose samples all failed
		}
		all := base
		all.panels = slices.Clone(panels)
		all.setScale(m.Points, false) // one scale for all maps
		for i, p := range panels {
			if len(panels) <= mostMaps && !p.empty() {
				h := all
				h.title, h.panels, h.columns = g.title+", "+g.labels[g.variants[i]], []panel{p}, 1
				figures = append(figures, h.figure(name(g.variants[i])))
			}
		}
		if len(panels) > 1 {
			all.panels, all.columns = g.arrange(panels)
			figures = append(figures, all.figure(name("all")))
		}
	}
	if figures == nil {
		return nil, fmt.Errorf("needle map of %s: %w: it needs rows with length and depth", m.Name, ErrNothing)
	}
	return figures, nil
}

// mostMaps is the largest number of variants that get a figure each.
const mostMaps = 25

// needlePanel is one variant's map.
func (g group) needlePanel(m results.Measure, variant string, lengths []int) panel {
	p := panel{}
	for _, n := range lengths {
		p.xs = append(p.xs, results.Tokens(n))
	}
	for _, d := range g.depths() {
		p.ys = append(p.ys, depthName(d))
		p.addRow(len(lengths), func(k int) spot { return g.needleSpot(m, variant, lengths[k], d) })
	}
	return p
}

// depthPanels are the maps of a single length: a panel for each policy and combination of parameters, with its budgets
// across and the full cache beside them.
func (g group) depthPanels(m results.Measure, length int) (panels []panel, columns int) {
	kinds, budgets, full := g.kindsAndBudgets()
	name := g.labels[full]
	if name == "full" {
		name = g.fullName()
	}
	across := func(title string, variants, labels []string) {
		p := panel{title: title, xs: labels}
		if full != "" && len(variants) > 0 {
			p.gaps = []int{len(variants)}
		}
		if full != "" {
			variants, p.xs = append(variants, full), append(labels, name)
		}
		for _, d := range g.depths() {
			p.ys = append(p.ys, depthName(d))
			p.addRow(len(variants), func(k int) spot { return g.needleSpot(m, variants[k], length, d) })
		}
		if !p.empty() {
			panels = append(panels, p)
		}
	}
	if len(budgets) < 2 { // such as servers, or policies at one budget: their names say more than the budget
		var variants, labels []string
		for _, v := range g.variants {
			if v != full {
				variants, labels = append(variants, v), append(labels, g.labels[v])
			}
		}
		across("", variants, labels)
		return panels, 1
	}
	for _, k := range g.underFull(kinds) {
		var variants, labels []string
		for _, b := range budgets {
			if v, ok := k.variants[b]; ok && v != full {
				variants, labels = append(variants, v), append(labels, budgetName(b))
			}
		}
		title := k.label
		if len(kinds) == 1 {
			title = ""
		}
		across(title, variants, labels)
	}
	columns = len(panels)
	if columns > 3 {
		columns = int(math.Ceil(math.Sqrt(float64(columns))))
	}
	return panels, columns
}

// addRow adds a row of cells to a panel.
func (p *panel) addRow(columns int, of func(column int) spot) {
	var values []float64
	var spots []spot
	for k := range columns {
		s := of(k)
		values, spots = append(values, s.value), append(spots, s)
	}
	p.values, p.spots = append(p.values, values), append(p.spots, spots)
}

func (g group) depths() []float64 {
	return distinct(g.rows, func(r *results.Row) float64 { return *r.Depth })
}

func depthName(d float64) string { return strconv.FormatFloat(math.Round(10*d)/10, 'f', -1, 64) }

// needleSpot is a variant's mean at a length and depth.
func (g group) needleSpot(m results.Measure, variant string, length int, depth float64) spot {
	var values []float64
	for i := range g.rows {
		if r := &g.rows[i]; r.Variant == variant && *r.Length == length && *r.Depth == depth {
			if v := m.Of(r); v != nil {
				values = append(values, *v)
			}
		}
	}
	iv := results.Interval{Mean: math.NaN(), Lo: math.NaN(), Hi: math.NaN(), N: len(values)}
	if len(values) > 0 {
		iv.Mean = 0
		for _, v := range values {
			iv.Mean += v / float64(len(values))
		}
	}
	s := intervalSpot(m, iv, fieldsOf("variant", g.labels[variant], "length", results.Tokens(length), "depth", depthName(depth)+" %"))
	s.interval = func() results.Interval {
		if m.Points {
			return results.MeanInterval(values)
		}
		return results.PlainInterval(values)
	}
	s.scale = scale(m)
	s.rows = filter{task: g.tasks[0], variant: variant, length: fmt.Sprint(length), depth: strconv.FormatFloat(depth, 'g', -1, 64)}
	return s
}

// arrange puts the panels of all variants, in their order, into a grid: one row for each policy and combination of
// parameters with the budgets side by side, and the full cache where it leaves the least room empty, before them or at
// the end of the first row. Variants that do not fit such a grid follow one another.
func (g group) arrange(panels []panel) ([]panel, int) {
	of := map[string]panel{}
	for i, v := range g.variants {
		panels[i].title = g.labels[v]
		of[v] = panels[i]
	}
	kinds, budgets, full := g.kindsAndBudgets()
	kinds = g.underFull(kinds)
	n := len(budgets)
	if n < 2 || n > 6 || len(panels) < 6 {
		columns := len(panels)
		if columns > 4 {
			columns = int(math.Ceil(math.Sqrt(float64(columns))))
		}
		return panels, columns
	}
	beside := full != "" && (len(kinds)-1)*n*(len(kinds)+1) < (n-1)*(n+1)*len(kinds)
	var list []panel
	blanks := func(n int) {
		for range n {
			list = append(list, panel{blank: true})
		}
	}
	if full != "" && !beside {
		list = append(list, of[full])
		blanks(n - 1)
	}
	for i, k := range kinds {
		for _, b := range budgets {
			p, ok := of[k.variants[b]]
			p.blank = !ok || k.variants[b] == full
			list = append(list, p)
		}
		switch {
		case beside && i == 0:
			list = append(list, of[full])
		case beside:
			blanks(1)
		}
	}
	if beside {
		n++
	}
	return list, n
}

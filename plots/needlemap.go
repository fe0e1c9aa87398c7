package plots

import (
	"fmt"
	"math"
	"strconv"

	"github.com/snapbench/snapbench/results"
)

// NeedleMap draws a needle test: prompt length across, depth down with the start of the prompt on top, the mean over
// trials in the cells. For every task and subject it makes one figure with all variants and, if there are at most
// mostMaps variants and several lengths, one for each variant, all with the same scale.
func NeedleMap(set results.Set, m results.Measure) ([]Figure, error) {
	var figures []Figure
	for _, g := range groups(set, m, func(r *results.Row) bool { return r.Depth != nil && r.Length != nil }, true) {
		maps, variants := needleHeats(set, g, m)
		all := maps[0]
		all.panels = nil
		for i, h := range maps {
			p := h.panels[0]
			if len(maps) == 1 || len(maps) <= mostMaps && len(p.xs) > 1 {
				figures = append(figures, h.figure(fileName("needle", m.Name, g.suffix, variants[i])))
			}
			all.panels = append(all.panels, p)
		}
		if len(maps) > 1 {
			all.title = g.title
			all.panels, all.columns = g.arrange(variants, all.panels)
			figures = append(figures, all.figure(fileName("needle", m.Name, g.suffix, "all")))
		}
	}
	if figures == nil {
		return nil, fmt.Errorf("needle map of %s: %w: it needs rows with length and depth", m.Name, ErrNothing)
	}
	return figures, nil
}

// mostMaps is the largest number of variants that get a figure each.
const mostMaps = 25

func needleHeats(set results.Set, g group, m results.Measure) (maps []heat, variants []string) {
	lengths := distinct(g.rows, func(r *results.Row) int { return *r.Length })
	depths := distinct(g.rows, func(r *results.Row) float64 { return *r.Depth })
	for _, v := range g.variants {
		p := panel{}
		for _, n := range lengths {
			p.xs = append(p.xs, Tokens(n))
		}
		for _, d := range depths {
			p.ys = append(p.ys, strconv.FormatFloat(math.Round(10*d)/10, 'f', -1, 64))
			row := make([]float64, len(lengths))
			for k, n := range lengths {
				row[k] = scale(m) * meanOf(g.rows, m, func(r *results.Row) bool { return r.Variant == v && *r.Length == n && *r.Depth == d })
			}
			p.values = append(p.values, row)
		}
		h := heat{
			title: g.title + ", " + g.labels[v], subtitle: g.subtitle, xlabel: "Prompt length (tokens)", ylabel: "Needle depth (%)", bar: barTitle(m),
			panels: []panel{p}, columns: 1,
		}
		maps, variants = append(maps, h), append(variants, v)
	}
	// All maps share one scale.
	all := heat{}
	for _, h := range maps {
		all.panels = append(all.panels, h.panels...)
	}
	all.setScale(m.Points, false)
	for i := range maps {
		maps[i].lo, maps[i].hi, maps[i].digits = all.lo, all.hi, all.digits
	}
	return maps, variants
}

// arrange puts the panels of all variants into a grid: the full cache first, then one row for each policy and combination
// of parameters with the budgets side by side. Variants that do not fit such a grid follow one another in their order.
func (g group) arrange(variants []string, panels []panel) ([]panel, int) {
	of := map[string]panel{}
	for i, v := range variants {
		panels[i].title = g.labels[v]
		of[v] = panels[i]
	}
	kinds, budgets, full := g.kindsAndBudgets()
	n := len(budgets)
	if n < 2 || n > 6 || len(variants) < 6 {
		columns := len(panels)
		if columns > 4 {
			columns = int(math.Ceil(math.Sqrt(float64(columns))))
		}
		return panels, columns
	}
	var list []panel
	if full != "" {
		list = append(list, of[full])
		for range n - 1 {
			list = append(list, panel{blank: true})
		}
	}
	for _, k := range kinds {
		for _, b := range budgets {
			p, ok := of[k.variants[b]]
			p.blank = !ok
			list = append(list, p)
		}
	}
	return list, n
}

package results

import (
	"fmt"
	"math"
)

// Grid lays the table out. With more variants than lines, as in a needle sweep, variants go down and tasks across.
func (t Table) Grid() Grid {
	g := t.layout(t.cellText, func(c Cell) int { return c.N }, func(string) bool { return true })
	g.Title = t.Title
	what := t.Measure.Title
	if t.Measure.Points {
		what += ", 0 to 100"
	}
	g.Notes = append([]string{what + ", with 95 % intervals over samples"}, append(g.Notes, t.Warnings...)...)
	return g
}

// DropGrid lays out the drop of every variant against the baseline, paired by sample; ok is false without one.
func (t Table) DropGrid() (g Grid, ok bool) {
	if t.Baseline == "" || t.Measure.Name != "score" || len(t.Variants) < 2 {
		return Grid{}, false
	}
	g = t.layout(func(c Cell) string {
		if c.Drop == nil {
			return "n/a"
		}
		return fixed(100*c.Drop.Drop, 2) + interval(100, c.Drop.Lo, c.Drop.Hi, 1)
	}, func(c Cell) int {
		if c.Drop == nil {
			return 0
		}
		return c.Drop.N
	}, func(v string) bool { return v != t.Baseline })
	g.Title = t.Title
	g.Notes = append([]string{"points lost against " + t.Against() + ", paired by sample, with 95 % intervals; negative is a gain"}, append(g.Notes, t.EqualBytes()...)...)
	return g, true
}

func (t Table) cellText(c Cell) string {
	if c.N == 0 {
		if c.Failed > 0 {
			return fmt.Sprintf("n/a (%d failed)", c.Failed)
		}
		return "n/a"
	}
	var s string
	if t.Measure.Points {
		s = Points(c.Mean) + interval(100, c.Lo, c.Hi, 1)
	} else {
		s = Significant(c.Mean, 3)
		if c.Defined() {
			s += fmt.Sprintf(" [%s, %s]", Significant(c.Lo, 3), Significant(c.Hi, 3))
		}
	}
	if c.Failed > 0 {
		s += fmt.Sprintf(" (%d failed)", c.Failed)
	}
	return s
}

// layout makes a grid of the variants to keep: the text of each cell, and how many samples it is over.
func (t Table) layout(text func(Cell) string, samples func(Cell) int, keep func(variant string) bool) Grid {
	var columns []int
	for k, v := range t.Variants {
		if keep(v) {
			columns = append(columns, k)
		}
	}
	var g Grid
	var caches []Footprint
	for _, k := range columns {
		if t.Caches != nil {
			caches = append(caches, t.Caches[k])
		}
	}
	g.Notes = append(explainAbove(caches), explainFixed(caches)...)
	if len(columns) > len(t.Lines)+2 {
		g.Head = []string{"variant"}
		for _, l := range t.Lines {
			g.Head = append(g.Head, l.Name+" ("+l.samples(columns, samples)+")")
		}
		if caches != nil {
			g.Head = append(g.Head, cacheColumn)
		}
		if someFixed(caches) {
			g.Head = append(g.Head, chosenColumn)
		}
		for n, k := range columns {
			row := []string{t.Labels[k]}
			for _, l := range t.Lines {
				row = append(row, text(l.Cells[k]))
			}
			if caches != nil {
				row = append(row, caches[n].String())
			}
			if someFixed(caches) {
				row = append(row, ratioText(caches[n].ChosenTimesFull))
			}
			g.Rows, g.Strong = append(g.Rows, row), append(g.Strong, false)
		}
		return g
	}
	g.Head = []string{"task", "samples"}
	for _, k := range columns {
		g.Head = append(g.Head, t.Labels[k])
	}
	for _, l := range t.Lines {
		row := []string{l.Name, l.samples(columns, samples)}
		for _, k := range columns {
			row = append(row, text(l.Cells[k]))
		}
		g.Rows, g.Strong = append(g.Rows, row), append(g.Strong, l.Average)
	}
	if caches != nil {
		row := []string{cacheColumn, ""}
		for _, c := range caches {
			row = append(row, c.String())
		}
		g.Rows, g.Strong = append(g.Rows, row), append(g.Strong, false)
	}
	if someFixed(caches) {
		row := []string{chosenColumn, ""}
		for _, c := range caches {
			row = append(row, ratioText(c.ChosenTimesFull))
		}
		g.Rows, g.Strong = append(g.Rows, row), append(g.Strong, false)
	}
	return g
}

// samples is how many samples the cells of some columns are over; a range where they differ.
func (l Line) samples(columns []int, of func(Cell) int) string {
	lo, hi := math.MaxInt, 0
	for _, k := range columns {
		n := of(l.Cells[k])
		lo, hi = min(lo, n), max(hi, n)
	}
	if lo != hi {
		return fmt.Sprintf("%d–%d", lo, hi)
	}
	return fmt.Sprint(hi)
}

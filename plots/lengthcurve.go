package plots

import (
	"fmt"

	"github.com/snapbench/snapbench/results"
)

// LengthCurves draws the scores of tasks that were asked at several lengths, by length: a panel for the average of the
// tasks and one for each, a line for every variant, 95 % intervals as bars.
func LengthCurves(set results.Set) ([]Figure, error) {
	return lengthCurves(set, results.Measures()[0], nil)
}

func lengthCurves(set results.Set, m results.Measure, _ []results.Table) ([]Figure, error) {
	var figures []Figure
	tables := results.LengthTables(set)
	for i, t := range tables {
		if len(t.Lengths) < 2 {
			continue // one point is not a curve
		}
		var xs []float64
		for _, n := range t.Lengths {
			xs = append(xs, float64(n))
		}
		ch := chart{
			title: "Score by length, " + t.Ladder.Name, subtitle: t.Title, ylabel: barTitle(m), labels: t.Labels, connect: true,
			x: numberAxis("Prompt and answer (tokens)", xs, "length", true),
		}
		panel := func(l results.Line, cells func(k int) []results.Cell) {
			p := chartPanel{title: l.Name}
			for k, label := range t.Labels {
				ln := line{label: label}
				for n, c := range cells(k) {
					q := meanPoint(m, xs[n], c)
					q.spot = cellSpot(m, l, c, label, t.Variants[k])
					q.spot.fields = append(q.spot.fields, fieldsOf("length", results.Tokens(t.Lengths[n]))...)
					q.spot.rows.length = fmt.Sprint(t.Lengths[n])
					ln.points = append(ln.points, q)
				}
				p.lines = append(p.lines, ln)
			}
			p.y = yAxis(m.Points, p)
			ch.panels = append(ch.panels, p)
		}
		panel(results.Line{Name: fmt.Sprintf("average of %d", len(t.Ladder.Tasks)), Average: true}, func(k int) []results.Cell { return t.Lines[k].Average })
		for n, task := range t.Ladder.Tasks {
			panel(results.Line{Name: task, Tasks: []string{task}}, func(k int) []results.Cell { return t.Lines[k].Cells[n] })
		}
		suffix := ""
		if len(tables) > 1 {
			suffix = fmt.Sprint(i + 1)
		}
		figures = append(figures, ch.figure(fileName("length", m.Name, suffix)))
	}
	if figures == nil {
		return nil, fmt.Errorf("score by length: %w: it needs tasks that were asked at several lengths", ErrNothing)
	}
	return figures, nil
}

package plots

import (
	"fmt"

	"github.com/snapbench/snapbench/results"
)

// TaskMap draws tasks and their averages (down) by variants (across), or the reverse if there are many more variants.
func TaskMap(set results.Set, m results.Measure) ([]Figure, error) {
	return taskMaps(set, m, results.Means(set, m))
}

func taskMaps(set results.Set, m results.Measure, tables []results.Table) ([]Figure, error) {
	var figures []Figure
	subjects, _ := results.Subjects(set.Rows)
	for i, t := range tables {
		h := taskHeat(t)
		if n := set.Run.Missing; n > 0 {
			h.subtitle += fmt.Sprintf("; %d rows are missing", n)
		}
		failed := 0
		for _, l := range t.Lines {
			for _, c := range l.Cells {
				if !l.Average {
					failed += c.Failed
				}
			}
		}
		if failed > 0 {
			h.subtitle += fmt.Sprintf("; %d rows failed", failed)
		}
		suffix := ""
		if len(subjects) > 1 {
			suffix = fmt.Sprint(i + 1)
		}
		figures = append(figures, h.figure(fileName("tasks", m.Name, suffix)))
	}
	if figures == nil {
		return nil, fmt.Errorf("task map of %s: %w", m.Name, ErrNothing)
	}
	return figures, nil
}

func taskHeat(t results.Table) heat {
	cell := func(l results.Line, k int) spot {
		return *cellSpot(t.Measure, l, l.Cells[k], t.Labels[k], t.Variants[k])
	}
	var p panel
	h := heat{title: "Tasks and variants", subtitle: t.Title, xlabel: "Variant", bar: barTitle(t.Measure), columns: 1}
	if len(t.Variants) > len(t.Lines)+2 { // such as a sweep over one task
		h.xlabel, h.ylabel = "", "Variant"
		p.ys = t.Labels
		for _, l := range t.Lines {
			p.xs = append(p.xs, l.Name)
		}
		for k := range t.Variants {
			p.addRow(len(t.Lines), func(i int) spot { return cell(t.Lines[i], k) })
		}
	} else {
		p.xs = t.Labels
		before := false
		for i, l := range t.Lines {
			p.ys = append(p.ys, l.Name)
			if l.Average && !before {
				p.breaks = append(p.breaks, i)
			}
			before = l.Average
			p.addRow(len(l.Cells), func(k int) spot { return cell(l, k) })
		}
	}
	h.panels = []panel{p}
	h.setScale(t.Measure.Points, true)
	return h
}

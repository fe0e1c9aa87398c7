package plots

import (
	"math"
	"slices"
)

// Point is one measurement for [Lines].
type Point struct {
	Panel, Series string
	X, Y          float64
	Lo, Hi        float64 // its spread; equal to Y where there is none
	// Missing ends the series before X: nothing was measured there.
	Missing bool
}

// Lines draws measurements over a length in tokens: a panel for each value of
// Panel, a line for each of Series, both in the order of first appearance.
func Lines(name, title, subtitle, xlabel, ylabel string, points []Point) Figure {
	var panels, series []string
	var xs []float64
	for _, p := range points {
		if !slices.Contains(panels, p.Panel) {
			panels = append(panels, p.Panel)
		}
		if !slices.Contains(series, p.Series) {
			series = append(series, p.Series)
		}
		xs = append(xs, p.X)
	}
	slices.Sort(xs)
	xs = slices.Compact(xs)
	ch := chart{title: title, subtitle: subtitle, x: numberAxis(xlabel, xs, "length"), ylabel: ylabel, labels: series, connect: true}
	for _, name := range panels {
		panel := chartPanel{title: name}
		for _, s := range series {
			l := line{label: s}
			for _, p := range points {
				if p.Panel == name && p.Series == s && !p.Missing {
					q := point{p.X, p.Y, p.Lo, p.Hi}
					if p.Lo == p.Hi {
						q.lo, q.hi = math.NaN(), math.NaN()
					}
					l.points = append(l.points, q)
				}
			}
			panel.lines = append(panel.lines, l)
		}
		panel.y = yAxis(false, panel)
		ch.panels = append(ch.panels, panel)
	}
	return ch.figure(fileName(name))
}

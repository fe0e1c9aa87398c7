package plots

import (
	"math"
	"slices"
)

// Point is one measurement for [Lines].
type Point struct {
	Panel, Series string
	X, Y          float64
	Lo, Hi        float64 // its spread; equal to Y if there is none
	// Missing says that nothing could be measured at X. It is drawn as a cross.
	Missing bool
}

// Lines draws measurements over a length in tokens: a panel for each value of
// Panel and a line for each value of Series, both in the order of points.
func Lines(name, title, subtitle, xlabel, ylabel string, points []Point) Figure {
	return lines(name, title, subtitle, xlabel, ylabel, points, false)
}

// LogLines is Lines with a logarithmic y axis. Every Y must be positive.
func LogLines(name, title, subtitle, xlabel, ylabel string, points []Point) Figure {
	return lines(name, title, subtitle, xlabel, ylabel, points, true)
}

func lines(name, title, subtitle, xlabel, ylabel string, points []Point, log bool) Figure {
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
	ch := chart{title: title, subtitle: subtitle, x: numberAxis(xlabel, xs, "length", true), ylabel: ylabel, labels: series, connect: true}
	for _, name := range panels {
		panel := chartPanel{title: name}
		for _, s := range series {
			l := line{label: s}
			for _, p := range points {
				if p.Panel == name && p.Series == s && p.Missing {
					l.ends = append(l.ends, p.X)
				}
				if p.Panel == name && p.Series == s && !p.Missing {
					q := point{x: p.X, y: p.Y, lo: p.Lo, hi: p.Hi}
					if p.Lo == p.Hi {
						q.lo, q.hi = math.NaN(), math.NaN()
					}
					q.spot = &spot{fields: fieldsOf("", p.Panel, "", p.Series, noUnit(xlabel), plain(p.X)), value: q.y, lo: q.lo, hi: q.hi}
					l.points = append(l.points, q)
				}
			}
			panel.lines = append(panel.lines, l)
		}
		zero := chartPanel{lines: []line{{points: []point{{lo: math.NaN(), hi: math.NaN()}}}}}
		panel.y = yAxis(false, panel, zero) // the axes of times, rates and bytes begin at zero
		if log {
			panel.y = logAxis(panel)
		}
		if slices.ContainsFunc(panel.lines, func(l line) bool { return len(l.ends) > 0 }) && !log {
			panel.y.hi += 0.13 * (panel.y.hi - panel.y.lo) // a strip for the crosses
		}
		ch.panels = append(ch.panels, panel)
	}
	return ch.figure(fileName(name))
}

// logAxis makes a logarithmic axis that covers all points of a panel.
func logAxis(p chartPanel) axis {
	var ys []float64
	for _, l := range p.lines {
		for _, q := range l.points {
			ys = append(ys, q.y)
		}
	}
	slices.Sort(ys)
	a := axis{log: true, lo: ys[0] / 1.2, hi: ys[len(ys)-1] * 1.2}
	for _, v := range decades(a.lo, a.hi) {
		a.ticks = append(a.ticks, tickMark{v, plain(v)})
	}
	return a
}

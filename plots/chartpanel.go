package plots

import (
	"math"
	"slices"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

func (ch chart) drawPanel(c draw.Canvas, p chartPanel, r vg.Rectangle, turned bool, seen *spots) {
	tick := ch.look.style(sizeTick, false, ink)
	px := func(v float64) vg.Length { return r.Min.X + vg.Length(ch.x.norm(v))*(r.Max.X-r.Min.X) }
	py := func(v float64) vg.Length {
		return r.Min.Y + vg.Length(min(max(p.y.norm(v), 0), 1))*(r.Max.Y-r.Min.Y)
	}
	if p.level != nil && p.level.lo <= p.level.hi {
		fill(c, box(r.Min.X, py(p.level.lo), r.Max.X, py(p.level.hi)), band)
	}
	for _, t := range p.y.ticks {
		stroke(c, 0.4, lattice, vg.Point{X: r.Min.X, Y: py(t.at)}, vg.Point{X: r.Max.X, Y: py(t.at)})
		put(c, tick, r.Min.X-4, py(t.at), +1, 0, t.label)
	}
	for _, t := range ch.x.ticks {
		stroke(c, 0.5, ink, vg.Point{X: px(t.at), Y: r.Min.Y}, vg.Point{X: px(t.at), Y: r.Min.Y - 2.5})
		if turned {
			s := tick
			s.Rotation = slope
			put(c, s, px(t.at)+3, r.Min.Y-4, +1, +1, t.label)
		} else {
			put(c, tick, px(t.at), r.Min.Y-4.5, 0, +1, t.label)
		}
	}
	if p.level != nil && !math.IsNaN(p.level.y) {
		dashed(c, vg.Point{X: r.Min.X, Y: py(p.level.y)}, vg.Point{X: r.Max.X, Y: py(p.level.y)})
	}
	if u := ch.upright; u != nil && *u > ch.x.lo && *u < ch.x.hi {
		dashed(c, vg.Point{X: px(*u), Y: r.Min.Y}, vg.Point{X: px(*u), Y: r.Max.Y})
	}
	stroke(c, 0.6, ink, vg.Point{X: r.Min.X, Y: r.Max.Y}, r.Min, vg.Point{X: r.Max.X, Y: r.Min.Y})
	if ch.front {
		p.lines = spread(p.lines, px)
		if path := ch.frontOf(p, px, py); len(path) > 1 {
			stroke(c, 1.6, lattice, path...)
		}
	}
	// Shift each series a little, so that intervals at the same x do not hide each other; but never so far that a point
	// seems to stand at the next x.
	n := vg.Length(len(p.lines))
	step := min(2.4, 14/n, p.nearest(px)/2/n)
	for i, l := range p.lines {
		clr := ch.look.series(ch.pen(i).hue)
		shift := (vg.Length(i) - (n-1)/2) * step
		if ch.front {
			shift = 0 // places are measured: those that are equal have shifts of their own
		}
		var path []vg.Point
		flush := func() {
			if len(path) > 1 && ch.connect {
				stroke(c, 1.1, clr, path...)
			}
			path = nil
		}
		for _, q := range l.points {
			if math.IsNaN(q.y) {
				flush() // leave a gap where a measurement is missing
				continue
			}
			path = append(path, vg.Point{X: px(q.x) + shift + q.shift, Y: py(q.y)})
		}
		flush()
		for _, q := range l.points {
			if math.IsNaN(q.y) {
				continue
			}
			x := px(q.x) + shift + q.shift
			if q.lo <= q.hi {
				stroke(c, 0.7, clr, vg.Point{X: x, Y: py(q.lo)}, vg.Point{X: x, Y: py(q.hi)})
				for _, e := range []float64{q.lo, q.hi} {
					stroke(c, 0.7, clr, vg.Point{X: x - 1.5, Y: py(e)}, vg.Point{X: x + 1.5, Y: py(e)})
				}
			}
			mark(c, ch.pen(i).mark, clr, x, py(q.y))
			if q.spot != nil {
				s, reach := *q.spot, ch.look.scaled(6)
				s.area = box(x-reach, py(q.y)-reach, x+reach, py(q.y)+reach)
				seen.add(s)
			}
		}
		for _, at := range l.ends {
			x, y := px(at)+shift, r.Max.Y-4
			for _, d := range []vg.Length{-1, 1} {
				stroke(c, 1.2, clr, vg.Point{X: x - 2.6, Y: y - 2.6*d}, vg.Point{X: x + 2.6, Y: y + 2.6*d})
			}
		}
	}
	ch.drawNames(c, p, r, px, py)
}

// nearest is the smallest distance between two x of a panel, infinity where there is only one.
func (p chartPanel) nearest(px func(float64) vg.Length) vg.Length {
	var all []float64
	for _, l := range p.lines {
		for _, q := range l.points {
			all = append(all, q.x)
		}
	}
	slices.Sort(all)
	all = slices.Compact(all)
	least := vg.Length(math.Inf(1))
	for i := 1; i < len(all); i++ {
		least = min(least, px(all[i])-px(all[i-1]))
	}
	return least
}

package plots

import (
	"image/color"
	"math"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// legend lays out the entries in lines of at most a width. It returns what draws them, and the height.
func (ch chart) legend(width vg.Length) (func(c draw.Canvas, x, y vg.Length), vg.Length) {
	tick := ch.look.style(sizeTick, false, ink)
	type entry struct {
		label string
		draw  func(c draw.Canvas, x, y vg.Length)
		first bool // of a line
		row   int
		x     vg.Length
	}
	var entries []entry
	add := func(label string, draw func(c draw.Canvas, x, y vg.Length)) {
		entries = append(entries, entry{label: label, draw: draw})
	}
	if x := ch.crossed(); x != nil {
		for i, l := range x.hues {
			add(l, func(c draw.Canvas, x, y vg.Length) {
				stroke(c, 3, ch.look.series(i), vg.Point{X: x + 4, Y: y}, vg.Point{X: x + 16, Y: y})
			})
		}
		for i, l := range x.marks {
			add(l, func(c draw.Canvas, x, y vg.Length) { mark(c, i, grey, x+10, y) })
		}
		entries[len(x.hues)].first = true
	} else {
		for i, l := range ch.labels {
			add(l, func(c draw.Canvas, x, y vg.Length) {
				clr := ch.look.series(i)
				if ch.connect {
					stroke(c, 1.1, clr, vg.Point{X: x, Y: y}, vg.Point{X: x + 20, Y: y})
				}
				mark(c, i, clr, x+10, y)
			})
		}
	}
	if ch.level != "" {
		add(ch.level, func(c draw.Canvas, x, y vg.Length) { dashed(c, vg.Point{X: x, Y: y}, vg.Point{X: x + 20, Y: y}) })
	}
	if len(entries) < 2 && ch.level == "" {
		return func(draw.Canvas, vg.Length, vg.Length) {}, 0
	}
	x, row := vg.Length(0), 0
	for i := range entries {
		w := 24 + tick.Width(entries[i].label) + 12
		if x > 0 && (x+w-12 > width || entries[i].first) {
			x, row = 0, row+1
		}
		entries[i].x, entries[i].row = x, row
		x += w
	}
	rowHeight := ch.look.scaled(13)
	return func(c draw.Canvas, x, y vg.Length) {
		for _, e := range entries {
			cy := y - vg.Length(e.row)*rowHeight - rowHeight/2
			e.draw(c, x+e.x, cy)
			put(c, tick, x+e.x+24, cy, -1, 0, e.label)
		}
	}, vg.Length(row+1)*rowHeight + 5
}

func dashed(c draw.Canvas, from, to vg.Point) {
	c.SetColor(ink)
	c.SetLineWidth(0.8)
	c.SetLineDash([]vg.Length{4, 2.5}, 0)
	var p vg.Path
	p.Move(from)
	p.Line(to)
	c.Stroke(p)
	c.SetLineDash(nil, 0)
}

// pen is that of the i-th line. Lines differ in their marks as well as in colour.
func (ch chart) pen(i int) pen {
	if x := ch.crossed(); x != nil {
		return x.pens[i]
	}
	return pen{i, i}
}

// crossed is the lines' crossing if the palette has colours enough for it.
func (ch chart) crossed() *crossing {
	if ch.crossing != nil && len(ch.crossing.hues) <= len(ch.look.palette().series) {
		return ch.crossing
	}
	return nil
}

// markShapes is how many marks there are.
const markShapes = 6

// mark draws the i-th mark.
func mark(c draw.Canvas, i int, clr color.Color, x, y vg.Length) {
	poly := func(size float64, angles ...float64) {
		var p vg.Path
		for k, a := range angles {
			q := vg.Point{X: x + vg.Length(size*math.Cos(a*math.Pi/180)), Y: y + vg.Length(size*math.Sin(a*math.Pi/180))}
			if k == 0 {
				p.Move(q)
			} else {
				p.Line(q)
			}
		}
		p.Close()
		c.SetColor(clr)
		c.Fill(p)
		c.SetColor(paper)
		c.SetLineWidth(0.5)
		c.SetLineDash(nil, 0)
		c.Stroke(p)
	}
	switch i % markShapes {
	case 0:
		var round []float64
		for a := 0.0; a < 360; a += 15 {
			round = append(round, a)
		}
		poly(2.7, round...)
	case 1:
		poly(3.5, 45, 135, 225, 315)
	case 2:
		poly(3.8, 90, 210, 330)
	case 3:
		poly(3.6, 0, 90, 180, 270)
	case 4:
		poly(3.8, 270, 30, 150)
	default:
		poly(3.2, 0, 60, 120, 180, 240, 300)
	}
}

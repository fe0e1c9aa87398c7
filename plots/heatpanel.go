package plots

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

func (h heat) drawPanel(c draw.Canvas, p panel, x0, y0, cellWidth vg.Length, turned bool, slope float64) {
	tick := style(sizeTick, false, ink)
	rowTop := make([]vg.Length, len(p.ys)+1)
	y := y0
	for r := range p.ys {
		if slices.Contains(p.breaks, r) {
			y -= gap
		}
		rowTop[r] = y
		y -= cellHeight
	}
	bottom := y
	rowTop[len(p.ys)] = bottom
	for r := range p.ys {
		put(c, tick, x0-4, rowTop[r]-cellHeight/2, +1, 0, p.ys[r])
		for k := range p.xs {
			left := x0 + vg.Length(k)*cellWidth
			v := p.values[r][k]
			last := k == len(p.xs)-1
			lowest := r == len(p.ys)-1 || slices.Contains(p.breaks, r+1)
			h.drawCell(c, box(left, rowTop[r]-cellHeight, left+cellWidth, rowTop[r]), v, last, lowest)
		}
	}
	if p.side != "" {
		left := x0 + vg.Length(len(p.xs))*cellWidth + gap
		h.drawCell(c, box(left, bottom, left+cellWidth, y0), p.sideValue, true, true)
	}
	// Numbers are drawn after all cells, because cells overlap.
	for r := range p.ys {
		for k := range p.xs {
			h.drawNumber(c, x0+(vg.Length(k)+0.5)*cellWidth, rowTop[r]-cellHeight/2, p.values[r][k])
		}
	}
	labels := p.xs
	at := func(k int) vg.Length { return x0 + (vg.Length(k)+0.5)*cellWidth }
	if p.side != "" {
		h.drawNumber(c, x0+vg.Length(len(p.xs))*cellWidth+gap+cellWidth/2, (y0+bottom)/2, p.sideValue)
		labels = append(slices.Clone(p.xs), p.side)
	}
	for k, s := range labels {
		x := at(k)
		if k >= len(p.xs) {
			x += gap
		}
		if !turned {
			put(c, tick, x, bottom-4, 0, +1, s)
			continue
		}
		st := tick
		st.Rotation = slope
		put(c, st, x+3, bottom-4, +1, +1, s)
	}
}

// drawCell fills a cell and a third of a point beyond its right and lower edges, which the next cells cover. Without the
// overlap, viewers show hairlines between neighbours.
func (h heat) drawCell(c draw.Canvas, r vg.Rectangle, v float64, last, lowest bool) {
	const over = 0.35
	full := r
	if !last {
		full.Max.X += over
	}
	if !lowest {
		full.Min.Y -= over
	}
	if !math.IsNaN(v) {
		fill(c, full, colourAt(v, h.lo, h.hi))
		return
	}
	fill(c, full, pale)
	// Diagonals from the left and upper edges to the lower and right ones.
	w, ht := r.Max.X-r.Min.X, r.Max.Y-r.Min.Y
	for d := vg.Length(5); d < w+ht; d += 5 {
		a := vg.Point{X: r.Min.X + max(0, d-ht), Y: r.Max.Y - min(d, ht)}
		b := vg.Point{X: r.Min.X + min(d, w), Y: r.Max.Y - max(0, d-w)}
		stroke(c, 0.4, hatch, a, b)
	}
}

func (h heat) drawNumber(c draw.Canvas, x, y vg.Length, v float64) {
	if math.IsNaN(v) {
		s := style(sizeCell-0.5, false, grey)
		w := s.Width("n/a")/2 + 2
		fill(c, box(x-w, y-5, x+w, y+5.5), pale)
		put(c, s, x, y, 0, 0, "n/a")
		return
	}
	put(c, style(sizeCell, false, textOn(colourAt(v, h.lo, h.hi))), x, y, 0, 0, h.number(v))
}

func (h heat) number(v float64) string {
	if v == 100 && h.hi == 100 {
		return "100" // shorter than 100.0
	}
	s := strconv.FormatFloat(v, 'f', h.digits, 64)
	if strings.HasPrefix(s, "-") && strings.Trim(s, "-0.") == "" {
		s = s[1:]
	}
	return s
}

package plots

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

func (h heat) drawPanel(c draw.Canvas, p panel, x0, y0, cellWidth vg.Length, turned bool, slope float64, seen *spots) {
	tick := h.look.style(sizeTick, false, ink)
	cellHeight, gap := h.look.scaled(cellHeight), h.look.scaled(gap)
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
	left := make([]vg.Length, len(p.xs))
	x := x0
	for k := range p.xs {
		if slices.Contains(p.gaps, k) {
			x += gap
		}
		left[k] = x
		x += cellWidth
	}
	side := box(x+gap, bottom, x+gap+cellWidth, y0)
	area := func(r, k int) vg.Rectangle { return box(left[k], rowTop[r]-cellHeight, left[k]+cellWidth, rowTop[r]) }
	for r := range p.ys {
		put(c, tick, x0-4, rowTop[r]-cellHeight/2, +1, 0, p.ys[r])
		for k := range p.xs {
			last := k == len(p.xs)-1 || slices.Contains(p.gaps, k+1)
			lowest := r == len(p.ys)-1 || slices.Contains(p.breaks, r+1)
			h.drawCell(c, area(r, k), p.values[r][k], last, lowest)
		}
	}
	if p.side != "" {
		h.drawCell(c, side, p.sideValue, true, true)
	}
	// Numbers are drawn after all cells, because cells overlap.
	for r := range p.ys {
		for k := range p.xs {
			h.drawNumber(c, area(r, k), p.values[r][k])
			if p.spots != nil {
				p.spots[r][k].area = area(r, k)
				seen.add(p.spots[r][k])
			}
		}
	}
	mark := func(x vg.Length, s string) {
		if !turned {
			put(c, tick, x, bottom-4, 0, +1, s)
			return
		}
		st := tick
		st.Rotation = slope
		put(c, st, x+3, bottom-4, +1, +1, s)
	}
	for k, s := range p.xs {
		mark(left[k]+cellWidth/2, s)
	}
	if p.side != "" {
		h.drawNumber(c, side, p.sideValue)
		mark(side.Min.X+cellWidth/2, p.side)
		if p.sideSpot.fields != nil {
			p.sideSpot.area = side
			seen.add(p.sideSpot)
		}
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
		fill(c, full, h.look.colourAt(v, h.lo, h.hi))
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

func (h heat) drawNumber(c draw.Canvas, r vg.Rectangle, v float64) {
	x, y := (r.Min.X+r.Max.X)/2, (r.Min.Y+r.Max.Y)/2
	switch {
	case math.IsNaN(v):
		s := h.look.style(sizeCell-0.5, false, grey)
		w, half := s.Width("n/a")/2+2, h.look.scaled(5)
		fill(c, box(x-w, y-half, x+w, y+half+0.5), pale)
		put(c, s, x, y, 0, 0, "n/a")
	case !h.look.NoNumbers:
		put(c, h.look.style(sizeCell, false, textOn(h.look.colourAt(v, h.lo, h.hi))), x, y, 0, 0, h.number(v))
	}
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

package plots

import (
	"math"
	"strconv"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// panel is one grid of a heat map. Values are by row, top row first. NaN is a missing value and drawn as such.
type panel struct {
	title  string
	xs, ys []string
	values [][]float64
	// side labels a separate column, one tall cell beside all rows: the full cache, which has no budget or parameters.
	side      string
	sideValue float64
	breaks    []int // rows with a wider gap above
	gaps      []int // columns with a gap before them
	blank     bool  // an empty place in the layout

	spots    [][]spot // what a page says of the cells; nil: nothing
	sideSpot spot
}

// empty reports whether no cell has a value. Such a panel says nothing that its absence does not.
func (p panel) empty() bool {
	some := p.side != "" && !math.IsNaN(p.sideValue)
	for _, row := range p.values {
		for _, v := range row {
			some = some || !math.IsNaN(v)
		}
	}
	return !some
}

// heat is a heat map: panels with one colour scale.
type heat struct {
	title          string
	subtitle       string
	xlabel, ylabel string
	bar            string // label of the colour scale, with unit
	lo, hi         float64
	digits         int // decimals in cells
	panels         []panel
	columns        int // of panels
	look           Look
}

const (
	cellHeight = 25 // at the usual font size, as gap
	gap        = 7  // between the grid and the side column, and at breaks
	pad        = 6
	barWidth   = 11
)

// figure computes the layout from the size of the cells.
func (h heat) figure(name string) Figure {
	tick, label := h.look.style(sizeTick, false, ink), h.look.style(sizeLabel, false, ink)
	small := h.look.style(sizeTick, true, ink)
	cellHeight, gap := h.look.scaled(cellHeight), h.look.scaled(gap)
	nx, ny, breaks, gaps := 0, 0, 0, 0
	side := false
	var xs, ys []string
	for _, p := range h.panels {
		nx, ny, breaks = max(nx, len(p.xs)), max(ny, len(p.ys)), max(breaks, len(p.breaks))
		gaps = max(gaps, len(p.gaps))
		side = side || p.side != ""
		xs, ys = append(xs, p.xs...), append(ys, p.ys...)
		if p.side != "" {
			xs = append(xs, p.side)
		}
	}
	cell := h.look.style(sizeCell, false, ink)
	numbers := cell.Width(strconv.FormatFloat(-h.hi, 'f', h.digits, 64))
	cellWidth := max(h.look.scaled(34), numbers+10)
	turned := widest(tick, xs) > cellWidth-3
	if turned && widest(tick, xs) < h.look.scaled(52) && nx <= 8 {
		cellWidth, turned = widest(tick, xs)+4, false // a little wider reads better than turned
	}
	if small := h.look.scaled(170); len(h.panels) == 1 && vg.Length(nx)*cellWidth < small {
		cellWidth = max(cellWidth, min(h.look.scaled(60), small/vg.Length(nx))) // a small grid need not be tiny
	}
	const slope = 38 * math.Pi / 180
	xh := tick.Height("0") + 3
	overhang := vg.Length(0)
	if turned {
		xh = widest(tick, xs)*vg.Length(math.Sin(slope)) + tick.Height("0")*vg.Length(math.Cos(slope)) + 4
		overhang = max(widest(tick, xs[:1])*vg.Length(math.Cos(slope))-cellWidth/2, 0)
	}
	yw := widest(tick, ys) + 5
	gridWidth := vg.Length(nx)*cellWidth + vg.Length(gaps)*gap
	if side {
		gridWidth += gap + cellWidth
	}
	gridHeight := vg.Length(ny)*cellHeight + vg.Length(breaks)*gap
	head := vg.Length(0)
	if len(h.panels) > 1 || h.panels[0].title != "" {
		head = small.Height("0") + 6
	}
	cols := max(h.columns, 1)
	rows := (len(h.panels) + cols - 1) / cols
	for _, p := range h.panels {
		if len(h.panels) > 1 {
			gridWidth = max(gridWidth, small.Width(p.title)+4) // a title begins where the grid does
		}
	}
	ylab := vg.Length(0)
	if h.ylabel != "" {
		ylab = label.Height("0") + 5
	}
	xlab := vg.Length(0)
	if h.xlabel != "" {
		xlab = label.Height("0") + 5
	}
	stepX, stepY := max(yw, overhang)+gridWidth+12, head+gridHeight+xh+10
	barText := []string{h.number(h.lo), h.number(h.hi)}
	right := vg.Length(10) + barWidth + 4 + widest(tick, barText) + 6 + label.Height("0") + pad
	width := max(pad+ylab+vg.Length(cols)*stepX-12+right, h.look.scaled(225))
	heading := titleBlock{width: width - 2*pad, title: h.title, subtitle: h.subtitle, look: h.look}
	top := pad + heading.height()
	barHeight := max(vg.Length(rows)*stepY-head-xh-10, 70)
	height := top + max(vg.Length(rows)*stepY-10, head+barHeight) + xlab + pad

	with := func(l Look) Figure {
		h.look = l
		return h.figure(name)
	}
	return Figure{Name: name, Title: h.title, Width: width, Height: height, with: with, draw: func(c draw.Canvas, seen *spots) {
		heading.draw(c, c.Min.X+pad, c.Max.Y-pad)
		gridLeft := c.Min.X + pad + ylab + max(yw, overhang)
		gridTop := c.Max.Y - top
		for i, p := range h.panels {
			if p.blank {
				continue
			}
			x0 := gridLeft + vg.Length(i%cols)*stepX
			y0 := gridTop - vg.Length(i/cols)*stepY
			if p.title != "" {
				put(c, small, x0, y0-1, -1, +1, p.title)
			}
			y0 -= head
			h.drawPanel(c, p, x0, y0, cellWidth, turned, slope, seen)
		}
		areaBottom := gridTop - vg.Length(rows)*stepY + 10
		if h.xlabel != "" {
			put(c, label, gridLeft+(vg.Length(cols)*stepX-12-max(yw, overhang))/2, areaBottom-5, 0, +1, h.xlabel)
		}
		if h.ylabel != "" {
			s := label
			s.Rotation = math.Pi / 2
			put(c, s, c.Min.X+pad+ylab-5, gridTop-head-(vg.Length(rows)*stepY-10-head-xh)/2, 0, -1, h.ylabel)
		}
		h.drawBar(c, c.Min.X+pad+ylab+vg.Length(cols)*stepX-12+10, gridTop-head, min(barHeight, 300))
	}}
}

package plots

import (
	"math"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// point is a mean with its interval; lo and hi are NaN if there is none.
type point struct {
	x, y, lo, hi float64
	name         string    // beside the mark
	spot         *spot     // nil: a page says nothing of it
	shift        vg.Length // to the right, so that points at one place are all seen
}

// line is one series of a chart. Its index in the panel determines its colour and mark.
type line struct {
	label  string
	points []point
	ends   []float64 // x where nothing could be measured: crosses at the panel's top
}

type tickMark struct {
	at    float64
	label string
}

// axis maps values to 0..1.
type axis struct {
	label  string
	ticks  []tickMark
	log    bool
	lo, hi float64
	places bool // ticks are the values that occur, all of which should be named; else round numbers, of which some may do
}

func (a axis) norm(v float64) float64 {
	if a.log {
		return (math.Log(v) - math.Log(a.lo)) / (math.Log(a.hi) - math.Log(a.lo))
	}
	return (v - a.lo) / (a.hi - a.lo)
}

// chartPanel is one pair of axes.
type chartPanel struct {
	title string
	lines []line
	level *point // a level across the panel, such as the full cache's score, with its interval
	y     axis
}

// chart is several panels with the same x axis and the same series.
type chart struct {
	title, subtitle string
	x               axis
	ylabel          string
	panels          []chartPanel
	labels          []string  // of all lines, in the order of their colours
	crossing        *crossing // of the lines, nil: each has a colour and a mark of its own
	level           string    // label of the level
	upright         *float64  // x of the level's variant, a dashed line; nil if it has none
	connect         bool      // connect the points of a series by a line
	front           bool      // draw the step line above and left of which no point lies
	descending      bool      // of front: x is better when larger
	look            Look
}

func (ch chart) figure(name string) Figure {
	tick, label, small := ch.look.style(sizeTick, false, ink), ch.look.style(sizeLabel, false, ink), ch.look.style(sizeTick, true, ink)
	whole := ch // its ticks are thinned below
	with := func(l Look) Figure {
		whole.look = l
		return whole.figure(name)
	}
	n := len(ch.panels)
	cols := min(n, 4)
	if n == 1 {
		cols = 1
	} else if n <= 4 {
		cols = 2
	} else if n <= 9 {
		cols = 3
	}
	rows := (n + cols - 1) / cols
	plotW, plotH := vg.Length(138), vg.Length(92)
	if n == 1 {
		plotW, plotH = 270, 180
		if len(ch.labels) > 8 { // many lines need more room
			plotW, plotH = 400, 270
		}
	} else if n <= 4 {
		plotW, plotH = 190, 125
	}
	plotW, plotH = ch.look.scaled(plotW), ch.look.scaled(plotH)
	if places := vg.Length(len(ch.x.ticks)) * ch.look.scaled(13); places > plotW && !ch.x.log {
		plotW = places // each turned label needs the height of a line of text
	}
	yw := vg.Length(0)
	for _, p := range ch.panels {
		for _, t := range p.y.ticks {
			yw = max(yw, tick.Width(t.label))
		}
	}
	yw += 6
	var turned bool
	ch.x.ticks, turned = ch.x.fit(plotW, func(s string) vg.Length { return tick.Width(s) }, tick.Height("0"))
	var xs []string
	for _, t := range ch.x.ticks {
		xs = append(xs, t.label)
	}
	xh := tick.Height("0") + 5
	if turned {
		xh = widest(tick, xs)*vg.Length(math.Sin(slope)) + 10
	}
	head := vg.Length(0)
	if n > 1 || ch.panels[0].title != "" {
		head = small.Height("0") + 4
	}
	stepX, stepY := yw+plotW+12, head+plotH+xh+8
	left := pad + label.Height("0") + 5
	before, behind := ch.x.overhang(plotW, turned, func(s string) vg.Length { return tick.Width(s) })
	left += max(before-left-yw+pad, 0)
	width := max(left+vg.Length(cols)*stepX-12+pad+max(behind, 4), ch.look.scaled(225))
	block := titleBlock{width: width - 2*pad, title: ch.title, subtitle: ch.subtitle, look: ch.look}
	legend, legendHeight := ch.legend(width - 2*pad)
	top := pad + block.height() + legendHeight
	height := top + vg.Length(rows)*stepY - 8 + label.Height("0") + 7 + pad

	return Figure{Name: name, Title: ch.title, Width: width, Height: height, with: with, draw: func(c draw.Canvas, seen *spots) {
		block.draw(c, c.Min.X+pad, c.Max.Y-pad)
		legend(c, c.Min.X+pad, c.Max.Y-pad-block.height())
		gridTop := c.Max.Y - top
		for i, p := range ch.panels {
			x0 := c.Min.X + left + vg.Length(i%cols)*stepX + yw
			y1 := gridTop - vg.Length(i/cols)*stepY
			if head > 0 {
				put(c, small, x0, y1-1, -1, +1, p.title)
			}
			y1 -= head
			ch.drawPanel(c, p, box(x0, y1-plotH, x0+plotW, y1), turned, seen)
		}
		put(c, label, c.Min.X+left+yw+(vg.Length(cols)*stepX-12-yw)/2, c.Min.Y+pad, 0, -1, ch.x.label)
		s := label
		s.Rotation = math.Pi / 2
		put(c, s, c.Min.X+left-5, gridTop-head-(vg.Length(rows)*stepY-8-head-xh)/2, 0, -1, ch.ylabel)
	}}
}

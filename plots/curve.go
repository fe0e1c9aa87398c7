package plots

import (
	"fmt"
	"image/color"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/snapbench/snapbench/results"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// point is a mean with its interval; lo and hi are NaN where there is none.
type point struct{ x, y, lo, hi float64 }

// line is one series of a chart. Its place in the list is its colour and its mark.
type line struct {
	label  string
	points []point
	ends   []float64 // where nothing could be measured: crosses at the panel's top
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

// chart is panels that share an x axis and the meaning of their lines.
type chart struct {
	title, subtitle string
	x               axis
	ylabel          string
	panels          []chartPanel
	labels          []string // of all lines, in the order of their colours
	level           string   // what the level is
	connect         bool     // x has an order worth a line
}

func (ch chart) figure(name string) Figure {
	tick, label, small := style(sizeTick, false, ink), style(sizeLabel, false, ink), style(sizeTick, true, ink)
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
	} else if n <= 4 {
		plotW, plotH = 190, 125
	}
	if places := vg.Length(len(ch.x.ticks)) * 12; places > plotW && !ch.x.log {
		plotW = places // turned labels need a line's height each
	}
	yw := vg.Length(0)
	for _, p := range ch.panels {
		for _, t := range p.y.ticks {
			yw = max(yw, tick.Width(t.label))
		}
	}
	yw += 6
	var xs []string
	for _, t := range ch.x.ticks {
		xs = append(xs, t.label)
	}
	turned := false
	if len(xs) > 1 {
		turned = widest(tick, xs)*vg.Length(len(xs)) > plotW*1.05
	}
	xh := tick.Height("0") + 5
	const slope = 38 * math.Pi / 180
	if turned {
		xh = widest(tick, xs)*vg.Length(math.Sin(slope)) + 10
	}
	head := vg.Length(0)
	if n > 1 || ch.panels[0].title != "" {
		head = small.Height("0") + 4
	}
	stepX, stepY := yw+plotW+12, head+plotH+xh+8
	left := pad + label.Height("0") + 5
	width := max(left+vg.Length(cols)*stepX-12+pad+4, 225)
	block := titleBlock{width: width - 2*pad, title: ch.title, subtitle: ch.subtitle}
	legend, legendHeight := ch.legend(width - 2*pad)
	top := pad + block.height() + legendHeight
	height := top + vg.Length(rows)*stepY - 8 + label.Height("0") + 7 + pad

	return Figure{Name: name, Title: ch.title, Width: width, Height: height, draw: func(c draw.Canvas) {
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
			ch.drawPanel(c, p, box(x0, y1-plotH, x0+plotW, y1), turned, slope)
		}
		put(c, label, c.Min.X+left+yw+(vg.Length(cols)*stepX-12-yw)/2, c.Min.Y+pad, 0, -1, ch.x.label)
		s := label
		s.Rotation = math.Pi / 2
		put(c, s, c.Min.X+left-5, gridTop-head-(vg.Length(rows)*stepY-8-head-xh)/2, 0, -1, ch.ylabel)
	}}
}

// legend lays the entries out in lines of a width.
func (ch chart) legend(width vg.Length) (func(c draw.Canvas, x, y vg.Length), vg.Length) {
	tick := style(sizeTick, false, ink)
	type entry struct {
		label string
		index int
		row   int
		x     vg.Length
	}
	var entries []entry
	for i, l := range ch.labels {
		entries = append(entries, entry{label: l, index: i})
	}
	if ch.level != "" {
		entries = append(entries, entry{label: ch.level, index: -1})
	}
	if len(entries) < 2 && ch.level == "" {
		return func(draw.Canvas, vg.Length, vg.Length) {}, 0
	}
	x, row := vg.Length(0), 0
	for i := range entries {
		w := 24 + tick.Width(entries[i].label) + 12
		if x > 0 && x+w-12 > width {
			x, row = 0, row+1
		}
		entries[i].x, entries[i].row = x, row
		x += w
	}
	const rowHeight = 13
	return func(c draw.Canvas, x, y vg.Length) {
		for _, e := range entries {
			cy := y - vg.Length(e.row)*rowHeight - rowHeight/2
			if e.index < 0 {
				dashed(c, x+e.x, x+e.x+20, cy)
			} else {
				clr := series[e.index%len(series)]
				if ch.connect {
					stroke(c, 1.1, clr, vg.Point{X: x + e.x, Y: cy}, vg.Point{X: x + e.x + 20, Y: cy})
				}
				mark(c, e.index, x+e.x+10, cy)
			}
			put(c, tick, x+e.x+24, cy, -1, 0, e.label)
		}
	}, vg.Length(row+1)*rowHeight + 5
}

func dashed(c draw.Canvas, x0, x1, y vg.Length) {
	c.SetColor(ink)
	c.SetLineWidth(0.8)
	c.SetLineDash([]vg.Length{4, 2.5}, 0)
	var p vg.Path
	p.Move(vg.Point{X: x0, Y: y})
	p.Line(vg.Point{X: x1, Y: y})
	c.Stroke(p)
	c.SetLineDash(nil, 0)
}

func (ch chart) drawPanel(c draw.Canvas, p chartPanel, r vg.Rectangle, turned bool, slope float64) {
	tick := style(sizeTick, false, ink)
	px := func(v float64) vg.Length { return r.Min.X + vg.Length(ch.x.norm(v))*(r.Max.X-r.Min.X) }
	py := func(v float64) vg.Length {
		return r.Min.Y + vg.Length(min(max(p.y.norm(v), 0), 1))*(r.Max.Y-r.Min.Y)
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
		if p.level.lo <= p.level.hi {
			fill(c, box(r.Min.X, py(p.level.lo), r.Max.X, py(p.level.hi)), color.NRGBA{0, 0, 0, 18})
		}
		dashed(c, r.Min.X, r.Max.X, py(p.level.y))
	}
	stroke(c, 0.6, ink, vg.Point{X: r.Min.X, Y: r.Max.Y}, r.Min, vg.Point{X: r.Max.X, Y: r.Min.Y})
	for i, l := range p.lines {
		clr := series[i%len(series)]
		// Neighbouring intervals would hide each other at the same place.
		shift := (vg.Length(i) - vg.Length(len(p.lines)-1)/2) * min(2.4, 14/vg.Length(len(p.lines)))
		var path []vg.Point
		flush := func() {
			if len(path) > 1 && ch.connect {
				stroke(c, 1.1, clr, path...)
			}
			path = nil
		}
		for _, q := range l.points {
			if math.IsNaN(q.y) {
				flush() // a gap, not a bridge over what was not measured
				continue
			}
			path = append(path, vg.Point{X: px(q.x) + shift, Y: py(q.y)})
		}
		flush()
		for _, q := range l.points {
			if math.IsNaN(q.y) {
				continue
			}
			x := px(q.x) + shift
			if q.lo <= q.hi {
				stroke(c, 0.7, clr, vg.Point{X: x, Y: py(q.lo)}, vg.Point{X: x, Y: py(q.hi)})
				for _, e := range []float64{q.lo, q.hi} {
					stroke(c, 0.7, clr, vg.Point{X: x - 1.5, Y: py(e)}, vg.Point{X: x + 1.5, Y: py(e)})
				}
			}
			mark(c, i, x, py(q.y))
		}
		for _, at := range l.ends {
			x, y := px(at)+shift, r.Max.Y-4
			for _, d := range []vg.Length{-1, 1} {
				stroke(c, 1.2, clr, vg.Point{X: x - 2.6, Y: y - 2.6*d}, vg.Point{X: x + 2.6, Y: y + 2.6*d})
			}
		}
	}
}

// mark draws the mark of the i-th series: shapes differ as well as colours.
func mark(c draw.Canvas, i int, x, y vg.Length) {
	clr := series[i%len(series)]
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
	switch i % 6 {
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

// yAxis fits an axis around what panels show.
func yAxis(points bool, panels ...chartPanel) axis {
	lo, hi := math.Inf(1), math.Inf(-1)
	see := func(q point) {
		for _, v := range []float64{q.y, q.lo, q.hi} {
			if !math.IsNaN(v) {
				lo, hi = min(lo, v), max(hi, v)
			}
		}
	}
	for _, p := range panels {
		for _, l := range p.lines {
			for _, q := range l.points {
				see(q)
			}
		}
		if p.level != nil {
			see(*p.level)
		}
	}
	if !(lo <= hi) {
		lo, hi = 0, 1
		if points {
			hi = 100
		}
	}
	room := (hi - lo) * 0.06
	if room == 0 {
		room = max(math.Abs(hi)*0.1, 1e-6)
	}
	if points {
		room = max(room, 1)
	}
	a := axis{lo: lo - room, hi: hi + room}
	if lo >= 0 {
		a.lo = max(a.lo, 0)
	}
	if lo >= 0 && lo < 0.35*hi {
		a.lo = 0
	}
	if points {
		a.hi = min(a.hi, 102)
	}
	for _, v := range niceTicks(a.lo, min(a.hi, orInf(points)), 4) {
		a.ticks = append(a.ticks, tickMark{v, strconv.FormatFloat(v, 'g', 6, 64)})
	}
	return a
}

func orInf(points bool) float64 {
	if points {
		return 100
	}
	return math.Inf(1)
}

// Curves draws a measure against the budget: one panel for each task and average, one line for each kernel and
// pooling, 95 % intervals as bars, the full cache as a dashed level with its interval as a band.
func Curves(set results.Set, m results.Measure) ([]Figure, error) {
	var figures []Figure
	for _, c := range curves(set, m) {
		figures = append(figures, c.chart.figure(fileName("curve", m.Name, c.suffix)))
	}
	if figures == nil {
		return nil, fmt.Errorf("curves of %s: %w: they need variants with a budget", m.Name, ErrNothing)
	}
	return figures, nil
}

type curveChart struct {
	suffix string
	chart  chart
}

func curves(set results.Set, m results.Measure) []curveChart {
	var list []curveChart
	tables := results.Means(set, m)
	for i, g := range groups(set, m, func(*results.Row) bool { return true }, false) {
		kinds, budgets, full := g.kindsAndBudgets()
		if len(budgets) < 2 {
			continue // one point is no curve
		}
		t := tables[i]
		ch := chart{title: barTitle(m) + " by budget", subtitle: g.subtitle, ylabel: barTitle(m), connect: true}
		ch.x, _ = budgetAxis(budgets)
		for _, k := range kinds {
			ch.labels = append(ch.labels, k.label)
		}
		at := func(b string) float64 { _, f := budgetAxis(budgets); return f(b) }
		if full != "" {
			ch.level = "full cache"
		}
		toPoint := func(x float64, c results.Cell) point {
			if c.N == 0 {
				return point{x, math.NaN(), math.NaN(), math.NaN()}
			}
			return point{x, scale(m) * c.Mean, scale(m) * c.Lo, scale(m) * c.Hi}
		}
		for _, l := range t.Lines {
			p := chartPanel{title: l.Name}
			for _, k := range kinds {
				ln := line{label: k.label}
				for _, b := range budgets {
					v, ok := k.variants[b]
					idx := slices.Index(t.Variants, v)
					if !ok || idx < 0 {
						ln.points = append(ln.points, point{at(b), math.NaN(), math.NaN(), math.NaN()})
						continue
					}
					ln.points = append(ln.points, toPoint(at(b), l.Cells[idx]))
				}
				p.lines = append(p.lines, ln)
			}
			if idx := slices.Index(t.Variants, full); idx >= 0 && full != "" {
				q := toPoint(0, l.Cells[idx])
				p.level = &q
			}
			p.y = yAxis(m.Points, p)
			ch.panels = append(ch.panels, p)
		}
		list = append(list, curveChart{g.suffix, ch})
	}
	return list
}

// budgetAxis places budgets: tokens by their logarithm, shares by their value, and a mixture side by side.
func budgetAxis(budgets []string) (axis, func(string) float64) {
	values := map[string]float64{}
	shares, tokens := 0, 0
	for _, b := range budgets {
		if s, ok := strings.CutSuffix(b, "%"); ok {
			if v, err := strconv.ParseFloat(s, 64); err == nil {
				values[b], shares = v, shares+1
			}
		} else if v, err := strconv.ParseFloat(b, 64); err == nil && v > 0 {
			values[b], tokens = v, tokens+1
		}
	}
	a := axis{label: "Budget (" + budgetUnit(budgets) + ")"}
	if tokens != len(budgets) && shares != len(budgets) {
		for i, b := range budgets {
			values[b] = float64(i)
		}
	}
	lo, hi := math.Inf(1), math.Inf(-1)
	for _, b := range budgets {
		lo, hi = min(lo, values[b]), max(hi, values[b])
		a.ticks = append(a.ticks, tickMark{values[b], budgetName(b)})
	}
	if tokens == len(budgets) {
		a.log = true
		span := math.Pow(hi/lo, 0.07)
		a.lo, a.hi = lo/span, hi*span
	} else {
		room := max((hi-lo)*0.07, 0.5)
		a.lo, a.hi = lo-room, hi+room
	}
	return a, func(b string) float64 { return values[b] }
}

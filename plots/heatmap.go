package plots

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/snapbench/snapbench/results"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// panel is one grid of a heat map. Values are by row, top row first; NaN is missing and drawn as such, never as zero.
type panel struct {
	title  string
	xs, ys []string
	values [][]float64
	// side is a column apart, one tall cell over all rows: the full cache, which has no kernel to vary.
	side      string
	sideValue float64
	breaks    []int // a wider gap above these rows
	blank     bool  // an empty place in the layout
}

// heat is a heat map: panels over one scale.
type heat struct {
	title          string
	subtitle       string
	xlabel, ylabel string
	bar            string // what the colours are, with unit
	lo, hi         float64
	digits         int // decimals in cells
	panels         []panel
	columns        int // panels beside each other
}

const (
	cellHeight = 25
	gap        = 7 // between the grid and the side column, and at breaks
	pad        = 6
	barWidth   = 11
)

// figure lays the map out around its cells.
func (h heat) figure(name string) Figure {
	tick, label := style(sizeTick, false, ink), style(sizeLabel, false, ink)
	small := style(sizeTick, true, ink)
	nx, ny, breaks := 0, 0, 0
	side := false
	var xs, ys []string
	for _, p := range h.panels {
		nx, ny, breaks = max(nx, len(p.xs)), max(ny, len(p.ys)), max(breaks, len(p.breaks))
		side = side || p.side != ""
		xs, ys = append(xs, p.xs...), append(ys, p.ys...)
		if p.side != "" {
			xs = append(xs, p.side)
		}
	}
	cell := style(sizeCell, false, ink)
	numbers := cell.Width(strconv.FormatFloat(-h.hi, 'f', h.digits, 64))
	cellWidth := max(vg.Length(34), numbers+10)
	turned := widest(tick, xs) > cellWidth-3
	if turned && widest(tick, xs) < 52 && nx <= 8 {
		cellWidth, turned = widest(tick, xs)+4, false // a little wider reads better than turned
	}
	if len(h.panels) == 1 && nx*int(cellWidth) < 170 {
		cellWidth = max(cellWidth, min(60, 170/vg.Length(nx))) // a small grid need not be tiny
	}
	const slope = 38 * math.Pi / 180
	xh := tick.Height("0") + 3
	overhang := vg.Length(0)
	if turned {
		xh = widest(tick, xs)*vg.Length(math.Sin(slope)) + tick.Height("0")*vg.Length(math.Cos(slope)) + 4
		overhang = max(widest(tick, xs[:1])*vg.Length(math.Cos(slope))-cellWidth/2, 0)
	}
	yw := widest(tick, ys) + 5
	gridWidth := vg.Length(nx) * cellWidth
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
		if w := small.Width(p.title) + 4; w > gridWidth+yw && len(h.panels) > 1 {
			gridWidth = w - yw
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
	width := max(pad+ylab+vg.Length(cols)*stepX-12+right, 225)
	heading := titleBlock{width: width - 2*pad, title: h.title, subtitle: h.subtitle}
	top := pad + heading.height()
	barHeight := max(vg.Length(rows)*stepY-head-xh-10, 70)
	height := top + max(vg.Length(rows)*stepY-10, head+barHeight) + xlab + pad

	return Figure{Name: name, Title: h.title, Width: width, Height: height, draw: func(c draw.Canvas) {
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
			h.drawPanel(c, p, x0, y0, cellWidth, turned, slope)
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
	// Numbers after all cells: a neighbour's overlap must not cut them.
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

// drawCell fills a cell and a third of a point beyond its right and lower edge, where the next cell covers it: without
// the overlap, viewers show hairlines between neighbours.
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
		return "100" // "100.0" says no more
	}
	s := strconv.FormatFloat(v, 'f', h.digits, 64)
	if strings.HasPrefix(s, "-") && strings.Trim(s, "-0.") == "" {
		s = s[1:]
	}
	return s
}

// drawBar draws the colour scale with its top at y.
func (h heat) drawBar(c draw.Canvas, x, y, height vg.Length) {
	tick, label := style(sizeTick, false, ink), style(sizeLabel, false, ink)
	for i := range rampSteps {
		y0 := y - height + height*vg.Length(i)/rampSteps
		y1 := y - height + height*vg.Length(i+1)/rampSteps + 0.35
		fill(c, box(x, y0, x+barWidth, min(y1, y)), ramp[i])
	}
	width := vg.Length(0)
	for _, v := range niceTicks(h.lo, h.hi, 5) {
		ty := y - height
		if h.hi > h.lo {
			ty += height * vg.Length((v-h.lo)/(h.hi-h.lo))
		}
		stroke(c, 0.5, ink, vg.Point{X: x + barWidth, Y: ty}, vg.Point{X: x + barWidth + 2.5, Y: ty})
		s := strconv.FormatFloat(v, 'g', 6, 64)
		put(c, tick, x+barWidth+4, ty, -1, 0, s)
		width = max(width, tick.Width(s))
	}
	s := label
	s.Rotation = math.Pi / 2
	put(c, s, x+barWidth+4+width+6+label.Height("0"), y-height/2, 0, -1, h.bar)
}

// niceTicks gives round values within lo to hi, about n of them.
func niceTicks(lo, hi float64, n int) []float64 {
	if !(hi > lo) {
		return []float64{lo}
	}
	raw := (hi - lo) / float64(n)
	mag := math.Pow(10, math.Floor(math.Log10(raw)))
	step := 10 * mag
	for _, m := range []float64{1, 2, 2.5, 5} {
		if m*mag >= raw*0.999 {
			step = m * mag
			break
		}
	}
	var ticks []float64
	for i := math.Ceil(lo/step - 1e-9); i*step <= hi+1e-9*step; i++ {
		v := i * step
		if v == 0 {
			v = 0 // not -0
		}
		ticks = append(ticks, v)
	}
	return ticks
}

// setScale takes 0 to 100 for points, or with zoom the round numbers around what is there, and for other measures what
// is there from 0; and the decimals that the cells need.
func (h *heat) setScale(points, zoom bool) {
	h.lo, h.hi = math.Inf(1), math.Inf(-1)
	whole := true
	see := func(v float64) {
		if math.IsNaN(v) {
			return
		}
		h.lo, h.hi = min(h.lo, v), max(h.hi, v)
		whole = whole && math.Abs(v-math.Round(v)) < 1e-9
	}
	for _, p := range h.panels {
		for _, row := range p.values {
			for _, v := range row {
				see(v)
			}
		}
		if p.side != "" {
			see(p.sideValue)
		}
	}
	if !whole {
		h.digits = 1
	}
	if points {
		lo, hi := h.lo, h.hi
		h.lo, h.hi = 0, 100
		if zoom && hi-lo < 50 {
			step := 5.0
			if hi-lo > 20 {
				step = 10
			}
			h.lo, h.hi = max(0, step*math.Floor(lo/step)), min(100, step*math.Ceil(hi/step))
			if h.hi-h.lo < step {
				h.lo = max(0, h.hi-step)
				h.hi = h.lo + step
			}
		}
		return
	}
	if h.hi <= 0 || math.IsInf(h.hi, 0) {
		h.hi = max(h.hi, 0)
		if math.IsInf(h.hi, 0) {
			h.hi = 1
		}
	}
	h.lo = min(h.lo, 0)
	if h.hi == h.lo {
		h.hi = h.lo + 1
	}
	h.digits = max(0, 2-int(math.Floor(math.Log10(h.hi))))
	if h.digits > 4 {
		h.digits = 4
	}
}

// titleBlock is a figure's title and, in lighter type, what it is about.
type titleBlock struct {
	width           vg.Length
	title, subtitle string
}

func (b titleBlock) lines() (title, subtitle []string) {
	return wrap(style(sizeTitle, true, ink), b.title, b.width), wrap(style(sizeTick, false, grey), b.subtitle, b.width)
}

func (b titleBlock) height() vg.Length {
	t, s := b.lines()
	if len(t)+len(s) == 0 {
		return 0
	}
	return vg.Length(len(t))*(sizeTitle+3.5) + vg.Length(len(s))*(sizeTick+3) + 6
}

// draw writes the block with its upper left corner at a point.
func (b titleBlock) draw(c draw.Canvas, x, y vg.Length) {
	t, s := b.lines()
	for _, line := range t {
		put(c, style(sizeTitle, true, ink), x, y, -1, +1, line)
		y -= sizeTitle + 3.5
	}
	for _, line := range s {
		put(c, style(sizeTick, false, grey), x, y, -1, +1, line)
		y -= sizeTick + 3
	}
}

// wrap breaks a title at spaces so that each line fits.
func wrap(s interface{ Width(string) vg.Length }, str string, width vg.Length) []string {
	if str == "" {
		return nil
	}
	var lines []string
	line := ""
	for _, w := range strings.Fields(str) {
		if line != "" && s.Width(line+" "+w) > width {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += w
	}
	return append(lines, line)
}

// ErrNothing says that a set has no rows for a picture.
var ErrNothing = errors.New("no rows for this picture")

// scale is 100 for measures shown as points.
func scale(m results.Measure) float64 {
	if m.Points {
		return 100
	}
	return 1
}

func barTitle(m results.Measure) string {
	if m.Points {
		return strings.ToUpper(m.Title[:1]) + m.Title[1:] + " (0–100)"
	}
	return strings.ToUpper(m.Title[:1]) + m.Title[1:]
}

// NeedleMap draws a needle test: prompt length across, depth down with the start of the prompt on top, the mean over
// trials in the cells. For every task and subject it makes one figure for each variant and one with all of them, all
// over the same scale.
func NeedleMap(set results.Set, m results.Measure) ([]Figure, error) {
	var figures []Figure
	for _, g := range groups(set, m, func(r *results.Row) bool { return r.Depth != nil && r.Length != nil }, true) {
		maps, variants := needleHeats(set, g, m)
		all := maps[0]
		all.panels = nil
		for i, h := range maps {
			p := h.panels[0]
			figures = append(figures, h.figure(fileName("needle", m.Name, g.suffix, variants[i])))
			all.panels = append(all.panels, p)
		}
		if len(maps) > 1 {
			all.title = g.title
			all.panels, all.columns = g.arrange(variants, all.panels)
			figures = append(figures, all.figure(fileName("needle", m.Name, g.suffix, "all")))
		}
	}
	if figures == nil {
		return nil, fmt.Errorf("needle map of %s: %w: it needs rows with length and depth", m.Name, ErrNothing)
	}
	return figures, nil
}

func needleHeats(set results.Set, g group, m results.Measure) (maps []heat, variants []string) {
	lengths := distinct(g.rows, func(r *results.Row) int { return *r.Length })
	depths := distinct(g.rows, func(r *results.Row) float64 { return *r.Depth })
	for _, v := range g.variants {
		p := panel{}
		for _, n := range lengths {
			p.xs = append(p.xs, Tokens(n))
		}
		for _, d := range depths {
			p.ys = append(p.ys, strconv.FormatFloat(math.Round(10*d)/10, 'f', -1, 64))
			row := make([]float64, len(lengths))
			for k, n := range lengths {
				row[k] = scale(m) * meanOf(g.rows, m, func(r *results.Row) bool { return r.Variant == v && *r.Length == n && *r.Depth == d })
			}
			p.values = append(p.values, row)
		}
		h := heat{
			title: g.title + ", " + g.labels[v], subtitle: g.subtitle, xlabel: "Prompt length (tokens)", ylabel: "Needle depth (%)", bar: barTitle(m),
			panels: []panel{p}, columns: 1,
		}
		maps, variants = append(maps, h), append(variants, v)
	}
	// One scale for all.
	all := heat{}
	for _, h := range maps {
		all.panels = append(all.panels, h.panels...)
	}
	all.setScale(m.Points, false)
	for i := range maps {
		maps[i].lo, maps[i].hi, maps[i].digits = all.lo, all.hi, all.digits
	}
	return maps, variants
}

// arrange puts the panels of all variants into rows: the full cache first, then one row for each kernel and pooling
// with the budgets side by side; or, where variants do not make such a grid, one after the other.
func (g group) arrange(variants []string, panels []panel) ([]panel, int) {
	of := map[string]panel{}
	for i, v := range variants {
		panels[i].title = g.labels[v]
		of[v] = panels[i]
	}
	kinds, budgets, full := g.kindsAndBudgets()
	n := len(budgets)
	if n < 2 || n > 6 || len(variants) < 6 {
		columns := len(panels)
		if columns > 4 {
			columns = int(math.Ceil(math.Sqrt(float64(columns))))
		}
		return panels, columns
	}
	var list []panel
	if full != "" {
		list = append(list, of[full])
		for range n - 1 {
			list = append(list, panel{blank: true})
		}
	}
	for _, k := range kinds {
		for _, b := range budgets {
			p, ok := of[k.variants[b]]
			p.blank = !ok
			list = append(list, p)
		}
	}
	return list, n
}

// BudgetMap draws accuracy by budget (across, in tokens or shares of the prompt) and by what else variants differ in,
// such as kernel and pooling (down). The full cache, which has none of these, is a column of its own. Several tasks are
// averaged, each weighing the same.
func BudgetMap(set results.Set, m results.Measure) ([]Figure, error) {
	var figures []Figure
	for _, g := range groups(set, m, func(*results.Row) bool { return true }, false) {
		if h, ok := budgetHeat(g, m); ok {
			figures = append(figures, h.figure(fileName("budget", m.Name, g.suffix)))
		}
	}
	if figures == nil {
		return nil, fmt.Errorf("budget map of %s: %w: it needs variants with a budget", m.Name, ErrNothing)
	}
	return figures, nil
}

func budgetHeat(g group, m results.Measure) (heat, bool) {
	kinds, budgets, full := g.kindsAndBudgets()
	if len(budgets) == 0 {
		return heat{}, false
	}
	p := panel{sideValue: math.NaN()}
	for _, b := range budgets {
		p.xs = append(p.xs, budgetName(b))
	}
	for _, k := range kinds {
		p.ys = append(p.ys, k.label)
		row := make([]float64, len(budgets))
		for i, b := range budgets {
			row[i] = scale(m) * g.average(m, k.variants[b])
		}
		p.values = append(p.values, row)
	}
	if full != "" {
		p.side, p.sideValue = "full", scale(m)*g.average(m, full)
	}
	h := heat{
		title: g.title, subtitle: g.subtitle, xlabel: "Budget (" + budgetUnit(budgets) + ")", ylabel: kinds[0].axis, bar: barTitle(m),
		panels: []panel{p}, columns: 1,
	}
	h.setScale(m.Points, len(g.tasks) > 1)
	return h, true
}

// TaskMap draws tasks and their averages (down) by variants (across).
func TaskMap(set results.Set, m results.Measure) ([]Figure, error) {
	var figures []Figure
	subjects, _ := results.Subjects(set.Rows)
	for i, t := range results.Means(set, m) {
		h := taskHeat(t)
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
	value := func(c results.Cell) float64 {
		if c.N == 0 {
			return math.NaN()
		}
		return scale(t.Measure) * c.Mean
	}
	var p panel
	h := heat{title: "Tasks and variants", subtitle: t.Title, xlabel: "Variant", bar: barTitle(t.Measure), columns: 1}
	if len(t.Variants) > len(t.Lines)+2 { // a needle sweep: variants down
		h.xlabel, h.ylabel = "", "Variant"
		p.ys = t.Labels
		for _, l := range t.Lines {
			p.xs = append(p.xs, l.Name)
		}
		for k := range t.Variants {
			row := make([]float64, len(t.Lines))
			for i, l := range t.Lines {
				row[i] = value(l.Cells[k])
			}
			p.values = append(p.values, row)
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
			row := make([]float64, len(l.Cells))
			for k, c := range l.Cells {
				row[k] = value(c)
			}
			p.values = append(p.values, row)
		}
	}
	h.panels = []panel{p}
	h.setScale(t.Measure.Points, true)
	return h
}

// group is the rows of one figure: one subject, and for needle maps one task.
type group struct {
	title    string
	subtitle string
	suffix   string // of file names, empty where there is only one
	rows     []results.Row
	variants []string // in order
	labels   map[string]string
	tasks    []string
}

func groups(set results.Set, m results.Measure, use func(*results.Row) bool, byTask bool) []group {
	subjects, parts := results.Subjects(set.Rows)
	var list []group
	for i, rows := range parts {
		var kept []results.Row
		any := false
		for _, r := range rows {
			if use(&r) {
				kept = append(kept, r)
				any = any || m.Of(&r) != nil
			}
		}
		if !any {
			continue
		}
		set.Run.Sort(kept)
		tasks := distinctInOrder(kept, func(r *results.Row) string { return r.Task })
		slices.SortStableFunc(tasks, orderOf(set.Run.Tasks))
		suffix := ""
		if len(parts) > 1 {
			suffix = fmt.Sprint(i + 1)
		}
		each := [][]string{tasks}
		if byTask {
			each = nil
			for _, t := range tasks {
				each = append(each, []string{t})
			}
		}
		for _, tasks := range each {
			g := group{tasks: tasks, suffix: suffix}
			for _, r := range kept {
				if slices.Contains(tasks, r.Task) {
					g.rows = append(g.rows, r)
				}
			}
			g.labels = results.Labels(g.rows)
			g.variants = distinctInOrder(g.rows, func(r *results.Row) string { return r.Variant })
			slices.SortStableFunc(g.variants, orderOf(set.Run.Variants))
			what := tasks[0]
			if len(tasks) > 1 {
				what = fmt.Sprintf("Average of %d tasks", len(tasks))
			}
			g.title, g.subtitle = what, subjects[i].String()
			if byTask && len(each) > 1 {
				g.suffix = fileName(g.suffix, tasks[0])
			}
			list = append(list, g)
		}
	}
	return list
}

// orderOf keeps names of a list in its order and lets the others follow as they come.
func orderOf(names []string) func(a, b string) int {
	at := func(s string) int {
		if i := slices.Index(names, s); i >= 0 {
			return i
		}
		return len(names)
	}
	return func(a, b string) int { return cmp.Compare(at(a), at(b)) }
}

func distinct[T cmp.Ordered](rows []results.Row, of func(*results.Row) T) []T {
	list := distinctInOrder(rows, of)
	slices.Sort(list)
	return list
}

func distinctInOrder[T comparable](rows []results.Row, of func(*results.Row) T) []T {
	seen := map[T]bool{}
	var list []T
	for i := range rows {
		if v := of(&rows[i]); !seen[v] {
			seen[v] = true
			list = append(list, v)
		}
	}
	return list
}

func meanOf(rows []results.Row, m results.Measure, use func(*results.Row) bool) float64 {
	sum, n := 0.0, 0
	for i := range rows {
		if use(&rows[i]) {
			if v := m.Of(&rows[i]); v != nil {
				sum, n = sum+*v, n+1
			}
		}
	}
	if n == 0 {
		return math.NaN()
	}
	return sum / float64(n)
}

// average is a variant's mean over tasks, NaN where a task has no number.
func (g group) average(m results.Measure, variant string) float64 {
	if variant == "" {
		return math.NaN()
	}
	sum := 0.0
	for _, task := range g.tasks {
		sum += meanOf(g.rows, m, func(r *results.Row) bool { return r.Variant == variant && r.Task == task })
	}
	return sum / float64(len(g.tasks))
}

// budgetKind is a line of a budget map or of a curve: variants that differ in the budget alone.
type budgetKind struct {
	label    string
	axis     string            // what the labels of all kinds name
	variants map[string]string // budget → variant
}

// kindsAndBudgets splits the variants of a group by what they differ in besides the budget.
func (g group) kindsAndBudgets() (kinds []budgetKind, budgets []string, full string) {
	number := func(prefix string, p *int) string {
		if p == nil {
			return ""
		}
		return fmt.Sprint(prefix, *p)
	}
	parts := []struct {
		name string
		of   func(*results.Row) string
	}{
		{"policy", func(r *results.Row) string { return r.Policy }},
		{"window", func(r *results.Row) string { return number("w ", r.Window) }},
		{"kernel", func(r *results.Row) string { return number("k ", r.Kernel) }},
		{"pooling", func(r *results.Row) string { return r.Pooling }},
		{"grouping", func(r *results.Row) string { return r.GQA }},
	}
	first := map[string]*results.Row{}
	var rows []*results.Row
	for i := range g.rows {
		r := &g.rows[i]
		if first[r.Variant] != nil {
			continue
		}
		first[r.Variant] = r
		if r.Policy == "full" {
			full = r.Variant
			continue
		}
		rows = append(rows, r)
	}
	slices.SortStableFunc(rows, func(a, b *results.Row) int {
		return cmp.Compare(slices.Index(g.variants, a.Variant), slices.Index(g.variants, b.Variant))
	})
	var used []int
	var axis []string
	for i, p := range parts {
		values := map[string]bool{}
		for _, r := range rows {
			values[p.of(r)] = true
		}
		if len(values) > 1 {
			used, axis = append(used, i), append(axis, p.name)
		}
	}
	if used == nil { // nothing differs: say what it is
		used, axis = []int{0, 2, 3}, []string{"policy"}
	}
	axisName := strings.Join(axis, ", ")
	axisName = strings.ToUpper(axisName[:1]) + axisName[1:]
	at := map[string]int{}
	for _, r := range rows {
		var words []string
		for _, i := range used {
			if w := parts[i].of(r); w != "" {
				words = append(words, w)
			}
		}
		label := strings.Join(words, ", ")
		k, ok := at[label]
		if ok {
			if _, taken := kinds[k].variants[r.Budget]; taken {
				// Two variants differ in something no column holds: each its own line.
				label = r.Variant
				ok = false
			}
		}
		if !ok {
			k = len(kinds)
			at[label] = k
			kinds = append(kinds, budgetKind{label: label, axis: axisName, variants: map[string]string{}})
		}
		kinds[k].variants[r.Budget] = r.Variant
		if !slices.Contains(budgets, r.Budget) {
			budgets = append(budgets, r.Budget)
		}
	}
	slices.SortStableFunc(budgets, func(a, b string) int {
		return cmp.Or(cmp.Compare(b2i(strings.HasSuffix(a, "%")), b2i(strings.HasSuffix(b, "%"))), results.Natural(a, b))
	})
	slices.SortStableFunc(kinds, func(a, b budgetKind) int { return results.Natural(a.label, b.label) })
	return kinds, budgets, full
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func budgetName(b string) string {
	if n, err := strconv.Atoi(b); err == nil {
		return Tokens(n)
	}
	return b
}

func budgetUnit(budgets []string) string {
	shares, tokens := false, false
	for _, b := range budgets {
		if strings.HasSuffix(b, "%") {
			shares = true
		} else {
			tokens = true
		}
	}
	switch {
	case shares && tokens:
		return "tokens or share of the prompt"
	case shares:
		return "share of the prompt"
	}
	return "tokens kept per head"
}

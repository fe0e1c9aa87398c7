package plots

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/snapbench/snapbench/results"
)

// Pace is how fast one variant decodes, and in how much memory, as measured alone.
type Pace struct {
	Model, Variant  string
	Length, Batch   int // prompts of so many tokens, so many together
	TokensPerSecond float64
	PeakBytes       int64
	Unsteady        bool // its steps vary too much for a ratio
}

// Frontier draws what is gained for what is lost: a measure against the bytes of the cache and, where paces are of the
// same model and variants, against tokens per second. A grey line joins the variants that no other beats in both.
func Frontier(set results.Set, m results.Measure, paces []Pace) ([]Figure, error) {
	return frontiers(set, m, results.Means(set, m), paces)
}

func frontiers(set results.Set, m results.Measure, tables []results.Table, paces []Pace) ([]Figure, error) {
	var figures []Figure
	for i, g := range groups(set, m, func(*results.Row) bool { return true }, false) {
		f := frontierOf(set.Run, g, m, tables[i], paces)
		if ch, ok := f.overBytes(); ok {
			figures = append(figures, ch.figure(fileName("frontier", m.Name, g.suffix)))
		}
		if ch, ok := f.overPace(); ok {
			figures = append(figures, ch.figure(fileName("frontier_speed", m.Name, g.suffix)))
		}
	}
	if figures == nil {
		return nil, fmt.Errorf("frontier of %s: %w: it needs variants whose caches have bytes", m.Name, ErrNothing)
	}
	return figures, nil
}

// frontier is accuracy, memory and speed of the variants of one group.
type frontier struct {
	group
	measure results.Measure
	line    results.Line // of the only task, or the average
	table   results.Table
	bytes   map[string]float64 // mean over the samples of sharedBytes
	paces   map[string]Pace
	at      string // what paces were measured on
}

func frontierOf(run results.Run, g group, m results.Measure, t results.Table, paces []Pace) frontier {
	f := frontier{group: g, measure: m, table: t, line: t.Lines[len(t.Lines)-1], bytes: sharedBytes(g.rows)}
	prompt := math.NaN()
	for _, c := range results.Costs(run, g.rows) {
		prompt = c.PromptTokens
	}
	f.paces, f.at = g.choose(paces, prompt)
	return f
}

// sharedBytes is the mean size of each variant's caches over the samples of which every variant has one. A cache that fails on
// long prompts, as the full one does first, would be small by the mean of those that fit. Where no sample is shared it is
// over each variant's own.
func sharedBytes(rows []results.Row) map[string]float64 {
	type place struct{ task, sample string }
	have, variants := map[place]int{}, map[string]bool{}
	for i := range rows {
		if r := &rows[i]; r.CacheBytes != nil {
			have[place{r.Task, r.Sample}]++
			variants[r.Variant] = true
		}
	}
	shared := false
	for _, n := range have {
		shared = shared || n == len(variants)
	}
	sum, count := map[string]float64{}, map[string]float64{}
	for i := range rows {
		if r := &rows[i]; r.CacheBytes != nil && (!shared || have[place{r.Task, r.Sample}] == len(variants)) {
			sum[r.Variant] += float64(*r.CacheBytes)
			count[r.Variant]++
		}
	}
	for v := range sum {
		sum[v] /= count[v]
	}
	return sum
}

// choose takes, of all lengths and batches at which the group's variants were measured, those paces that say most: of
// the most variants, then at the length nearest to the prompts', then with the largest batch.
func (g group) choose(paces []Pace, prompt float64) (map[string]Pace, string) {
	type size struct{ length, batch int }
	of := map[size]map[string]Pace{}
	var sizes []size
	for _, p := range paces {
		if p.Model != g.rows[0].Model || !slices.Contains(g.variants, p.Variant) || !(p.TokensPerSecond > 0) {
			continue
		}
		s := size{p.Length, p.Batch}
		if of[s] == nil {
			of[s] = map[string]Pace{}
			sizes = append(sizes, s)
		}
		of[s][p.Variant] = p
	}
	if len(sizes) == 0 {
		return nil, ""
	}
	away := func(s size) float64 { return math.Abs(math.Log(float64(s.length) / prompt)) }
	best := slices.MinFunc(sizes, func(a, b size) int {
		return cmp.Or(cmp.Compare(len(of[b]), len(of[a])), cmp.Compare(away(a), away(b)), cmp.Compare(b.batch, a.batch))
	})
	return of[best], fmt.Sprintf("%d × %s tokens", best.batch, results.Tokens(best.length))
}

func (f frontier) overBytes() (chart, bool) {
	most := 0.0
	for _, b := range f.bytes {
		most = max(most, b)
	}
	unit, bytes := byteUnit(most)
	return f.chart("cache", "Cache ("+unit+")", func(v string) float64 {
		if b, ok := f.bytes[v]; ok {
			return b / bytes
		}
		return math.NaN()
	})
}

func (f frontier) overPace() (chart, bool) {
	ch, ok := f.chart("speed", "Tokens per second ("+f.at+")", func(v string) float64 {
		if p, ok := f.paces[v]; ok {
			return p.TokensPerSecond
		}
		return math.NaN()
	})
	ch.descending = true
	return ch, ok
}

func (f frontier) chart(over, label string, place func(variant string) float64) (chart, bool) {
	kinds, budgets, full := f.kindsAndBudgets()
	ch := chart{
		title: upper(f.measure.Title) + " for " + over, subtitle: joined(f.title+", "+f.subtitle, f.shared(kinds)), ylabel: barTitle(f.measure), front: true,
	}
	p := chartPanel{}
	var xs []float64
	add := func(l *line, variant, name string) {
		x, k := place(variant), slices.Index(f.table.Variants, variant)
		if math.IsNaN(x) || k < 0 || f.line.Cells[k].N == 0 {
			return
		}
		c := f.line.Cells[k]
		q := point{x: x, y: scale(f.measure) * c.Mean, lo: scale(f.measure) * c.Lo, hi: scale(f.measure) * c.Hi, name: name}
		q.spot = cellSpot(f.measure, f.line, c, f.labels[variant], variant)
		q.spot.fields = append(q.spot.fields, fieldsOf(label, plain(x))...)
		l.points, xs = append(l.points, q), append(xs, x)
	}
	for _, k := range kinds {
		l := line{label: k.label}
		for _, b := range budgets {
			if v, ok := k.variants[b]; ok {
				name := budgetName(b)
				if b == "full" || b == "" { // servers have none
					name = ""
				}
				add(&l, v, name)
			}
		}
		p.lines, ch.labels = append(p.lines, l), append(ch.labels, l.label)
	}
	if full != "" {
		l := line{label: strings.TrimPrefix(f.table.Against(), "the ")}
		add(&l, full, "")
		p.lines, ch.labels = append(p.lines, l), append(ch.labels, l.label)
	}
	ch.crossing = cross(kinds, full != "")
	slices.Sort(xs)
	if xs = slices.Compact(xs); len(xs) < 2 {
		return chart{}, false
	}
	lo, hi := xs[0], xs[len(xs)-1]
	if hi/lo >= 3 {
		span := math.Pow(hi/lo, 0.08)
		ch.x = axis{label: label, log: true, lo: lo / span, hi: hi * span}
		for _, v := range decades(ch.x.lo, ch.x.hi) {
			ch.x.ticks = append(ch.x.ticks, tickMark{v, plain(v)})
		}
	} else {
		ch.x = costAxis(label, lo, hi)
	}
	p.y = yAxis(f.measure.Points, p)
	if len(f.variants) > 10 { // too many to name: those on the line
		best := front(p.lines, over == "speed")
		for _, l := range p.lines {
			for i := range l.points {
				q := &l.points[i]
				if !slices.ContainsFunc(best, func(b point) bool { return b.x == q.x && b.y == q.y }) {
					q.name = ""
				}
			}
		}
	}
	ch.panels = []chartPanel{p}
	return ch, true
}

// grid is the frontier as a table: what each variant reaches, takes and saves.
func (f frontier) grid() results.Grid {
	g := results.Grid{Head: []string{"variant", f.measure.Title + ", " + f.line.Name, "drop", "cache", "cache, × full"}}
	if len(f.paces) > 0 {
		g.Head = append(g.Head, "tokens/s, "+f.at, "× full", "peak memory")
	}
	base, unsteady := f.paces[f.baseline], false
	for k, v := range f.table.Variants {
		c := f.line.Cells[k]
		score, drop, times := "n/a", "", "n/a"
		if c.N > 0 {
			score = results.Points(c.Mean)
			if c.Defined() {
				score += fmt.Sprintf(" [%.1f, %.1f]", 100*c.Lo, 100*c.Hi)
			}
		}
		if c.Drop != nil {
			drop = c.Drop.InPoints()
		}
		if f.table.Caches != nil {
			times = f.table.Caches[k].String()
		}
		bytes := math.NaN()
		if b, ok := f.bytes[v]; ok {
			bytes = b
		}
		row := []string{f.table.Labels[k], score, drop, results.Bytes(bytes), times}
		if len(f.paces) > 0 {
			pace, ratio, peak := "n/a", "n/a", "n/a"
			if p, ok := f.paces[v]; ok {
				pace, peak = results.Significant(p.TokensPerSecond, 3), results.Bytes(float64(p.PeakBytes))
				switch {
				case p.Unsteady || base.Unsteady:
					ratio, unsteady = "–", true
				case base.TokensPerSecond > 0:
					ratio = fmt.Sprintf("%.2f", p.TokensPerSecond/base.TokensPerSecond)
				}
			}
			row = append(row, pace, ratio, peak)
		}
		g.Rows, g.Strong = append(g.Rows, row), append(g.Strong, false)
	}
	g.Notes = []string{"score and drop in points with 95 % intervals, the drop paired by sample"}
	if unsteady {
		g.Notes = append(g.Notes, "–: decoding steps vary too much for a ratio")
	}
	return g
}

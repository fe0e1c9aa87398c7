package observe

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/plots"
	"github.com/snapbench/snapbench/results"
	"github.com/snapbench/snapbench/runners"
)

const (
	contentPanel = "content, without sinks"
	allPanel     = "all positions"
)

// Figures draws hit rates by layer and window, along the forced text, and what variants capture over their budgets.
func (r *Report) Figures() []plots.Figure {
	list := []plots.Figure{r.windowMap(), r.alongMap()}
	if len(r.Variants) > 0 {
		list = append(list, r.capturedMap())
	}
	return list
}

// windowMap is the paper's Fig. 2 as a map: layers down, windows across, the prompt's end on the right.
func (r *Report) windowMap() plots.Figure {
	windows := 0
	for _, s := range r.seen() {
		windows = max(windows, len(s.Seen.Layers[0].Hits))
	}
	var grids []plots.Grid
	for _, content := range []bool{true, false} {
		g := plots.Grid{Title: allPanel}
		if content {
			g.Title = contentPanel
		}
		for back := windows - 1; back >= 0; back-- {
			g.Xs = append(g.Xs, fmt.Sprint(back))
		}
		for layer := range r.layers() {
			g.Ys = append(g.Ys, fmt.Sprint(layer))
			var row []float64
			for back := windows - 1; back >= 0; back-- {
				row = append(row, 100*r.over(layer, few, windowRate(back, content)).Mean)
			}
			g.Values = append(g.Values, row)
		}
		grids = append(grids, g)
	}
	return plots.Grids("observe_windows", "Hit rate by layer and window: does the prompt show what the answer will attend to?",
		fmt.Sprintf("%s. After arXiv 2404.14469v2 §3, Fig. 2; n/a: fewer than %d attentions count", r.about(), few),
		fmt.Sprintf("Windows of %d tokens between this one and the prompt's end", r.Settings.Window), "Layer", "Hit rate (%)", grids)
}

// alongMap is the paper's Fig. 3: the last window's hit rate, a line for each quarter of the forced text.
func (r *Report) alongMap() plots.Figure {
	var points []plots.Point
	chance := 0.0
	for _, s := range r.seen() {
		chance += 100 * float64(s.Seen.Vote) / float64(s.Seen.Tokens) / float64(len(r.seen()))
	}
	for _, content := range []bool{true, false} {
		panel := allPanel
		if content {
			panel = contentPanel
		}
		for g := range 4 {
			for layer := range r.layers() {
				y := 100 * r.over(layer, few, quarterRate(g, content)).Mean
				points = append(points, plots.Point{Panel: panel, Series: fmt.Sprintf("quarter %d", g+1), X: float64(layer), Y: y, Lo: y, Hi: y})
			}
		}
		for layer := range r.layers() {
			points = append(points, plots.Point{Panel: panel, Series: "chance", X: float64(layer), Y: chance, Lo: chance, Hi: chance})
		}
	}
	return plots.Lines("observe_along", "Hit rate along the answer: does the prompt's last window stay right?",
		fmt.Sprintf("%s. After arXiv 2404.14469v2 §3, Fig. 3; points of fewer than %d attentions are left out", r.about(), few),
		"Layer", "Hit rate (%)", points)
}

// capturedMap shows what each variant captures over the positions that it keeps, between the stream and the oracle of
// those sizes.
func (r *Report) capturedMap() plots.Figure {
	var rows []results.Row
	for _, name := range r.Variants {
		if v, err := compress.Parse(name); err == nil {
			rows = append(rows, runners.RowOf(v))
		}
	}
	slices.SortStableFunc(rows, func(a, b results.Row) int { return cmp.Compare(r.capacity(a.Variant), r.capacity(b.Variant)) })
	traits := results.TraitsOf(rows)
	var points []plots.Point
	for _, content := range []bool{true, false} {
		panel, captured, oracle, stream := allPanel, func(s Summary) Share { return s.Captured }, func(s Summary) Share { return s.Oracle }, func(s Summary) Share { return s.Stream }
		if content {
			panel, captured, oracle, stream = contentPanel, func(s Summary) Share { return s.Content }, func(s Summary) Share { return s.ContentOracle }, func(s Summary) Share { return s.ContentStream }
		}
		var bounds []plots.Point
		bounded := map[float64]bool{}
		for _, row := range rows {
			label := strings.Join(traits.Words(&row), ", ")
			if label == "" {
				label = row.Policy
			}
			x := r.capacity(row.Variant)
			at := func(series string, of func(Summary) Share) plots.Point {
				iv := r.variant(row.Variant, of)
				return plots.Point{Panel: panel, Series: series, X: x, Y: 100 * iv.Mean, Lo: 100 * iv.Lo, Hi: 100 * iv.Hi}
			}
			points = append(points, at(label, captured))
			if !bounded[x] { // variants of one size differ little in what could be kept
				bounded[x] = true
				bounds = append(bounds, at("best set of that size (oracle)", oracle), at("first 4 and last", stream))
			}
		}
		points = append(points, bounds...)
	}
	return plots.Lines("observe_captured", "Attention of the answer that falls on the positions kept",
		r.about()+". "+Warning, "Positions kept (tokens per head)", "Attention captured (%)", points)
}

// capacity is the mean number of positions that a variant keeps in its largest heads.
func (r *Report) capacity(variant string) float64 {
	sum := 0.0
	for _, s := range r.seen() {
		sum += float64(s.Seen.Variants[variant].Cap)
	}
	return sum / float64(len(r.seen()))
}

package plots

import (
	"fmt"
	"html/template"
	"regexp"
	"slices"
	"strings"

	"github.com/snapbench/snapbench/results"
)

type reportSection struct {
	ID, Title string
	Blocks    []reportBlock
}

// reportBlock is a heading with tables and pictures.
type reportBlock struct {
	Heading string
	Text    string
	Grids   []results.Grid
	Figures []template.HTML
}

func sectionOf(name string, n int, set results.Set) reportSection {
	s := reportSection{ID: fmt.Sprintf("part%d", n+1), Title: name}
	figure := func(list []Figure, err error) []template.HTML {
		var out []template.HTML
		if err != nil { // ErrNothing: this picture does not apply
			return nil
		}
		for _, f := range list {
			out = append(out, f.inline())
		}
		return out
	}
	measures := results.Measures()
	for _, m := range measures[:2] { // score, recalled
		tables := results.Tables(set, m)
		if len(tables) == 0 {
			continue
		}
		b := reportBlock{Heading: upper(m.Title)}
		for _, t := range tables {
			g := t.Grid()
			g.Title = ""
			b.Grids = append(b.Grids, g)
			if d, ok := t.DropGrid(); ok {
				d.Title = "Drop against " + t.Against()
				b.Grids = append(b.Grids, d)
			}
		}
		b.Figures = append(b.Figures, figure(BudgetMap(set, m))...)
		b.Figures = append(b.Figures, figure(Curves(set, m))...)
		b.Figures = append(b.Figures, figure(ByteCurves(set, m))...)
		b.Figures = append(b.Figures, figure(TimeCurves(set, m))...)
		if len(tables[0].Lines) > 1 {
			b.Figures = append(b.Figures, figure(TaskMap(set, m))...)
		}
		if maps, err := NeedleMap(set, m); err == nil {
			// The figure of all variants says what each one's own says.
			all := slices.DeleteFunc(slices.Clone(maps), func(f Figure) bool { return !strings.HasSuffix(f.Name, "_all") })
			if len(all) == 0 {
				all = maps
			}
			b.Figures = append(b.Figures, figure(all, nil)...)
		}
		s.Blocks = append(s.Blocks, b)
	}
	fidelity := reportBlock{Heading: "Fidelity", Text: "Each variant's next-token distribution against the baseline's (the full cache's, or the first server's), along the baseline's own greedy answer."}
	for _, m := range measures[2:] {
		for _, t := range results.Tables(set, m) {
			g := t.Grid()
			g.Title = upper(m.Title)
			fidelity.Grids = append(fidelity.Grids, g)
		}
		fidelity.Figures = append(fidelity.Figures, figure(BudgetMap(set, m))...)
		fidelity.Figures = append(fidelity.Figures, figure(Curves(set, m))...)
	}
	if g, ok := results.PartGrid(set.Run, set.Rows); ok {
		g.Title = "By place in the answer"
		fidelity.Grids = append(fidelity.Grids, g)
	}
	if len(fidelity.Grids) > 0 {
		s.Blocks = append(s.Blocks, fidelity)
	}
	speed := reportBlock{Heading: "Speed and memory"}
	if g, ok := results.CostGrid(set.Run, set.Rows); ok {
		speed.Grids = append(speed.Grids, g)
	}
	if g, ok := set.LoadGrid(set.Rows); ok {
		g.Title = "Throughput"
		speed.Grids = append(speed.Grids, g)
	}
	if len(speed.Grids) > 0 {
		s.Blocks = append(s.Blocks, speed)
	}
	s.Blocks = append(s.Blocks, auditBlock(set))
	return s
}

func auditBlock(set results.Set) reportBlock {
	b := reportBlock{Heading: "Audit"}
	measured := 0
	for i := range set.Rows {
		if set.Rows[i].KeptMean != nil {
			measured++
		}
	}
	broken := results.Failures(set.Rows, func(r *results.Row) string { return r.Audit })
	failed := results.Failures(set.Rows, func(r *results.Row) string { return r.Error })
	switch {
	case len(broken) > 0:
		b.Text = "Some caches are not what their budget says."
	case measured == 0:
		b.Text = "No row says what its cache kept."
	case measured < len(set.Rows):
		b.Text = fmt.Sprintf("All caches that were measured are what their budget says: %d of %d rows.", measured, len(set.Rows))
	default:
		b.Text = fmt.Sprintf("All %d caches are what their budget says.", measured)
	}
	for _, f := range []struct {
		title string
		list  []results.Failure
	}{{"Caches that are not what their budget says", broken}, {"Rows without a score", failed}} {
		if len(f.list) == 0 {
			continue
		}
		g := results.Grid{Title: f.title, Head: []string{"reason", "task", "variant", "rows"}}
		const most = 50
		for _, x := range f.list[:min(len(f.list), most)] {
			g.Rows, g.Strong = append(g.Rows, []string{x.Error, x.Task, x.Variant, fmt.Sprint(x.Rows)}), append(g.Strong, false)
		}
		if len(f.list) > most {
			g.Notes = []string{fmt.Sprintf("%d more lines are left out", len(f.list)-most)}
		}
		b.Grids = append(b.Grids, g)
	}
	return b
}

// inline is the figure as SVG for a page: its greys follow the page's theme, and it shrinks to the page's width.
func (f Figure) inline() template.HTML {
	s := string(f.SVG())
	if i := strings.Index(s, "<svg"); i >= 0 {
		s = s[i:]
	}
	s = svgComment.ReplaceAllString(s, "")
	s = themed.Replace(s)
	// The library draws with the y axis upwards and repeats that in every element; what matters is the frame.
	s = strings.Replace(s, "<svg", fmt.Sprintf(`<svg class="figure" role="img" aria-label=%q`, template.HTMLEscapeString(f.Title)), 1)
	return template.HTML(s)
}

var svgComment = regexp.MustCompile(`(?s)<!--.*?-->`)

var themed = strings.NewReplacer(
	"#1A1A1A", "var(--ink)", "#777777", "var(--muted)", "#FFFFFF", "var(--panel)", "#DDDDDD", "var(--grid)",
	"#E2E2E2", "var(--na)", "#C4C4C4", "var(--hatch)", "#000000", "var(--ink)", "#444444", "var(--muted)",
)

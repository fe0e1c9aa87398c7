package plots

import (
	"fmt"
	"html/template"
	"slices"
	"strings"

	"github.com/snapbench/snapbench/results"
)

type reportSection struct {
	ID, Title, About string
	Part             int // of the page's rows; -1: it has none
	Blocks           []reportBlock
}

// reportBlock is a heading with tables and pictures.
type reportBlock struct {
	Heading string
	Text    string
	Grids   []results.Grid
	Figures []template.HTML
}

// sectionOf is the n-th part of a page, of one subject, with its answer, nil if it has none.
func sectionOf(name string, n int, set results.Set, paces []Pace) (reportSection, *reportAnswer) {
	var answer *reportAnswer
	s := reportSection{ID: fmt.Sprintf("part%d", n+1), Title: titleOf(set), About: name, Part: n}
	measures := results.Measures()
	for _, m := range measures[:2] { // score, recalled
		tables := results.Tables(set, m)
		if len(tables) == 0 {
			continue
		}
		if m.Name == "score" {
			answer = answerOf(s, set, tables[0], paces)
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
		b.Figures = append(b.Figures, inlined(budgetMaps(set, m, tables))...)
		b.Figures = append(b.Figures, inlined(curves(set, m, tables))...)
		b.Figures = append(b.Figures, inlined(byteCurves(set, m, tables))...)
		b.Figures = append(b.Figures, inlined(timeCurves(set, m, tables))...)
		if len(tables[0].Lines) > 1 {
			b.Figures = append(b.Figures, inlined(taskMaps(set, m, tables))...)
		}
		if maps, err := NeedleMap(set, m); err == nil {
			// The figure of all variants says what each one's own says.
			all := slices.DeleteFunc(slices.Clone(maps), func(f Figure) bool { return !strings.HasSuffix(f.Name, "_all") })
			if len(all) == 0 {
				all = maps
			}
			b.Figures = append(b.Figures, inlined(all, nil)...)
		}
		s.Blocks = append(s.Blocks, b)
	}
	fidelity := reportBlock{Heading: "Fidelity", Text: "Each variant's next-token distribution against the baseline's (the full cache's, or the first server's), along the baseline's own greedy answer."}
	for _, m := range measures[2:] {
		tables := results.Tables(set, m)
		for _, t := range tables {
			g := t.Grid()
			g.Title = upper(m.Title)
			fidelity.Grids = append(fidelity.Grids, g)
		}
		fidelity.Figures = append(fidelity.Figures, inlined(budgetMaps(set, m, tables))...)
		fidelity.Figures = append(fidelity.Figures, inlined(curves(set, m, tables))...)
	}
	if g, ok := results.PartGrid(set.Run, set.Rows); ok {
		g.Title = "By place in the answer"
		fidelity.Grids = append(fidelity.Grids, g)
	}
	evidence := reportBlock{Heading: "Evidence"}
	for _, x := range results.EvidenceSections(set.Run, set.Rows) {
		x.Grid.Title = x.Heading
		evidence.Grids = append(evidence.Grids, x.Grid)
	}
	if len(evidence.Grids) > 0 {
		s.Blocks = append(s.Blocks, evidence)
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
	return s, answer
}

// lacks says below every table what the run was joined without, if anything.
func (s *reportSection) lacks(missing string) {
	for i := range s.Blocks {
		lacking(s.Blocks[i].Grids, missing)
	}
}

func lacking(grids []results.Grid, missing string) {
	if missing == "" {
		return
	}
	for i := range grids {
		grids[i].Notes = append([]string{missing}, grids[i].Notes...)
	}
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

package plots

import (
	"fmt"
	"html/template"

	"github.com/snapbench/snapbench/results"
)

// reportAnswer is what a page begins with: how small the cache can get, and what that costs and saves.
type reportAnswer struct {
	Part       int
	Title      string
	Head, Text string
	Figures    []template.HTML
	Grids      []results.Grid
}

// answerOf is the answer of a section's rows, nil where they have no caches to compare. t is their scores' table.
func answerOf(s reportSection, set results.Set, t results.Table, paces []Pace) *reportAnswer {
	m := t.Measure
	parts := groups(set, m, func(*results.Row) bool { return true }, false)
	small, ok := t.Smallest()
	a := &reportAnswer{Part: s.Part, Title: s.Title, Head: small.Head, Text: small.Text, Figures: inlined(frontiers(set, m, []results.Table{t}, paces))}
	if !ok && len(a.Figures) == 0 {
		return nil
	}
	a.Grids = []results.Grid{frontierOf(set.Run, parts[0], m, t, paces).grid()}
	return a
}

// lacks says what the run was joined without, if anything.
func (a *reportAnswer) lacks(missing string) {
	lacking(a.Grids, missing)
	if missing != "" {
		a.Text += " But " + missing + "."
	}
}

// Speed is what was measured alone, without scores, for a report.
type Speed struct {
	Title, About string
	Run          ReportRun
	Grids        []results.Grid
	Figures      []Figure
	Paces        []Pace
}

func (s Speed) section(n int) reportSection {
	return reportSection{
		ID: fmt.Sprintf("speed%d", n+1), Title: s.Title, About: s.About, Part: -1,
		Blocks: []reportBlock{{Heading: "Speed and memory", Grids: s.Grids, Figures: inlined(s.Figures, nil)}},
	}
}

package plots

import (
	"fmt"
	"math"

	"github.com/snapbench/snapbench/results"
)

// Gaps draws the difference between protocols that ask by the same prompts: the variants across, a mark for each task
// with its paired 95 % interval, around the level of no difference.
func Gaps(set results.Set) (list []Figure, err error) {
	for i, g := range results.Gaps(set) {
		var variants, tasks []string
		for _, l := range g.Lines {
			variants, tasks = appendNew(variants, l.Label), appendNew(tasks, l.Task)
		}
		if len(variants) > mostPlaces || len(tasks) > mostSeries {
			continue // the table has them
		}
		ch := chart{
			title:    fmt.Sprintf("What a question loses by %s, against %s", g.To, g.From),
			subtitle: g.Title + "; points, paired, with 95 % intervals; above the dashed line fewer are right by " + g.To,
			x:        axis{lo: -0.6, hi: float64(len(variants)) - 0.4, places: true}, ylabel: "Difference (points)", labels: tasks, level: "no difference",
		}
		panel := chartPanel{level: &point{y: 0, lo: math.NaN(), hi: math.NaN()}}
		for k, v := range variants {
			ch.x.ticks = append(ch.x.ticks, tickMark{float64(k), v})
		}
		for _, task := range tasks {
			ln := line{label: task}
			for k, v := range variants {
				for _, l := range g.Lines {
					if l.Task == task && l.Label == v {
						ln.points = append(ln.points, point{x: float64(k), y: 100 * l.Drop, lo: 100 * l.Lo, hi: 100 * l.Hi})
					}
				}
			}
			panel.lines = append(panel.lines, ln)
		}
		panel.y = yAxis(false, panel)
		ch.panels = []chartPanel{panel}
		name := "gap_score"
		if i > 0 {
			name += fmt.Sprint("_", i+1)
		}
		list = append(list, ch.figure(name))
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("protocols: %w: no two of them ask by the same prompts", ErrNothing)
	}
	return list, nil
}

// gaps is Gaps as one of a run's usual drawings.
func gaps(set results.Set, _ results.Measure, _ []results.Table) ([]Figure, error) { return Gaps(set) }

// gapSection is the n-th set's gaps on the report's page; ok is false where there are none.
func gapSection(set results.Set, n int) (s reportSection, ok bool) {
	s = reportSection{ID: fmt.Sprintf("gap%d", n+1), Title: "Between protocols", Part: -1}
	b := reportBlock{Figures: inlined(Gaps(set))}
	for _, g := range results.Gaps(set) {
		b.Heading = "Difference between " + g.From + " and " + g.To
		b.Grids = append(b.Grids, g.Grid())
	}
	s.Blocks = []reportBlock{b}
	return s, len(b.Grids) > 0
}

func appendNew(list []string, s string) []string {
	for _, have := range list {
		if have == s {
			return list
		}
	}
	return append(list, s)
}

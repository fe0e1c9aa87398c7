package plots

import (
	"fmt"
	"math"

	"github.com/snapbench/snapbench/results"
	"github.com/snapbench/snapbench/results/contrast"
)

// Contrast draws the differences of runs side by side, with their 95 % intervals around the level of no difference: the
// tasks and their average across and a mark for each entry, or the entries across where there are more of them.
func Contrast(c *contrast.Contrast) (Figure, error) {
	type value struct {
		difference, lo, hi float64
	}
	entries := c.Entries[1:]
	var names, tasks []string
	for _, e := range entries {
		names = append(names, results.Visible(e.Name))
	}
	for _, l := range c.Lines {
		tasks = append(tasks, results.Visible(l.Task))
	}
	of := func(entry, task int) (value, bool) {
		x := c.Lines[task].Cells[entry+1]
		if x.Difference == nil {
			return value{}, false
		}
		v := value{*x.Difference, math.NaN(), math.NaN()}
		if x.Lo != nil && x.Hi != nil {
			v.lo, v.hi = *x.Lo, *x.Hi
		}
		return v, true
	}
	places, lines := tasks, names
	at := func(line, place int) (value, bool) { return of(line, place) }
	if len(names) > len(tasks) {
		places, lines = names, tasks
		at = func(line, place int) (value, bool) { return of(place, line) }
	}
	if len(lines) > mostSeries || len(places) > mostPlaces {
		return Figure{}, fmt.Errorf("%d tasks of %d entries are too many for a picture (at most %d and %d): name fewer runs", len(tasks), len(names), mostPlaces, mostSeries)
	}
	ch := chart{
		title: "Difference from " + results.Visible(c.Entries[0].Name), subtitle: "points, over shared samples, with 95 % intervals; above the dashed line is better",
		x: axis{lo: -0.6, hi: float64(len(places)) - 0.4, places: true}, ylabel: "Difference (points)", labels: lines, level: "no difference",
	}
	for _, e := range entries {
		if e.Against != c.Entries[0].Name {
			ch.title = "Difference from what each is held against"
		}
	}
	for i, name := range places {
		ch.x.ticks = append(ch.x.ticks, tickMark{float64(i), name})
	}
	panel := chartPanel{level: &point{y: 0, lo: math.NaN(), hi: math.NaN()}}
	drawn := false
	for k := range lines {
		ln := line{label: lines[k]}
		for i := range places {
			if v, ok := at(k, i); ok {
				ln.points = append(ln.points, point{x: float64(i), y: v.difference, lo: v.lo, hi: v.hi})
				drawn = true
			}
		}
		panel.lines = append(panel.lines, ln)
	}
	if !drawn {
		return Figure{}, fmt.Errorf("differences: %w: no sample is shared", ErrNothing)
	}
	panel.y = yAxis(false, panel)
	ch.panels = []chartPanel{panel}
	return ch.figure("compare"), nil
}

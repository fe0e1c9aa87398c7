package results

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Table is tasks × variants of one measure, for rows that differ in nothing else. Its lines are the tasks, then the
// averages of the run's groups, then the average of all tasks; an average weighs every task the same, as LongBench's
// does.
type Table struct {
	Title    string // what the rows have in common: model, protocol, device
	Measure  Measure
	Baseline string      // the variant that drops are against: [Run.BaselineOf]
	Variants []string    // as in the rows
	Labels   []string    // the same, short
	Caches   []Footprint // the same; nil where no row knows
	Lines    []Line
	Warnings []string

	full   bool     // the baseline is the full cache
	stored []stored // by variant
}

// Line is one task or one average.
type Line struct {
	Name    string
	Tasks   []string // one for a task
	Average bool
	Cells   []Cell // by variant
}

// Cell is what one variant reached in one task.
type Cell struct {
	Interval             // N is 0 where nothing was scored
	Failed   int         // rows with an error
	Drop     *Comparison // against the baseline, paired by sample; nil for the baseline itself, without one, and for other measures than the score
}

// Tables makes one table for each subject of a set, of one measure; none for a subject whose rows lack it.
func Tables(set Set, m Measure) []Table { return tables(set, m, true) }

// Means is Tables without drops, which cost most of the time and which pictures do not show.
func Means(set Set, m Measure) []Table { return tables(set, m, false) }

func tables(set Set, m Measure, drops bool) []Table {
	var tables []Table
	subjects, parts := Subjects(set.Rows)
	for i, rows := range parts {
		if t, ok := newTable(set.Run, rows, m, drops); ok {
			t.Title = subjects[i].String()
			tables = append(tables, t)
		}
	}
	return tables
}

func newTable(run Run, rows []Row, m Measure, drops bool) (Table, bool) {
	t := Table{Measure: m, Baseline: run.BaselineOf(rows)}
	twice := len(rows)
	rows = Once(rows)
	twice -= len(rows)
	t.Variants = names(rows, func(r *Row) string { return r.Variant }, run.Variants)
	if caches, known := footprints(rows, t.Variants); known {
		t.Caches = caches
	}
	labels := Labels(rows)
	for _, v := range t.Variants {
		t.Labels = append(t.Labels, labels[v])
	}
	t.stored = make([]stored, len(t.Variants))
	for i := range rows {
		t.stored[slices.Index(t.Variants, rows[i].Variant)] = storedOf(&rows[i])
	}
	tasks := names(rows, func(r *Row) string { return r.Task }, run.Tasks)

	type place struct{ task, variant string }
	type value struct {
		row *Row
		v   float64
	}
	found, failed := map[place][]value{}, map[place]int{}
	graded := map[string][]string{} // by which metrics each task is
	any := false
	for i := range rows {
		r := &rows[i]
		t.full = t.full || r.Policy == "full"
		p := place{r.Task, r.Variant}
		if r.Error != "" {
			failed[p]++
		}
		if v := m.Of(r); v != nil {
			any = true
			found[p] = append(found[p], value{r, *v})
			if by := r.gradedBy(); !slices.Contains(graded[r.Task], by) {
				graded[r.Task] = append(graded[r.Task], by)
			}
		}
	}
	if !any {
		return t, false
	}
	if twice > 0 {
		t.Warnings = append(t.Warnings, fmt.Sprintf("%d rows have the task, sample and variant of another row (they differ in something that is not shown, such as the limit of new tokens) and are left out", twice))
	}

	drops = drops && m.Name == "score" && t.Baseline != ""
	scores := func(task, variant string) []float64 {
		list := found[place{task, variant}]
		x := make([]float64, len(list))
		for i, v := range list {
			x[i] = v.v
		}
		return x
	}
	pairs := func(task, variant string) (list []Pair, unlike string, other int) {
		base := map[string]value{}
		for _, v := range found[place{task, t.Baseline}] {
			base[v.row.Sample] = v
		}
		for _, v := range found[place{task, variant}] {
			b, ok := base[v.row.Sample]
			if !ok {
				continue
			}
			if why := b.row.Unlike(v.row); why != "" {
				unlike = why
				continue
			}
			if v.row.PromptSHA256 != b.row.PromptSHA256 && v.row.PromptSHA256 != "" && b.row.PromptSHA256 != "" {
				other++
			}
			list = append(list, Pair{b.v, v.v})
		}
		return list, unlike, other
	}
	line := func(name string, tasks []string, average bool) Line {
		l := Line{Name: name, Tasks: tasks, Average: average}
		for _, v := range t.Variants {
			var c Cell
			var lists [][]float64
			var paired [][]Pair
			complete := true
			for _, task := range tasks {
				x := scores(task, v)
				c.Failed += failed[place{task, v}]
				complete = complete && len(x) > 0
				lists = append(lists, x)
				if v != t.Baseline {
					both, _, _ := pairs(task, v)
					paired = append(paired, both)
				}
			}
			switch {
			case !complete:
				c.Interval = Interval{Mean: math.NaN(), Lo: math.NaN(), Hi: math.NaN()}
			case m.Points:
				c.Interval = AverageInterval(lists)
			default:
				c.Interval = plainAverage(lists)
			}
			if complete && drops && v != t.Baseline && !slices.ContainsFunc(paired, func(p []Pair) bool { return len(p) == 0 }) {
				d := Compare(paired, 0)
				c.Drop = &d
			}
			l.Cells = append(l.Cells, c)
		}
		return l
	}
	for _, task := range tasks {
		t.Lines = append(t.Lines, line(task, []string{task}, false))
		if by := graded[task]; len(by) > 1 && m.Name == "score" {
			t.Warnings = append(t.Warnings, fmt.Sprintf("%s: scores by %s stand here side by side, and are not compared", task, strings.Join(by, " and by ")))
		}
		for k, v := range t.Variants {
			if t.Baseline == "" || v == t.Baseline || t.Lines[len(t.Lines)-1].Cells[k].N == 0 {
				continue
			}
			both, unlike, other := pairs(task, v)
			if other > 0 {
				t.Warnings = append(t.Warnings, fmt.Sprintf("%s: %s was asked by other prompts than %s in %d samples, paired by their ids", task, t.Labels[k], labels[t.Baseline], other))
			}
			if have := len(scores(task, v)); len(both) < max(have, len(scores(task, t.Baseline))) {
				warning := fmt.Sprintf("%s: %s and %s have only %d samples in common", task, t.Labels[k], labels[t.Baseline], len(both))
				if unlike != "" {
					warning += " that may be compared (" + unlike + ")"
				}
				t.Warnings = append(t.Warnings, warning)
			}
		}
	}
	if len(tasks) > 1 {
		for _, g := range run.Groups {
			var present []string
			for _, task := range g.Tasks {
				if slices.Contains(tasks, task) {
					present = append(present, task)
				}
			}
			// A group of all the tasks there are is the average that comes last.
			if len(present) > 0 && len(present) < len(tasks) {
				name := g.Name
				if len(present) < len(g.Tasks) {
					name = fmt.Sprintf("%s (%d of %d)", g.Name, len(present), len(g.Tasks))
				}
				t.Lines = append(t.Lines, line(name, present, true))
			}
		}
		t.Lines = append(t.Lines, line(fmt.Sprintf("average of %d", len(tasks)), tasks, true))
	}
	return t, true
}

package plots

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/snapbench/snapbench/results"
)

// ErrNothing is the error for a set that has no rows for a picture.
var ErrNothing = errors.New("no rows for this picture")

// group is the rows of one figure: those of one subject and, for needle maps, of one task.
type group struct {
	title    string
	subtitle string
	suffix   string // of file names, empty if there is only one
	rows     []results.Row
	variants []string // in order
	labels   map[string]string
	baseline string // [results.Run.BaselineOf]
	tasks    []string
}

func groups(set results.Set, m results.Measure, use func(*results.Row) bool, byTask bool) []group {
	subjects, parts := results.Subjects(set.Rows)
	var list []group
	for i, rows := range parts {
		var kept []results.Row
		any := false
		for _, r := range results.Once(rows) {
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
			g.labels, g.baseline = results.Labels(g.rows), set.Run.BaselineOf(g.rows)
			g.variants = distinctInOrder(g.rows, func(r *results.Row) string { return r.Variant })
			slices.SortStableFunc(g.variants, orderOf(set.Run.Variants))
			what := tasks[0]
			if len(tasks) > 1 {
				what = fmt.Sprintf("Average of %d tasks", len(tasks))
			}
			g.title, g.subtitle = what, subjects[i].String()
			if n := set.Run.Missing; n > 0 {
				g.subtitle += fmt.Sprintf("; %d rows are missing", n)
			}
			if n, _ := results.Unscored(g.rows); n > 0 {
				g.subtitle += fmt.Sprintf("; %d rows failed", n)
			}
			if byTask && len(each) > 1 {
				g.suffix = fileName(g.suffix, tasks[0])
			}
			list = append(list, g)
		}
	}
	return list
}

// orderOf compares by the order of a list. Other names come last, in any order.
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

package results

import (
	"cmp"
	"slices"
	"strings"
)

// Sort orders rows by task, sample and variant: tasks and variants in the run's order, then those that it does not name
// by name; samples in natural order ("s9" before "s10"). Rows that are equal in all three are ordered by protocol and
// id, so the order never depends on the order of work.
func (run Run) Sort(rows []Row) {
	tasks, variants := rank(run.Tasks), rank(run.Variants)
	slices.SortStableFunc(rows, func(a, b Row) int {
		return cmp.Or(
			tasks(a.Task, b.Task),
			Natural(a.Sample, b.Sample),
			variants(a.Variant, b.Variant),
			cmp.Compare(a.Protocol, b.Protocol),
			cmp.Compare(a.ID, b.ID),
		)
	})
}

// rank compares names by their place in a list. Names that are not in it come last, in natural order.
func rank(names []string) func(a, b string) int {
	place := make(map[string]int, len(names))
	for i, n := range names {
		if _, ok := place[n]; !ok {
			place[n] = i
		}
	}
	at := func(s string) int {
		if i, ok := place[s]; ok {
			return i
		}
		return len(names)
	}
	return func(a, b string) int { return cmp.Or(cmp.Compare(at(a), at(b)), Natural(a, b)) }
}

// Natural compares two strings with runs of digits taken as numbers.
func Natural(a, b string) int {
	digits := func(s string) int {
		n := 0
		for n < len(s) && s[n] >= '0' && s[n] <= '9' {
			n++
		}
		return n
	}
	x, y := a, b
	for x != "" && y != "" {
		m, n := digits(x), digits(y)
		if m > 0 && n > 0 {
			p, q := strings.TrimLeft(x[:m], "0"), strings.TrimLeft(y[:n], "0")
			if c := cmp.Or(cmp.Compare(len(p), len(q)), cmp.Compare(p, q)); c != 0 {
				return c
			}
			x, y = x[m:], y[n:]
			continue
		}
		if x[0] != y[0] {
			return cmp.Compare(x[0], y[0])
		}
		x, y = x[1:], y[1:]
	}
	return cmp.Or(cmp.Compare(len(x), len(y)), cmp.Compare(a, b))
}

// names lists the distinct values of a column in the run's order.
func names(rows []Row, of func(*Row) string, order []string) []string {
	seen := map[string]bool{}
	var list []string
	for i := range rows {
		if n := of(&rows[i]); !seen[n] {
			seen[n] = true
			list = append(list, n)
		}
	}
	slices.SortFunc(list, rank(order))
	return list
}

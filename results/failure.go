package results

import (
	"cmp"
	"slices"
)

// Failure is a reason why rows have no score, and how many share it.
type Failure struct {
	Task, Variant, Error string
	Rows                 int
}

// Failures lists errors and audit failures, the most frequent first.
func Failures(rows []Row, of func(*Row) string) []Failure {
	count := map[Failure]int{}
	for i := range rows {
		if e := of(&rows[i]); e != "" {
			count[Failure{Task: rows[i].Task, Variant: rows[i].Variant, Error: e}]++
		}
	}
	var list []Failure
	for f, n := range count {
		f.Rows = n
		list = append(list, f)
	}
	slices.SortFunc(list, func(a, b Failure) int {
		return cmp.Or(cmp.Compare(b.Rows, a.Rows), Natural(a.Task, b.Task), Natural(a.Variant, b.Variant), cmp.Compare(a.Error, b.Error))
	})
	return list
}

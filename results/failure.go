package results

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
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

// Unscored counts the rows that have an error instead of a score, and describes the first
// of them.
func Unscored(rows []Row) (n int, first string) {
	for _, r := range rows {
		if r.Error == "" {
			continue
		}
		if n++; n == 1 {
			first = fmt.Sprintf("%s, %s, sample %s, %s: %s", r.Model, r.Task, r.Sample, r.Variant, r.Error)
		}
	}
	return n, first
}

// CheckBaseline is an error where the full cache, or the first of several servers, failed in
// every sample, so that nothing is left to hold the others to.
func CheckBaseline(set Set) error {
	baseline := set.Run.BaselineOf(set.Rows)
	rows := slices.DeleteFunc(slices.Clone(set.Rows), func(r Row) bool { return r.Variant != baseline })
	if failed, first := Unscored(rows); failed > 0 && failed == len(rows) {
		name := "the full cache"
		if baseline != "full" {
			name = baseline
		}
		return fmt.Errorf("%s failed in all of its %d samples, and nothing is left to hold the other variants to; the first: %s", name, failed, first)
	}
	return nil
}

// Note is a remark of rows, and how many have it.
type Note struct {
	Text string
	Rows int
}

// Notes lists the remarks of rows in the order in which they first occur.
func Notes(rows []Row) []Note {
	var list []Note
	at := map[string]int{}
	for _, r := range rows {
		for text := range strings.SplitSeq(r.Note, "; ") {
			if text == "" {
				continue
			}
			i, known := at[text]
			if !known {
				i = len(list)
				at[text], list = i, append(list, Note{Text: text})
			}
			list[i].Rows++
		}
	}
	return list
}

package results

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Failure is an error or a failed audit of a task's rows under a variant, and their number.
type Failure struct {
	Task, Variant, Error string
	Rows                 int
}

// Failures lists the errors or failed audits of rows, the most frequent first. of returns that text of a row, or "".
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

// mostBrief is how many characters of an error a table shows.
const mostBrief = 240

// Brief is an error as tables and lines show it. Of a long one, as of one that quotes a server's
// log, that is its beginning and its end, where programs say what was wrong; the rows have all of it.
func Brief(s string) string {
	r := []rune(s)
	if len(r) <= mostBrief {
		return s
	}
	const head = mostBrief / 3
	return string(r[:head]) + " … " + string(r[len(r)-(mostBrief-head-3):])
}

// Unscored counts the rows that have an error instead of a score, and describes the first.
func Unscored(rows []Row) (n int, first string) {
	for _, r := range rows {
		if r.Error == "" {
			continue
		}
		if n++; n == 1 {
			first = fmt.Sprintf("%s, %s, sample %s, %s: %s", r.Model, r.Task, r.Sample, r.Variant, Brief(r.Error))
		}
	}
	return n, first
}

// CheckBaseline returns an error if the baseline (the full cache, or the first of several
// servers) failed in every sample, so that there is nothing to compare the others with.
func CheckBaseline(set Set) error {
	baseline := set.Run.BaselineOf(set.Rows)
	rows := slices.DeleteFunc(slices.Clone(set.Rows), func(r Row) bool { return r.Variant != baseline })
	if failed, first := Unscored(rows); failed > 0 && failed == len(rows) {
		name := "the full cache"
		if baseline != "full" {
			name = baseline
		}
		return fmt.Errorf("%s failed in all of its %d samples, so there is nothing to compare the other variants with; the first: %s", name, failed, first)
	}
	return nil
}

// Note is a remark and the number of rows that have it.
type Note struct {
	Text string
	Rows int
}

// Notes lists the remarks of rows in the order of their first row.
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

// Package parts makes one run out of several processes, on one machine or many. Each
// takes a part of the samples ([Part]) and writes into a folder of its own, so that
// nothing rests on locks that machines share; [Join] makes one run of them, and refuses
// what would not be the run that one process makes.
//
//	OUT/parts/3-of-16/ATTEMPT/   an attempt at part 3 of 16: run.json, journal.jsonl or results.parquet
//	OUT/run.json, results.parquet, …   the run, once it is joined
//
// A part may be attempted several times, also at the same time: rows that other attempts
// have finished are skipped, rows that two have are equal, and the run has them once.
package parts

import (
	"fmt"
	"strconv"
	"strings"
)

// Part is one of several parts of a run's samples: every Count-th of them, in the order
// in which one process takes them, from the Index-th on. Index counts from 0, as the
// engines' array jobs do. The zero Part is the whole run in a folder of its own.
type Part struct{ Index, Count int }

// Limit is the most parts that a run may have.
const Limit = 100_000

// Parse reads "3/16".
func Parse(text string) (Part, error) {
	index, count, ok := strings.Cut(text, "/")
	i, bad := strconv.Atoi(index)
	n, worse := strconv.Atoi(count)
	if !ok || bad != nil || worse != nil {
		return Part{}, fmt.Errorf("%q: want I/N, such as 0/4 for the first of four parts, or auto", text)
	}
	return check(i, n)
}

func check(i, n int) (Part, error) {
	if n < 1 || n > Limit {
		return Part{}, fmt.Errorf("part %d of %d: want 1 to %d parts", i, n, Limit)
	}
	if i < 0 || i >= n {
		return Part{}, fmt.Errorf("part %d of %d: parts are counted from 0, so this run has 0 to %d", i, n, n-1)
	}
	return Part{i, n}, nil
}

func (p Part) String() string { return fmt.Sprintf("%d/%d", p.Index, p.Count) }

// IsZero says that the run is not in parts.
func (p Part) IsZero() bool { return p.Count == 0 }

// Takes says whether the n-th sample, from 0, is of this part.
func (p Part) Takes(n int) bool { return p.Count == 0 || n%p.Count == p.Index }

// folder is the name of the part's folder.
func (p Part) folder() string { return fmt.Sprintf("%d-of-%d", p.Index, p.Count) }

// parseFolder reads the name of a part's folder.
func parseFolder(name string) (p Part, ok bool) {
	index, count, ok := strings.Cut(name, "-of-")
	if !ok {
		return Part{}, false
	}
	p, err := Parse(index + "/" + count)
	return p, err == nil && p.folder() == name
}

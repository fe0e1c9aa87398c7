package scores

import (
	"strings"

	"github.com/snapbench/snapbench/metrics/predictions"
	"github.com/snapbench/snapbench/results"
)

// Lengths are the scores of one of LongBench-E's sets under one variant, by length of the
// row as the benchmark's authors report them.
type Lengths struct {
	Task, Variant string
	Buckets       []predictions.Bucket
}

// ByLength returns the scores by length of the tasks of LongBench-E among the rows, in the
// order in which they first occur.
func ByLength(rows []results.Row) []Lengths {
	type line struct{ task, variant string }
	var lines []line
	lengths, scores := map[line][]int{}, map[line][]float64{}
	for _, r := range rows {
		if !strings.HasSuffix(r.Task, "_e") || r.Score == nil || r.Length == nil {
			continue
		}
		l := line{r.Task, r.Variant}
		if scores[l] == nil {
			lines = append(lines, l)
		}
		lengths[l], scores[l] = append(lengths[l], *r.Length), append(scores[l], *r.Score)
	}
	var list []Lengths
	for _, l := range lines {
		list = append(list, Lengths{l.task, l.variant, predictions.LongBenchE.Group(lengths[l], scores[l])})
	}
	return list
}

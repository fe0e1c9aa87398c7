// Package scores makes results of predictions that another program made and this one
// graded: averages with intervals, and rows like those of a run.
package scores

import (
	"slices"

	"github.com/snapbench/snapbench/metrics/predictions"
	"github.com/snapbench/snapbench/results"
)

// Average is the mean of the scores of some sets, 0 to 100.
type Average struct {
	Name     string      `json:"name"`
	Score    float64     `json:"score"`
	Interval *[2]float64 `json:"interval"` // 95 %, over rows; nil where there is none
	Sets     int         `json:"sets"`
	scores   [][]float64 // of the rows of each set, 0 to 1
}

// Averages returns the averages of LongBench's categories in the order in which graded
// has them, and last that of all sets, "average". The Chinese sets are left out, as in the
// benchmark's tables. graded[i] is of sets[i].
func Averages(sets []predictions.Set, graded []predictions.Result) []Average {
	var list []Average
	all := Average{Name: "average"}
	for i, r := range graded {
		set := sets[i].LongBenchSet
		if set.Chinese {
			continue
		}
		k := slices.IndexFunc(list, func(a Average) bool { return a.Name == set.Category })
		if k < 0 {
			list, k = append(list, Average{Name: set.Category}), len(list)
		}
		list[k].scores = append(list[k].scores, r.Scores)
		all.scores = append(all.scores, r.Scores)
	}
	if len(all.scores) > 0 {
		list = append(list, all)
	}
	for i := range list {
		a := &list[i]
		mean := results.AverageInterval(a.scores)
		a.Score, a.Sets, a.Interval = 100*mean.Mean, len(a.scores), points(mean)
	}
	return list
}

// Interval is the 95 % interval of a set's score, 0 to 100; nil where there is none.
func Interval(r predictions.Result) *[2]float64 { return points(results.MeanInterval(r.Scores)) }

// points scales an interval to 0 to 100.
func points(i results.Interval) *[2]float64 {
	if !i.Defined() {
		return nil
	}
	return &[2]float64{100 * i.Lo, 100 * i.Hi}
}

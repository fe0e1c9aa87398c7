package results

import (
	"fmt"
	"slices"
)

// Unlike says why the scores of two rows of one sample are not of the same thing, in other's words: another version of the
// task, another metric, another expected answer. It is empty where they may be compared.
func (r *Row) Unlike(other *Row) string {
	switch {
	case r.TaskVersion != other.TaskVersion:
		return "another version of the task"
	case r.Metric != other.Metric || r.MetricVersion != other.MetricVersion:
		return fmt.Sprintf("graded by %s, not %s", other.gradedBy(), r.gradedBy())
	case r.Answer != other.Answer:
		return "other expected answers"
	}
	return ""
}

func (r *Row) gradedBy() string { return fmt.Sprintf("%s version %d", r.Metric, r.MetricVersion) }

// Once are rows of one subject without those that repeat the task, sample and variant of one before, as merged runs may have
// that differ in what no column holds. What is counted or averaged is over these.
func Once(rows []Row) []Row {
	type place struct{ task, sample, variant string }
	seen := map[place]bool{}
	repeats := func(r Row) bool {
		p := place{r.Task, r.Sample, r.Variant}
		had := seen[p]
		seen[p] = true
		return had
	}
	for i := range rows {
		if repeats(rows[i]) {
			return append(slices.Clone(rows[:i]), slices.DeleteFunc(slices.Clone(rows[i+1:]), repeats)...)
		}
	}
	return rows
}

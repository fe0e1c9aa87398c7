package results

import "fmt"

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

package gate

import (
	"fmt"

	"github.com/snapbench/snapbench/results"
)

// failedAlone says that the candidate has no answer where the baseline has one. What the candidate cannot answer is
// its own verdict, a fail, and no reason to leave its other variants unjudged.
func failedAlone(base, cand *results.Row) bool { return base.Score != nil && cand.Error != "" }

// unanswered are the samples of a task that the candidate alone has no answer to, each with its reason.
func (c contest) unanswered(task string) (list []string) {
	for _, s := range samplesOf(c.base[task], c.cand[task]) {
		if x, y := c.base[task][s], c.cand[task][s]; failedAlone(x, y) {
			list = append(list, fmt.Sprintf("%s (%s)", s, results.Brief(y.Error)))
		}
	}
	return list
}

// answered are the tasks of which the candidate answered every sample. No score is taken of the others: a mean over
// what was answered would be one over other samples than the baseline's.
func (c contest) answered() (tasks []string) {
	for _, task := range c.tasks {
		if len(c.unanswered(task)) == 0 {
			tasks = append(tasks, task)
		}
	}
	return tasks
}

// answerChecks fail each task that has samples without an answer.
func (c contest) answerChecks() (list []Check) {
	for _, task := range c.tasks {
		if failed := c.unanswered(task); len(failed) > 0 {
			list = append(list, Check{
				Name: "answers", Subject: c.subject, Label: c.label, Verdict: Fail, Limit: "none",
				Found: fmt.Sprintf("%s: %d of %d samples failed: %s", task, len(failed), len(c.cand[task]), few(failed)),
			})
		}
	}
	return list
}

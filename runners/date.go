package runners

import (
	"encoding/json"
	"time"

	"github.com/snapbench/snapbench/results"
)

// DateFor returns the date of a question whose chat template asks for one: the date asked
// for, else the one that the run in a folder was begun with, else today. A folder that
// cannot be read counts as empty here; opening it reports the error.
func DateFor(asked, dir string) string {
	if asked != "" {
		return asked
	}
	if run, err := results.ReadRun(dir); err == nil {
		var q question
		if json.Unmarshal(run.Question, &q) == nil && q.Date != "" {
			return q.Date
		}
	}
	return time.Now().Format(time.DateOnly)
}

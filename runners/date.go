package runners

import (
	"encoding/json"
	"time"

	"github.com/snapbench/snapbench/results/parts"
)

// DateFor returns the date of a question whose chat template asks for one: the date asked
// for, else the one that the run in a folder was begun with, else today. A folder that
// cannot be read counts as empty here; opening it reports the error.
func DateFor(asked, dir string) string {
	if asked != "" {
		return asked
	}
	folder, err := parts.Look(dir)
	if err != nil {
		return time.Now().Format(time.DateOnly)
	}
	if run, err := folder.Run(); err == nil {
		var q question
		if json.Unmarshal(run.Question, &q) == nil && q.Date != "" {
			return q.Date
		}
	}
	return time.Now().Format(time.DateOnly)
}

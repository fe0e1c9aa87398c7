package runners

import (
	"encoding/json"
	"fmt"
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
	if run, err := parts.Asked(dir); err == nil {
		var q question
		if json.Unmarshal(run.Question, &q) == nil && q.Date != "" {
			return q.Date
		}
	}
	return time.Now().Format(time.DateOnly)
}

// ParseDate reads a day.
func ParseDate(text string) (time.Time, error) {
	day, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return day, fmt.Errorf("%q: want a day, as 2026-01-02", text)
	}
	return day, nil
}

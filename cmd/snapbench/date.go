package main

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/snapbench/snapbench/results"
)

// parseDate reads --date.
func parseDate(s string) (time.Time, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return t, fmt.Errorf("--date %q: want a day, as 2026-01-02", s)
	}
	return t, nil
}

// dateOf is the date of a question whose chat template asks for one: what --date
// says, else what the folder's run was begun with, else today. A folder that
// cannot be read is for whoever opens it to report.
func dateOf(asked, dir string) string {
	if asked != "" {
		return asked
	}
	if had, err := results.ReadRun(dir); err == nil {
		var q struct{ Date string }
		if json.Unmarshal(had.Question, &q) == nil && q.Date != "" {
			return q.Date
		}
	}
	return time.Now().Format(time.DateOnly)
}

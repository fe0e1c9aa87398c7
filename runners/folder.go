package runners

import (
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"time"

	"github.com/snapbench/snapbench/datasets"
	"github.com/snapbench/snapbench/results"
	"github.com/snapbench/snapbench/results/parts"
)

// Folder is where a job's rows go, and what its run.json says besides the question.
type Folder struct {
	Dir      string // empty: runs/NAME-HASH, of the job's name and question
	Date     string // as asked for, as 2026-01-02; empty: the day on which the folder's run began, or today
	Command  string // as typed
	Version  string // of the program
	Baseline string // the variant that others are held to where there is no full cache
	Attempt  string // names this process among those that make a run in parts
}

// Calendar is a chat template that may ask for the day.
type Calendar interface {
	UsesDate() bool
	SetToday(day time.Time)
}

// Begin starts a job's folder, or continues it; that of an attempt where the job is a part
// of a run. Where the chat template asks for the day,
// that becomes part of the question, and the template is told. Options are the tasks' own,
// in their order.
func (j *Job) Begin(f Folder, team []Runner, options []datasets.Options, chat Calendar) (*results.Journal, error) {
	if chat.UsesDate() {
		j.Date = f.Date
	}
	run, err := j.Describe(team, options)
	if err != nil {
		return nil, err
	}
	if f.Dir == "" { // before today's date is part of the question
		f.Dir = filepath.Join("runs", fmt.Sprintf("%s-%.6x", j.Name, sha256.Sum256(run.Question)))
	}
	if chat.UsesDate() {
		j.Date = DateFor(f.Date, f.Dir)
		today, err := ParseDate(j.Date)
		if err != nil {
			return nil, fmt.Errorf("%s: run.json: date %w", f.Dir, err)
		}
		chat.SetToday(today)
		if run, err = j.Describe(team, options); err != nil {
			return nil, err
		}
	}
	run.Command, run.Version, run.Baseline = f.Command, f.Version, f.Baseline
	if j.Part.IsZero() && parts.Has(f.Dir) { // begun in parts: what is missing is made as one
		j.Part = parts.Part{Index: 0, Count: 1}
	}
	if j.Part.IsZero() {
		return results.Open(f.Dir, run)
	}
	return parts.Begin(f.Dir, j.Part, f.Attempt, run)
}

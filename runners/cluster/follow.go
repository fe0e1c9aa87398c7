package cluster

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/snapbench/snapbench/results"
	"github.com/snapbench/snapbench/results/parts"
)

// Follower waits for submitted work.
type Follower struct {
	Engine Engine
	Work   Work   // Parts excepted: those are the jobs'
	Dir    string // the run's folder here
	Jobs   []Job  // of the run's present number of parts, the latest last
	// Told is told where the run is, each time it was looked at.
	Told func(Status)

	counts map[string]counted // rows of attempts, by folder
}

// Status is where a run is.
type Status struct {
	Rows, Expected int // 0 where this machine does not see the run's folder, or no part has begun
	// Parts of the run, by their state; Lost are those of which neither the engine knows
	// anything, nor their folder that they ended.
	Parts, Ended, Running, Waiting, Failed, Lost int
}

func (s Status) String() string {
	var list []string
	add := func(n int, what string) {
		if n > 0 {
			list = append(list, fmt.Sprintf("%d %s", n, what))
		}
	}
	add(s.Ended, "ended")
	add(s.Running, "running")
	add(s.Waiting, "waiting")
	add(s.Failed, "failed")
	add(s.Lost, "lost")
	return fmt.Sprintf("%d parts: %s", s.Parts, strings.Join(list, ", "))
}

// UnfinishedError says that the engine does nothing more about some parts of a run.
type UnfinishedError struct {
	Parts  []int // of Count
	Count  int
	States map[int]State
	Log    string // the end of one of their logs
}

func (e *UnfinishedError) Error() string {
	var list []string
	const most = 10
	for _, i := range e.Parts[:min(len(e.Parts), most)] {
		list = append(list, fmt.Sprintf("%d (%s)", i, e.state(i)))
	}
	text := fmt.Sprintf("%d of %d parts did not end and are not live any more: %s", len(e.Parts), e.Count, strings.Join(list, ", "))
	if more := len(e.Parts) - most; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	text += "; the same command submits them again"
	if e.Log != "" {
		text += fmt.Sprintf("\nthe end of the log of part %d:\n  %s", e.Parts[0], strings.ReplaceAll(strings.TrimSpace(e.Log), "\n", "\n  "))
	}
	return text
}

func (e *UnfinishedError) state(i int) string {
	if s, ok := e.States[i]; ok {
		return s.String()
	}
	return "lost"
}

const (
	// An engine is asked often at first, so that a short run ends soon, then seldom.
	firstWait, longestWait = 500 * time.Millisecond, 10 * time.Second
	// patience is how long an engine may give no answer.
	patience = 5 * time.Minute
	// settling is how long parts may be neither live nor ended: an engine may say late
	// what it does, and a shared folder may show late what is in it.
	settling = 15 * time.Second
)

// Live returns the parts that the engine will still do something about, or has ended,
// with their states.
func (f *Follower) Live(ctx context.Context) (map[int]State, error) {
	all := map[int]State{}
	for _, j := range f.Jobs {
		w := f.Work
		w.Parts = j.Parts
		states, err := f.Engine.States(ctx, j.ID, w)
		if err != nil {
			return nil, err
		}
		for i, s := range states {
			all[i] = s
		}
	}
	return all, nil
}

// Wait returns when every part has ended, or with an *UnfinishedError when the engine
// does nothing more about some. The run may still have to be joined.
func (f *Follower) Wait(ctx context.Context) error {
	wait, answered, live := firstWait, time.Now(), time.Now()
	for {
		states, err := f.Live(ctx)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && time.Since(answered) > patience:
			return fmt.Errorf("no answer for %v: %w", patience, err)
		case err == nil:
			answered = time.Now()
			status, left, err := f.look(states)
			if err != nil {
				return err
			}
			if f.Told != nil {
				f.Told(status)
			}
			if len(left) == 0 {
				return nil
			}
			if status.Running+status.Waiting > 0 {
				live = time.Now()
			} else if time.Since(live) > settling || status.Failed == len(left) {
				return &UnfinishedError{Parts: left, Count: f.Work.Count, States: states, Log: f.log(ctx, left[0])}
			}
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ctx.Err()
		}
		wait = min(longestWait, wait*5/4)
	}
}

// log returns the end of a part's output in the latest job that has it.
func (f *Follower) log(ctx context.Context, part int) string {
	for _, j := range slices.Backward(f.Jobs) {
		if slices.Contains(j.Parts, part) {
			w := f.Work
			w.Parts = j.Parts
			return f.Engine.Log(ctx, j.ID, w, part)
		}
	}
	return ""
}

// look returns where the run is, and which parts have not ended.
func (f *Follower) look(states map[int]State) (s Status, left []int, err error) {
	ended := map[int]bool{}
	if f.Work.Unseen {
		for i, state := range states {
			ended[i] = state == Ended
		}
	} else {
		folder, err := parts.Look(f.Dir)
		if err != nil {
			return s, nil, err
		}
		had := f.had()
		for i, n := range folder.Ended(f.Work.Count) {
			ended[i] = n > had[i]
		}
		if s.Rows, s.Expected, err = f.rows(folder); err != nil {
			return s, nil, err
		}
	}
	s.Parts = f.Work.Count
	for i := range f.Work.Count {
		switch {
		case ended[i]:
			s.Ended++
			continue
		case states[i] == Running:
			s.Running++
		case states[i] == Waiting:
			s.Waiting++
		case states[i] == Failed:
			s.Failed++
		default:
			s.Lost++
		}
		left = append(left, i)
	}
	return s, left, nil
}

// had counts, for each part, the attempts that had ended before the latest job that makes
// it again.
func (f *Follower) had() map[int]int {
	list := map[int]int{}
	for _, j := range f.Jobs {
		for i, n := range j.Had {
			list[i] = n
		}
	}
	return list
}

// counted is how many rows a file had when it was last read, and how large it was.
type counted struct {
	size int64
	rows int
}

// rows counts the rows that are there; only files that have grown are read.
func (f *Follower) rows(folder parts.Folder) (rows, expected int, err error) {
	if f.counts == nil {
		f.counts = map[string]counted{}
	}
	for _, a := range folder.Attempts {
		expected = max(expected, a.Run.Expected())
		var size int64
		for _, name := range []string{"journal.jsonl", "results.parquet"} {
			if info, err := os.Stat(filepath.Join(a.Dir, name)); err == nil {
				size = info.Size()
				break
			}
		}
		c, ok := f.counts[a.Dir]
		if !ok || c.size != size {
			n, err := results.CountRows(a.Dir)
			if errors.Is(err, fs.ErrNotExist) {
				continue // it ended between the two looks
			}
			if err != nil {
				return 0, 0, err
			}
			c = counted{size, n}
			f.counts[a.Dir] = c
		}
		rows += c.rows
	}
	return min(rows, expected), expected, nil
}

// Missing returns which of a run's parts are neither live nor ended, and must be
// submitted.
func (f *Follower) Missing(ctx context.Context) (list []int, live map[int]State, err error) {
	if live, err = f.Live(ctx); err != nil {
		return nil, nil, err
	}
	_, left, err := f.look(live)
	if err != nil {
		return nil, nil, err
	}
	return slices.DeleteFunc(left, func(i int) bool { return live[i].Live() }), live, nil
}

package console

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/snapbench/snapbench/datasets"
	"github.com/snapbench/snapbench/results"
	"github.com/snapbench/snapbench/runners"
)

// Progress tells a person how far a run is: by a bar with the time left on a terminal,
// by a plain line now and then elsewhere. Its pieces of work are samples or cells.
type Progress struct {
	mu    sync.Mutex
	w     io.Writer
	quiet bool
	now   func() time.Time
	bar   *progressbar.ProgressBar
	pace  pace
	count int // pieces
	ready int // finished pieces
	first int // of these, those that were finished when [Progress.Count] was called first
	start time.Time
	told  time.Time // when the last line was shown
}

// lineEvery is the time between plain lines.
const lineEvery = 10 * time.Second

// NewProgress returns the progress of a run, told on w. Where quiet is set, nothing is.
func NewProgress(w io.Writer, quiet bool) *Progress {
	return &Progress{w: w, quiet: quiet, now: time.Now, pace: newPace()}
}

// Say prints a line beside the bar.
func (p *Progress) Say(format string, arguments ...any) {
	if p.quiet {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar != nil {
		p.bar.Clear()
	}
	fmt.Fprintln(p.w, results.Visible(fmt.Sprintf(format, arguments...)))
}

// Plan counts the work ahead.
func (p *Progress) Plan(ahead []runners.Place) {
	for _, s := range ahead {
		p.add(s.Task.Name()+" "+s.Task.ID(s.Number), s.Task.Name(), s.Effort)
	}
	p.begin()
}

// add counts a piece of work.
func (p *Progress) add(name, task string, effort runners.Effort) {
	p.pace.add(name, task, effort)
	p.count++
}

// begin starts the clock, and the bar where there is a terminal.
func (p *Progress) begin() {
	p.start, p.told = p.now(), p.now()
	f, ok := terminal(p.w)
	if p.quiet || !ok {
		return
	}
	p.bar = progressbar.NewOptions64(1000, progressbar.OptionSetWriter(f), progressbar.OptionClearOnFinish(),
		progressbar.OptionSetPredictTime(false), progressbar.OptionSetElapsedTime(false), progressbar.OptionSetWidth(30))
}

// Within returns what is told how far a sample is.
func (p *Progress) Within(task, id string) func(runners.Progress) {
	name := task + " " + id
	return func(r runners.Progress) {
		decoding := 0.0
		if r.Max > 0 {
			decoding = float64(r.Decoded) / float64(r.Max)
		}
		p.within(name, r.Prefill, decoding, func() string {
			if r.Max > 0 && r.Prefill >= 1 {
				return fmt.Sprintf("%s: token %d", name, r.Decoded)
			}
			return fmt.Sprintf("%s: reading %3.0f %%", name, 100*r.Prefill)
		})
	}
}

// within says that shares of a piece are done, of its reading and of its decoding.
func (p *Progress) within(name string, reading, decoding float64, doing func() string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pace.within(name, reading, decoding)
	p.show(doing)
}

// Finished counts a sample.
func (p *Progress) Finished(t datasets.Task, i int, spent runners.Spent) {
	name := t.Name() + " " + t.ID(i)
	p.finish(name, spent)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.show(func() string { return name })
}

// finish counts a piece.
func (p *Progress) finish(name string, spent runners.Spent) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pace.finish(name, spent)
	p.ready++
}

// left returns the share of all work that is done, and the time that the rest takes: as much longer than the time since the
// start as the work left is more than the work done. ok is false where too little is done to say.
func (p *Progress) left() (share float64, eta time.Duration, ok bool) {
	done, left, found := p.pace.state()
	if len(p.pace.pieces) == 0 { // other processes work at them
		done, left, found = float64(p.ready-p.first), float64(p.count-p.ready), float64(p.first)
	}
	if all := done + left + found; all > 0 {
		share = (done + found) / all
	}
	switch {
	case p.ready == p.count:
		return 1, 0, true
	case done <= 0.002*(done+left):
		return share, 0, false
	}
	return share, time.Duration(float64(p.now().Sub(p.start)) * left / done), true
}

// show shows what is being done, where the last line is old enough.
func (p *Progress) show(what func() string) {
	if p.quiet || p.count == 0 {
		return
	}
	every := lineEvery
	if p.bar != nil {
		every = 100 * time.Millisecond
	}
	if now := p.now(); now.Sub(p.told) < every && p.ready != p.count {
		return
	} else {
		p.told = now
	}
	share, left, ok := p.left()
	eta := "?"
	if ok {
		eta = left.Round(time.Second).String()
	}
	line := results.Visible(fmt.Sprintf("%d/%d  %s  ETA %s", p.ready, p.count, what(), eta))
	if p.bar == nil {
		fmt.Fprintln(p.w, line)
		return
	}
	// A line wider than the terminal wraps, and the bar cannot erase it.
	if len(line) > Width(p.w)-25 {
		line = fmt.Sprintf("%d/%d  ETA %s", p.ready, p.count, eta)
	}
	p.bar.Describe(line)
	p.bar.Set64(int64(1000 * min(1, share)))
}

// Count says how many pieces are done that other processes work at. The time left is
// computed from those that became done since the first call.
func (p *Progress) Count(done, total int, doing string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.count != total: // the first call, or another kind of piece
		p.count, p.first = total, done
		p.begin()
	case done == p.ready && p.now().Sub(p.told) < lineEvery:
		return
	}
	p.ready = done
	p.show(func() string { return doing })
}

// Close ends the bar. It may be called more than once.
func (p *Progress) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar != nil {
		p.bar.Finish()
		p.bar = nil
	}
}

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
	bar   *progressbar.ProgressBar
	total float64 // work of all pieces
	done  float64 // work of the finished ones
	found float64 // work of those that an earlier run had finished
	count int     // pieces
	ready int     // finished pieces
	start time.Time
	told  time.Time          // when the last line was shown
	size  map[string]float64 // work of a piece, by name
	share map[string]float64 // share that is done of the pieces in hand
	left  map[string]int     // pieces of a name: a question has one for each convention
}

// lineEvery is the time between plain lines.
const lineEvery = 10 * time.Second

// NewProgress returns the progress of a run, told on w. Where quiet is set, nothing is.
func NewProgress(w io.Writer, quiet bool) *Progress { return &Progress{w: w, quiet: quiet} }

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

// Plan counts the work ahead, in tokens of the samples' prompts.
func (p *Progress) Plan(ahead []runners.Place) {
	for _, s := range ahead {
		p.add(s.Task.Name()+" "+s.Task.ID(s.Number), float64(max(1, s.Task.Size(s.Number))))
	}
	p.begin()
}

// add counts a piece of work.
func (p *Progress) add(name string, size float64) {
	if p.size == nil {
		p.size, p.share, p.left = map[string]float64{}, map[string]float64{}, map[string]int{}
	}
	p.size[name] = size
	p.left[name]++
	p.total += size
	p.count++
}

// begin starts the clock, and the bar where there is a terminal.
func (p *Progress) begin() {
	p.start, p.told = time.Now(), time.Now()
	f, ok := terminal(p.w)
	if p.quiet || !ok {
		return
	}
	p.bar = progressbar.NewOptions64(1000, progressbar.OptionSetWriter(f), progressbar.OptionClearOnFinish(),
		progressbar.OptionSetPredictTime(false), progressbar.OptionSetElapsedTime(false), progressbar.OptionSetWidth(30))
}

// Within returns what is told how far a sample is.
func (p *Progress) Within(task, id string) func(runners.Progress) {
	return func(r runners.Progress) {
		// Reading is most of the work of a long prompt.
		share := 0.9 * r.Prefill
		doing := fmt.Sprintf("reading %3.0f %%", 100*r.Prefill)
		if r.Max > 0 && r.Prefill >= 1 {
			share += 0.1 * float64(r.Decoded) / float64(r.Max)
			doing = fmt.Sprintf("token %d", r.Decoded)
		}
		name := task + " " + id
		p.within(name, share, name+": "+doing)
	}
}

// within says that a share of a piece is done.
func (p *Progress) within(name string, share float64, doing string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.share[name] = max(p.share[name], share)
	p.show(doing)
}

// Finished counts a sample.
func (p *Progress) Finished(t datasets.Task, i int) {
	name := t.Name() + " " + t.ID(i)
	p.finish(name)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.show(name)
}

// finish counts a piece. One of which no share was ever told had nothing left to do: it
// tells nothing about the time that the others take.
func (p *Progress) finish(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done += p.size[name]
	if _, worked := p.share[name]; !worked {
		p.found += p.size[name]
	}
	if p.left[name]--; p.left[name] < 1 {
		delete(p.share, name)
	}
	p.ready++
}

// show shows what is being done, where the last line is old enough. The time left is as
// much longer than the time since the start as the work left is more than the work done.
func (p *Progress) show(what string) {
	if p.quiet || p.total == 0 {
		return
	}
	done := p.done
	for name, share := range p.share {
		done += share * p.size[name]
	}
	share, eta := done/p.total, "?"
	if own := done - p.found; own > 0.002*p.total {
		eta = time.Duration(float64(time.Since(p.start)) * (p.total - done) / own).Round(time.Second).String()
	} else if done >= p.total {
		eta = "0s"
	}
	line := results.Visible(fmt.Sprintf("%d/%d  %s  ETA %s", p.ready, p.count, what, eta))
	if p.bar != nil {
		// A line wider than the terminal wraps, and the bar cannot erase it.
		if len(line) > Width(p.w)-25 {
			line = fmt.Sprintf("%d/%d  ETA %s", p.ready, p.count, eta)
		}
		if time.Since(p.told) > 100*time.Millisecond {
			p.told = time.Now()
			p.bar.Describe(line)
			p.bar.Set64(int64(1000 * min(1, share)))
		}
		return
	}
	if time.Since(p.told) >= lineEvery || p.ready == p.count {
		p.told = time.Now()
		fmt.Fprintln(p.w, line)
	}
}

// Count says how many pieces are done that other processes work at. The time left is
// computed from those that became done since the first call.
func (p *Progress) Count(done, total int, doing string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.count != total: // the first call, or another kind of piece
		p.total, p.count, p.found = float64(total), total, float64(done)
		p.begin()
	case done == p.ready && time.Since(p.told) < lineEvery:
		return
	}
	p.done, p.ready = float64(done), done
	p.show(doing)
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

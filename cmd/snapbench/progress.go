package main

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

// progress tells a person where a run is: a bar with ETA on a terminal, a plain
// line now and then elsewhere.
type progress struct {
	mu    sync.Mutex
	w     io.Writer
	quiet bool
	bar   *progressbar.ProgressBar
	total float64 // tokens of all prompts
	done  float64
	found float64 // tokens of samples that an earlier run has finished
	count int
	ready int
	start time.Time
	told  time.Time
	size  map[string]float64 // tokens of a sample, by task and ID
	share map[string]float64 // what is done of the samples in hand
}

// between plain lines.
const lineEvery = 10 * time.Second

func newProgress(w io.Writer, quiet bool) *progress { return &progress{w: w, quiet: quiet} }

// Say prints a line beside the bar.
func (p *progress) Say(format string, arguments ...any) {
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

// Plan counts the work ahead, in tokens.
func (p *progress) Plan(tasks []datasets.Task) {
	p.size, p.share = map[string]float64{}, map[string]float64{}
	for _, t := range tasks {
		for i := range t.Len() {
			size := float64(max(1, t.Size(i)))
			p.size[t.Name()+" "+t.ID(i)] = size
			p.total += size
			p.count++
		}
	}
	p.begin()
}

// begin starts the clock, and the bar where there is a terminal.
func (p *progress) begin() {
	p.start, p.told = time.Now(), time.Now()
	f, ok := asTerminal(p.w)
	if p.quiet || !ok {
		return
	}
	p.bar = progressbar.NewOptions64(1000, progressbar.OptionSetWriter(f), progressbar.OptionClearOnFinish(),
		progressbar.OptionSetPredictTime(false), progressbar.OptionSetElapsedTime(false), progressbar.OptionSetWidth(30))
}

// Within reports a sample's own progress.
func (p *progress) Within(task, id string) func(runners.Progress) {
	return func(r runners.Progress) {
		// Reading is most of the work of a long prompt.
		share := 0.9 * r.Prefill
		doing := fmt.Sprintf("reading %3.0f %%", 100*r.Prefill)
		if r.Max > 0 && r.Prefill >= 1 {
			share += 0.1 * float64(r.Decoded) / float64(r.Max)
			doing = fmt.Sprintf("token %d", r.Decoded)
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		p.share[task+" "+id] = max(p.share[task+" "+id], share)
		p.show(fmt.Sprintf("%s %s: %s", task, id, doing))
	}
}

// Finished counts a sample. One that never went through Within had nothing left
// to do.
func (p *progress) Finished(t datasets.Task, i int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	name := t.Name() + " " + t.ID(i)
	p.done += p.size[name]
	if _, worked := p.share[name]; !worked {
		p.found += p.size[name]
	}
	delete(p.share, name)
	p.ready++
	p.show(fmt.Sprintf("%s %s", t.Name(), t.ID(i)))
}

func (p *progress) show(what string) {
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
		// What is wider than the terminal would leave lines behind.
		if room := terminalWidth(p.w) - 25; len(line) > room {
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

func (p *progress) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar != nil {
		p.bar.Finish()
		p.bar = nil
	}
}

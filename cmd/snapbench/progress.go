package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/snapbench/snapbench/datasets"
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
	count int
	ready int
	start time.Time
	told  time.Time
	now   float64 // share of the sample in hand
	size  float64
}

// between plain lines.
const lineEvery = 10 * time.Second

func newProgress(w io.Writer, quiet bool) *progress { return &progress{w: w, quiet: quiet} }

// say prints a line beside the bar.
func (p *progress) say(format string, arguments ...any) {
	if p.quiet {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar != nil {
		p.bar.Clear()
	}
	fmt.Fprintf(p.w, format+"\n", arguments...)
}

// plan counts the work ahead, in tokens.
func (p *progress) plan(tasks []datasets.Task) {
	p.start, p.told = time.Now(), time.Now()
	for _, t := range tasks {
		for i := range t.Len() {
			p.total += float64(max(1, t.Size(i)))
			p.count++
		}
	}
	f, ok := p.w.(*os.File)
	if p.quiet || !ok || !term.IsTerminal(int(f.Fd())) {
		return
	}
	p.bar = progressbar.NewOptions64(1000, progressbar.OptionSetWriter(f), progressbar.OptionClearOnFinish(),
		progressbar.OptionSetPredictTime(false), progressbar.OptionSetElapsedTime(false), progressbar.OptionSetWidth(30))
}

// within reports a sample's own progress.
func (p *progress) within(task, id string) func(runners.Progress) {
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
		p.now = max(p.now, share)
		p.show(fmt.Sprintf("%s %s: %s", task, id, doing))
	}
}

// finished counts a sample.
func (p *progress) finished(t datasets.Task, i int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done += float64(max(1, t.Size(i)))
	p.ready++
	p.now = 0
	p.show(fmt.Sprintf("%s %s", t.Name(), t.ID(i)))
}

func (p *progress) show(what string) {
	if p.quiet || p.total == 0 {
		return
	}
	share := p.done / p.total
	eta := "?"
	if elapsed := time.Since(p.start); share > 0.005 {
		eta = time.Duration(float64(elapsed) * (1 - share) / share).Round(time.Second).String()
	}
	line := fmt.Sprintf("%d/%d  %s  ETA %s", p.ready, p.count, what, eta)
	if p.bar != nil {
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

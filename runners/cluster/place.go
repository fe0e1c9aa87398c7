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

// Placement is a run whose parts an engine places.
type Placement struct {
	Engine Engine
	On     string // the engine's name
	Work   Work   // Parts, Token excepted
	Dir    string // the run's folder here
	Retry  bool   // submit parts that have ended too, for their rows with errors
	Say    func(format string, arguments ...any)
	Told   func(Status)

	record Record
}

// Print returns what would be submitted for all parts.
func (p *Placement) Print() (string, error) {
	w := p.Work
	w.Parts = everyPart(w.Count)
	if p.Retry {
		w.Arguments = append(slices.Clone(w.Arguments), "--retry")
	}
	return p.Engine.Render(w)
}

func everyPart(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	return list
}

// Submit submits the parts that are neither live nor ended, and returns what follows
// them, and those that were submitted before.
func (p *Placement) Submit(ctx context.Context) (*Follower, error) {
	var err error
	if p.record, err = ReadRecord(p.Dir); err != nil {
		return nil, err
	}
	if err := p.same(); err != nil {
		return nil, err
	}
	f := &Follower{Engine: p.Engine, Work: p.Work, Dir: p.Dir, Told: p.Told}
	for _, j := range p.record.Jobs {
		if j.Count == p.Work.Count {
			f.Jobs = append(f.Jobs, j)
		} else if err := p.over(ctx, j); err != nil {
			return nil, err
		}
	}
	missing, live, err := f.Missing(ctx)
	if err != nil {
		return nil, err
	}
	if p.Retry { // rows with errors are in parts that have ended
		missing = slices.DeleteFunc(everyPart(p.Work.Count), func(i int) bool { return live[i].Live() })
		p.Work.Arguments = append(slices.Clone(p.Work.Arguments), "--retry")
	}
	if len(missing) == 0 {
		p.Say("%s: attached to what was submitted", p.Dir)
	} else if err := p.submit(ctx, f, missing); err != nil {
		return nil, err
	}
	if n := len(f.Jobs); n > 0 {
		last, w := f.Jobs[n-1], f.Work
		w.Parts = last.Parts
		for _, line := range p.Engine.Advice(last.ID, w) {
			p.Say("  %s", line)
		}
	}
	return f, nil
}

// same is an error where the folder's record is of another command. The day on which a
// run was begun is kept.
func (p *Placement) same() error {
	if len(p.record.Jobs) == 0 {
		p.record = Record{Engine: p.On, Arguments: p.Work.Arguments}
		return nil
	}
	had := p.record.Arguments
	dateless := func(list []string) []string {
		return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return strings.HasPrefix(s, "--date=") })
	}
	if p.record.Engine != p.On || !slices.Equal(dateless(had), dateless(p.Work.Arguments)) {
		return fmt.Errorf("%s was submitted by --on %s as\n  %s\nand this is --on %s with\n  %s\nchoose another folder, or give the same command to attach",
			p.Dir, p.record.Engine, strings.Join(had, " "), p.On, strings.Join(p.Work.Arguments, " "))
	}
	p.Work.Arguments = had
	return nil
}

// over is an error where an earlier job, of another number of parts, is at work.
func (p *Placement) over(ctx context.Context, j Job) error {
	f := Follower{Engine: p.Engine, Work: p.Work, Dir: p.Dir, Jobs: []Job{j}}
	f.Work.Count = j.Count
	states, err := f.Live(ctx)
	if err != nil {
		return err
	}
	for part, state := range states {
		if state.Live() {
			return fmt.Errorf("%s: job %s is at work on it in %d parts (part %d is %s): attach to it by --shards %d, or stop it first:\n  %s",
				p.Dir, j.ID, j.Count, part, state, j.Count, strings.Join(p.Engine.Advice(j.ID, f.Work), "\n  "))
		}
	}
	return nil
}

// submit submits parts, after looking whether they can run at all.
func (p *Placement) submit(ctx context.Context, f *Follower, missing []int) error {
	if p.Work.Unseen {
		// What is submitted is recorded here, and what is joined is brought here.
		if err := os.MkdirAll(p.Dir, 0o755); err != nil {
			return results.Explain(p.Dir, err)
		}
	} else {
		remarks, err := CheckFolder(p.Dir)
		if err != nil {
			return err
		}
		p.say(remarks)
		if p.Work.Token, err = Token(p.Dir); err != nil {
			return err
		}
	}
	p.Work.Parts = missing
	var had map[int]int
	if p.Retry && !p.Work.Unseen {
		folder, err := parts.Look(p.Dir)
		if err != nil {
			return err
		}
		had = folder.Ended(p.Work.Count)
	}
	remarks, err := p.Engine.Check(ctx, p.Work)
	if err != nil {
		return err
	}
	p.say(remarks)
	id, failed := p.handOver(ctx)
	if id == "" {
		return failed
	}
	job := Job{ID: id, Parts: missing, Count: p.Work.Count, Submitted: time.Now().UTC().Truncate(time.Second), Had: had}
	p.record.Jobs = append(p.record.Jobs, job)
	if err := p.record.Write(p.Dir); err != nil {
		return errors.Join(failed, fmt.Errorf("job %s is submitted, and cannot be attached to: %w", id, err))
	}
	if failed != nil {
		return fmt.Errorf("%w; the same command attaches to it where it was", failed)
	}
	p.Say("%s: %d of %d parts submitted as %s", p.Dir, len(missing), p.Work.Count, id)
	f.Jobs, f.Work = append(f.Jobs, job), p.Work
	return nil
}

// handOver has the engine take the work, also where the context ends meanwhile: what was
// submitted must be recorded, or the same command would submit it a second time.
func (p *Placement) handOver(ctx context.Context) (id string, err error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	told := make(chan struct{})
	untold := context.AfterFunc(ctx, func() {
		defer close(told)
		p.Say("%s: interrupted while parts are submitted: this ends when %s has said by which name; ended sooner, they may be submitted without a record", p.Dir, p.On)
	})
	id, err = p.Engine.Submit(context.WithoutCancel(ctx), p.Work)
	if !untold() {
		<-told
	}
	return id, err
}

func (p *Placement) say(remarks []string) {
	for _, r := range remarks {
		p.Say("%s", r)
	}
}

// Collect makes the folder here hold the run whose parts have all ended: it joins them
// where the last part did not, or fetches what was joined where this machine does not
// see it. joined is nil where nothing had to be joined here.
func (p *Placement) Collect(ctx context.Context, f *Follower) (joined *parts.Joined, err error) {
	if p.Work.Unseen {
		fetcher, ok := p.Engine.(Fetcher)
		if !ok {
			return nil, fmt.Errorf("all parts have ended; this machine does not see %s: snapbench results show shows it where it is seen", p.Work.Out)
		}
		err := fetcher.Fetch(ctx, f.Jobs[len(f.Jobs)-1].ID, f.Work, p.Dir)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("all parts have ended, and none has joined the run: snapbench results join %s says why where it is seen", p.Work.Out)
		}
		return nil, err
	}
	folder, err := parts.Look(p.Dir)
	if err != nil {
		return nil, err
	}
	if ok, err := parts.IsJoined(folder); ok || err != nil {
		return nil, err
	}
	j, err := parts.Join(p.Dir, false)
	return &j, err
}

// JobName makes a name for an engine's listings from a run's folder (Work.Name).
func JobName(dir string) string {
	const most = 40
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		}
		return '-'
	}, "snapbench-"+filepath.Base(dir))
	return strings.Trim(name[:min(len(name), most)], "-")
}

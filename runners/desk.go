package runners

import (
	"context"
	"sync"
)

// desk is where one of the team gets its samples, and leaves what came of them. Its answers are graded and written beside
// the runner's work: a device waits for neither.
type desk struct {
	plan   *plan
	ctx    context.Context
	runner Runner
	given  chan given
	ended  chan struct{} // when all that was given is written
	mu     sync.Mutex
	err    error // of grading or writing: the first
}

// given is a sample's answers, and who gave them: a server is known late.
type given struct {
	*asked
	about       Description
	completions []Completion
}

// givenAhead is how many samples' answers may wait for being graded. A runner that is further ahead waits: what waits is
// lost in a kill.
const givenAhead = 16

func (p *plan) desk(ctx context.Context, r Runner) *desk {
	d := &desk{plan: p, ctx: ctx, runner: r, given: make(chan given, givenAhead), ended: make(chan struct{})}
	go d.write()
	return d
}

// write grades what is given, in its order, and writes it down.
func (d *desk) write() {
	defer close(d.ended)
	for g := range d.given {
		spent := spentOn(g.request, g.completions)
		err := g.answered(g.about, g.completions)
		if err == nil && g.unsure && d.ctx.Err() != nil { // what ends the run may have ended the program, too
			err = context.Cause(d.ctx)
		}
		if err == nil {
			err = d.plan.write(g.asked, spent)
		}
		if err == nil {
			continue
		}
		d.plan.fail(d.ctx, d.runner, err) // no further sample is handed out
		d.mu.Lock()
		if d.err == nil {
			d.err = err
		}
		d.mu.Unlock()
	}
}

// failed returns the first error of what was given.
func (d *desk) failed() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.err
}

// close waits until everything that was given is written.
func (d *desk) close() {
	close(d.given)
	<-d.ended
}

// Next hands out the next sample that needs an answer.
func (d *desk) Next(ctx context.Context, wait bool, fits func(Request) bool) (*Handed, bool, error) {
	a, done, err := d.plan.next(ctx, wait, fits)
	if a == nil {
		return nil, done, err
	}
	return &Handed{a.request, func(completions []Completion) error {
		if err := d.failed(); err != nil { // nothing of this runner can go on
			return err
		}
		d.given <- given{a, d.runner.Describe(), completions}
		return nil
	}}, false, nil
}

package runners

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/snapbench/snapbench/datasets"
	"github.com/snapbench/snapbench/results"
)

// plan hands a job's samples out, batch after batch, and writes down what comes back.
// Samples are made ready ahead of the runners, in the order in which one runner
// would take them.
type plan struct {
	job       *Job
	watch     Watch
	several   bool
	ready     <-chan *asked
	cancel    context.CancelFunc
	taking    sync.Mutex // over held
	held      *asked     // made ready, for the next batch
	mu        sync.Mutex // over what follows
	journal   *results.Journal
	positions *keeping // nil: they are not stored
	err       error    // the first: no further batch is handed out
}

// prepared is how many samples are made ready before a runner asks for them.
const prepared = 4

func (j *Job) plan(ctx context.Context, team []Runner, journal *results.Journal, watch Watch) *plan {
	ahead := j.Places()
	watch.Plan(ahead)
	ctx, cancel := context.WithCancel(ctx)
	ready := make(chan *asked, prepared)
	p := &plan{job: j, watch: watch, several: len(team) > 1, ready: ready, cancel: cancel, journal: journal}
	go func() {
		defer close(ready)
		for _, place := range ahead {
			a := p.ask(place.Task, place.Number)
			select {
			case ready <- a:
			case <-ctx.Done():
				return
			}
		}
	}()
	return p
}

// Places returns the job's samples, those of its part where it has one: each task's from
// the largest to the smallest.
func (j *Job) Places() (list []Place) {
	at := 0 // counted across tasks, so that parts of many small tasks are equally large
	for _, task := range j.Tasks {
		for _, number := range datasets.Order(task) {
			if j.Part.Takes(at) {
				list = append(list, Place{task, number})
			}
			at++
		}
	}
	return list
}

// enough says whether the run was asked to end.
func (p *plan) enough() bool {
	select {
	case <-p.job.Enough:
		return true
	default:
		return false
	}
}

// close ends the making ready.
func (p *plan) close() {
	p.cancel()
	for range p.ready {
	}
}

// next returns the samples that a runner is to answer, none where all are handed
// out: of one task, as many as fit together. Those that need no answer are written
// down on the way.
func (p *plan) next(ctx context.Context, r Runner) (batch, error) {
	p.taking.Lock()
	defer p.taking.Unlock()
	var list batch
	var requests []Request
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if p.failed() {
			return nil, nil
		}
		if p.enough() {
			if len(list) > 0 {
				return list, nil
			}
			return nil, ErrEnough
		}
		if p.held == nil {
			a, ok := <-p.ready
			if !ok {
				return list, ctx.Err()
			}
			if err := ctx.Err(); err != nil {
				return nil, err // what ended it may have kept the sample from being made
			}
			p.held = a
		}
		a := p.held
		if len(list) > 0 && list[0].task != a.task || a.open() && !r.Fits(requests, a.request) {
			return list, nil // it stays for the next batch
		}
		p.held = nil
		if a.open() {
			list, requests = append(list, a), append(requests, a.request)
		} else if err := p.write(batch{a}); err != nil {
			return nil, err
		}
	}
}

func (p *plan) failed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err != nil
}

// write appends a batch's rows, also where another batch has failed meanwhile.
func (p *plan) write(list batch) error {
	var rows []results.Row
	for _, a := range list {
		rows = append(rows, a.rows...)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.positions.write(list); err != nil { // before the rows: a kill between the two loses nothing
		return err
	}
	if len(rows) > 0 {
		if err := p.journal.Append(rows...); err != nil {
			return err
		}
	}
	for _, a := range list {
		p.watch.Finished(a.task, a.number)
	}
	// What throws doubt on every figure ends the run; the row is kept.
	for _, a := range list {
		for _, r := range a.rows {
			if a.untrusted && r.Error != "" {
				return errors.New(r.Error)
			}
		}
	}
	return nil
}

// fail keeps the first error, with the runner's name where there are several, and ends
// the handing out. Samples that other runners have in hand are completed.
func (p *plan) fail(ctx context.Context, r Runner, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return
	}
	if p.err = err; p.several && ctx.Err() == nil && !errors.Is(err, ErrEnough) {
		p.err = fmt.Errorf("%s: %w", r.Describe().Name, err)
		p.watch.Say("%v: the other devices finish what they have in hand", p.err)
	}
}

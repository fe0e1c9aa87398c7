package runners

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/snapbench/snapbench/results"
)

// plan hands a job's samples out, one after the other, and writes down what comes back.
// Samples are made ready ahead of the runners, in the order in which one runner
// would take them.
type plan struct {
	job       *Job
	watch     Watch
	several   bool
	ready     <-chan *asked
	cancel    context.CancelFunc
	taking    sync.Mutex // over held
	held      *asked     // made ready, and not handed out yet
	mu        sync.Mutex // over what follows
	journal   *results.Journal
	positions *keeping // nil: they are not stored
	err       error    // the first: nothing further is handed out
	ended     bool     // before the last sample, as was asked
	spent     Spent    // on what was answered
}

// madeReady is how many samples are made ready before a runner asks for them: short ones join a batch many at a time.
const madeReady = 8

// makers is how many samples are made ready at the same time. A device on the processor has most of its threads.
func makers() int { return max(1, min(madeReady, runtime.GOMAXPROCS(0)/4)) }

func (j *Job) plan(ctx context.Context, team []Runner, journal *results.Journal, watch Watch) *plan {
	ahead := j.Places()
	j.weigh(ahead, team)
	watch.Plan(ahead)
	ctx, cancel := context.WithCancel(ctx)
	ready := make(chan *asked, madeReady)
	p := &plan{job: j, watch: watch, several: len(team) > 1, ready: ready, cancel: cancel, journal: journal}
	go p.prepare(ctx, ahead, ready)
	return p
}

// prepare makes samples ready, several at a time and given on in their order. When ready is closed none is being made any more:
// the next run of the same journal may have begun by then.
func (p *plan) prepare(ctx context.Context, ahead []Place, ready chan<- *asked) {
	defer close(ready)
	var wait sync.WaitGroup
	defer wait.Wait()
	making := make(chan chan *asked, makers()-1) // and the one that is waited for
	wait.Go(func() {
		defer close(making)
		for _, place := range ahead {
			one := make(chan *asked, 1)
			select {
			case making <- one:
			case <-ctx.Done():
				return
			}
			wait.Go(func() { one <- p.ask(place.Task, place.Number) })
		}
	})
	for one := range making {
		select {
		case ready <- <-one:
		case <-ctx.Done():
			return
		}
	}
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

// next hands out the next sample that needs an answer, where it fits; those that need none
// are written down on the way. It returns nil where none is ready and it need not wait, where
// the next one does not fit, and where all are handed out or no more may be, which done says.
func (p *plan) next(ctx context.Context, wait bool, fits func(Request) bool) (a *asked, done bool, err error) {
	p.taking.Lock()
	defer p.taking.Unlock()
	for {
		if err := ctx.Err(); err != nil {
			return nil, false, err
		}
		if p.failed() {
			return nil, true, nil
		}
		if p.enough() {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.ended = true
			return nil, true, nil
		}
		if p.held == nil {
			a, ok, open := p.prepared(wait)
			if !open {
				return nil, true, ctx.Err()
			}
			if !ok {
				return nil, false, nil
			}
			if err := ctx.Err(); err != nil {
				return nil, false, err // what ended it may have kept the sample from being made
			}
			if len(a.rows) > 0 && errors.Is(a.sample.Err, ErrGone) {
				return nil, false, a.sample.Err
			}
			p.held = a
		}
		a := p.held
		if a.open() && fits != nil && !fits(a.request) {
			return nil, false, nil // it stays for whoever asks next
		}
		p.held = nil
		if a.open() {
			return a, false, nil
		}
		if err := p.write(a, Spent{}); err != nil {
			return nil, false, err
		}
	}
}

// prepared returns the next sample that is ready, if there is one or it waits; open is false
// behind the last.
func (p *plan) prepared(wait bool) (a *asked, ok, open bool) {
	if wait {
		a, open = <-p.ready
		return a, open, open
	}
	select {
	case a, open = <-p.ready:
		return a, open, open
	default:
		return nil, false, true
	}
}

func (p *plan) failed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err != nil
}

// write appends a sample's rows, also where another sample has failed meanwhile.
func (p *plan) write(a *asked, spent Spent) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.positions.write(a); err != nil { // before the rows: a kill between the two loses nothing
		return err
	}
	if len(a.rows) > 0 {
		if err := p.journal.Append(a.rows...); err != nil {
			return err
		}
	}
	p.spent.Reading, p.spent.Decoding = p.spent.Reading+spent.Reading, p.spent.Decoding+spent.Decoding
	p.watch.Finished(a.task, a.number, spent)
	// What throws doubt on every figure ends the run; the row is kept.
	for _, r := range a.rows {
		if a.untrusted && r.Error != "" {
			return errors.New(r.Error)
		}
	}
	return nil
}

// sum says what devices did in the time that a team had.
func (p *plan) sum(team int, took time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if busy := p.spent.Reading + p.spent.Decoding; busy > 0 {
		p.watch.Say("prompts were read in %.1f s, answers decoded in %.1f s: devices were at work for %.0f %% of %.1f s",
			p.spent.Reading.Seconds(), p.spent.Decoding.Seconds(), 100*busy.Seconds()/took.Seconds()/float64(team), took.Seconds())
	}
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

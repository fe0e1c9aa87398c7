package server

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Figures are what a server was seen to do.
type Figures struct {
	Requests, Failed        int
	PromptTokens, NewTokens int64         // by the server's own count
	Busy                    time.Duration // from the first request to the end of the last
	Peak                    Load          // the highest of each, by /metrics, while something was asked
}

// The metrics are looked at so often, and for the first time so long after a request went
// out: a server that has just got it does not count it yet.
const (
	lookEvery = 500 * time.Millisecond
	lookAfter = 100 * time.Millisecond
)

// meter counts what is asked, and looks at the server's metrics meanwhile.
type meter struct {
	mu     sync.Mutex
	sum    Figures
	first  time.Time
	last   time.Time
	looked time.Time          // when the last look began
	before time.Time          // when the look before it did
	looks  int                // how many began
	amid   int                // the look that is underway, counted from 1; 0: none
	blind  bool               // there are no metrics
	out    int                // requests on their way
	rest   context.CancelFunc // ends the looking
}

// begins notes that a request goes out. As long as any is out the metrics are looked at;
// ends is called when it is answered, or has failed.
func (m *meter) begins(r *Runner) (ends func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.out++; m.out == 1 && !m.blind {
		ctx, rest := context.WithCancel(context.Background()) // it outlives the request that began it
		m.rest = rest
		go m.watch(ctx, r, time.Until(m.looked.Add(lookEvery)))
	}
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.out--; m.out == 0 && m.rest != nil {
			m.rest()
			m.rest = nil
			if m.amid > 0 { // a look that is broken off saw nothing
				m.looked = m.before
			}
		}
	}
}

// watch looks now and then until the context ends.
func (m *meter) watch(ctx context.Context, r *Runner, wait time.Duration) {
	for wait = max(wait, lookAfter); ; wait = lookEvery {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		if m.look(ctx, r); m.isBlind() {
			return
		}
	}
}

func (m *meter) isBlind() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.blind
}

// look raises the peaks. Metrics that cannot be read now may be read later.
func (m *meter) look(ctx context.Context, r *Runner) {
	m.mu.Lock()
	if ctx.Err() != nil { // the last answer came just now: this was no look
		m.mu.Unlock()
		return
	}
	m.looks++
	look := m.looks
	m.before, m.looked, m.amid = m.looked, time.Now(), look
	m.mu.Unlock()
	l, ok, err := r.Load(ctx)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.amid == look {
		m.amid = 0
	}
	if m.blind = m.blind || err == nil && !ok; !ok {
		return
	}
	for _, of := range []func(*Load) **float64{
		func(l *Load) **float64 { return &l.CacheUse }, func(l *Load) **float64 { return &l.Running }, func(l *Load) **float64 { return &l.Waiting },
	} {
		if peak, v := of(&m.sum.Peak), *of(&l); v != nil && (*peak == nil || *v > **peak) {
			*peak = v
		}
	}
}

// asked counts a request that has ended, unless it was us who ended it: that says nothing
// of the server. Where answers are too quick to be looked at meanwhile, the metrics are
// looked at behind one of them.
func (m *meter) asked(ctx context.Context, r *Runner, a *answer, err error) {
	if errors.Is(context.Cause(ctx), context.Canceled) {
		return
	}
	now := time.Now()
	m.mu.Lock()
	m.sum.Requests++
	if err != nil {
		m.sum.Failed++
	}
	m.sum.PromptTokens += int64(a.usage.PromptTokens)
	m.sum.NewTokens += int64(a.usage.CompletionTokens)
	if m.first.IsZero() || a.began.Before(m.first) {
		m.first = a.began
	}
	m.last = now
	look := err == nil && !m.blind && now.Sub(m.looked) > 2*lookEvery
	m.mu.Unlock()
	if look {
		m.look(ctx, r)
	}
}

// figures returns what was counted.
func (m *meter) figures() Figures {
	m.mu.Lock()
	defer m.mu.Unlock()
	f := m.sum
	f.Busy = m.last.Sub(m.first)
	return f
}

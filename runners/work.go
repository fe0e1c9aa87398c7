package runners

import (
	"context"
	"sync"
)

// Work hands out requests and takes their answers back.
type Work interface {
	// Next hands out the next request where fits says yes to it; nil fits all. It waits
	// for one to be ready where wait is set. It returns nil where none is ready, or the
	// next one does not fit; done says that no other comes.
	Next(ctx context.Context, wait bool, fits func(Request) bool) (h *Handed, done bool, err error)
}

// Handed is a request that somebody has in hand.
type Handed struct {
	Request
	// Answer gives back a completion for each of the request's variants, in their order.
	Answer func(completions []Completion) error
}

// OneByOne is the Run of a runner that answers one request after the other.
func OneByOne(ctx context.Context, work Work, answer func(context.Context, Request) ([]Completion, error)) error {
	for {
		h, done, err := work.Next(ctx, true, nil)
		if err != nil || done {
			return err
		}
		completions, err := answer(ctx, h.Request)
		if err != nil {
			return err
		}
		if err := h.Answer(completions); err != nil {
			return err
		}
	}
}

// Answer has a runner complete requests: out[i][j] belongs to requests[i].Variants[j].
func Answer(ctx context.Context, r Runner, requests ...Request) (out [][]Completion, err error) {
	list := &list{requests: requests, out: make([][]Completion, len(requests))}
	if err := r.Run(ctx, list); err != nil {
		return nil, err
	}
	return list.out, nil
}

// list is work that is all ready.
type list struct {
	mu       sync.Mutex
	requests []Request
	next     int
	out      [][]Completion
}

func (l *list) Next(ctx context.Context, _ bool, fits func(Request) bool) (*Handed, bool, error) {
	if err := ctx.Err(); err != nil {
		return nil, false, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	i := l.next
	if i == len(l.requests) {
		return nil, true, nil
	}
	if fits != nil && !fits(l.requests[i]) {
		return nil, false, nil
	}
	l.next++
	return &Handed{l.requests[i], func(c []Completion) error {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.out[i] = c
		return nil
	}}, false, nil
}

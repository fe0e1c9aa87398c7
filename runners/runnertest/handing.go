package runnertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/snapbench/snapbench/runners"
)

// Requests are handed out one after the other, one that is alone whether it fits or not, each is
// answered once, and what work says is wrong ends it.
func handing(ctx context.Context, s Subject) error {
	w := &desk{list: append(slices.Clone(s.Requests), s.Impossible, s.Requests[0]), answered: map[int]int{}}
	for i := range w.list {
		w.list[i].Variants, w.list[i].MaxNew = s.Variants, most
	}
	if err := s.Runner.Run(ctx, w); err != nil {
		return err
	}
	if w.wrong != nil {
		return w.wrong
	}
	for i := range w.list {
		if n := w.answered[i]; n != 1 {
			return fmt.Errorf("request %d is answered %d times", i, n)
		}
	}
	for _, lost := range []*desk{{list: w.list[:1], lost: true, answered: map[int]int{}}, {lost: true, answered: map[int]int{}}} {
		if err := s.Runner.Run(ctx, lost); !errors.Is(err, errLost) {
			return fmt.Errorf("work that is lost: %v", err)
		}
	}
	return nil
}

var errLost = errors.New("nobody takes this answer")

// desk hands requests out, and notes what comes back.
type desk struct {
	mu       sync.Mutex
	list     []runners.Request
	next     int
	hand     int // how many are in hand
	refused  bool
	lost     bool
	answered map[int]int
	wrong    error
}

func (d *desk) Next(_ context.Context, wait bool, fits func(runners.Request) bool) (*runners.Handed, bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	i := d.next
	switch {
	case i == len(d.list) && i == 0 && d.lost:
		return nil, false, errLost
	case i == len(d.list):
		return nil, true, nil
	case !wait && i%2 == 1 && !d.refused: // it is not ready yet
		d.refused = true
		return nil, false, nil
	case fits != nil && !fits(d.list[i]):
		if d.hand == 0 {
			d.wrong = fmt.Errorf("request %d does not fit alone", i)
			return nil, true, nil
		}
		return nil, false, nil
	}
	d.refused = false
	d.next++
	d.hand++
	return &runners.Handed{Request: d.list[i], Answer: func(c []runners.Completion) error {
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.hand--; d.lost {
			return errLost
		}
		if d.answered[i]++; len(c) != len(d.list[i].Variants) {
			d.wrong = fmt.Errorf("request %d: %d variants have %d completions", i, len(d.list[i].Variants), len(c))
		}
		return nil
	}}, false, nil
}

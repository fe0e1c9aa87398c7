package local

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/snapbench/snapbench/runners"
	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/models"
)

// memory is a card's memory, or the host's, and the engines that share it. A batch locks it
// for reading, or for writing where no other batch may run.
type memory struct {
	sync.RWMutex
	engines []*Engine
	apart   atomic.Int32 // how many wait to have it for themselves
}

// wanted says whether an engine waits until nobody else has anything in hand.
func (m *memory) wanted() bool { return m.apart.Load() > 0 }

// beside completes requests while other engines may use the same memory.
func (e *Engine) beside(ctx context.Context, work runners.Work) (lacking []*runners.Handed, done bool, err error) {
	e.memory.RLock()
	defer e.memory.RUnlock()
	return e.newBatch().run(ctx, work, false)
}

// apart completes requests while no other engine uses the memory.
func (e *Engine) apart(ctx context.Context, work runners.Work) error {
	e.memory.apart.Add(1)
	e.memory.Lock()
	defer e.memory.Unlock()
	e.memory.apart.Add(-1)
	for _, other := range e.memory.engines {
		if t, ok := other.model.Device().(engine.Trimmer); ok {
			t.Trim()
		}
	}
	_, _, err := e.newBatch().run(ctx, work, true)
	return err
}

// share is what a request is planned to take while it is decoded, and while its prompt is
// read.
func (e *Engine) share(q runners.Request) (decoding share, prefill int64, err error) {
	policies, err := policiesOf(q.Variants)
	if err != nil {
		return share{}, 0, err
	}
	plan := e.model.Plan(policies, len(q.Prompt), len(q.Question)+q.MaxNew, q.Fidelity)
	for _, c := range plan.Caches {
		decoding.caches += c
	}
	decoding.decode = plan.Decode
	return decoding, plan.Prefill, nil
}

// fits says whether a request may join those in hand, and those of a group that joins with it.
func (b *batch) fits(group []*runners.Handed, next runners.Request) bool {
	if len(b.requests) == 0 && len(group) == 0 {
		return true
	}
	e := b.engine
	d := e.model.Device()
	limits := LimitsOf(d)
	h := Held{Rows: rowsOf(next), Tokens: len(next.Prompt)} // a group has its prompt in common
	for _, g := range group {
		h.Rows += rowsOf(g.Request)
		limits.Rows = limits.OnePrompt
	}
	for _, a := range b.answers {
		if !a.over() {
			h.Rows++
		}
	}
	seen := map[*models.Prefilled]bool{}
	for _, a := range b.answers {
		if !seen[a.prefilled] {
			seen[a.prefilled] = true
			h.Tokens += len(b.requests[a.request].Prompt)
		}
	}
	if !limits.Allow(h) { // before the plan, which costs more
		return false
	}
	total, prefill, err := e.share(next)
	if err != nil {
		return false // Check reports it
	}
	before := int64(0)
	for _, s := range b.planned {
		before += s.caches
		h.Decode += s.decode
	}
	for _, g := range group {
		s, _, _ := e.share(g.Request)
		h.Caches, h.Decode = h.Caches+s.caches, h.Decode+s.decode
	}
	h.Caches, h.Decode, h.Prefill = h.Caches+before+total.caches, h.Decode+total.decode, prefill
	if free := d.Memory().Free; free > 0 { // 0: no limit
		limits.Memory = Usable(d.Name(), free+before, len(e.memory.engines))
	}
	return limits.Allow(h)
}

// rowsOf is how many rows of a batch a request takes.
func rowsOf(q runners.Request) int {
	if q.Fidelity {
		return 2 * len(q.Variants)
	}
	return len(q.Variants)
}

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

// Limits of a batch: so many rows that reading the weights costs little for each, and no
// more prompt tokens than a device reads in some seconds, since that work is lost if the run
// is killed before the answers are written. A row does not depend on its company on a card,
// too, up to its limit (see docs/design.md).
const (
	rowsTogether      = 32 // on a CPU
	rowsTogetherGPU   = 64
	rowsOfOnePrompt   = 256     // on a CPU: to read the prompt again costs more than wide steps
	tokensTogether    = 2 << 10 // on a CPU
	tokensTogetherGPU = 128 << 10
)

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
	rowLimit, tokenLimit := rowsTogetherGPU, tokensTogetherGPU
	if engine.OnHost(d.Name()) {
		rowLimit, tokenLimit = rowsTogether, tokensTogether
	}
	rows, tokens := rowsOf(next), len(next.Prompt) // which a group has in common
	for _, h := range group {
		rows += rowsOf(h.Request)
		if engine.OnHost(d.Name()) {
			rowLimit = rowsOfOnePrompt
		}
	}
	for _, a := range b.answers {
		if !a.over() {
			rows++
		}
	}
	seen := map[*models.Prefilled]bool{}
	for _, a := range b.answers {
		if !seen[a.prefilled] {
			seen[a.prefilled] = true
			tokens += len(b.requests[a.request].Prompt)
		}
	}
	if rows > rowLimit || tokens > tokenLimit {
		return false
	}
	// A plan is an estimate. With half of the free memory divided among the engines that
	// share it, the last to allocate does not fail.
	total, prefill, err := e.share(next)
	if err != nil {
		return false // Check reports it
	}
	held := int64(0)
	for _, s := range b.planned {
		held += s.caches
		total.decode += s.decode
	}
	for _, h := range group {
		s, _, _ := e.share(h.Request)
		total.caches, total.decode = total.caches+s.caches, total.decode+s.decode
	}
	free := d.Memory().Free // 0: no limit
	return free == 0 || held+total.caches+max(prefill, total.decode) <= (free+held)/2/int64(len(e.memory.engines))
}

// rowsOf is how many rows of a batch a request takes.
func rowsOf(q runners.Request) int {
	if q.Fidelity {
		return 2 * len(q.Variants)
	}
	return len(q.Variants)
}

package local

import (
	"context"
	"sync"

	"github.com/snapbench/snapbench/runners"
	"github.com/snapbench/snapbench/runners/engine"
)

// memory is a card's memory, or the host's, and the engines that share it. A batch locks it
// for reading, or for writing where no other batch may run.
type memory struct {
	sync.RWMutex
	engines []*Engine
}

// beside completes requests while other engines may use the same memory.
func (e *Engine) beside(ctx context.Context, requests []runners.Request) ([][]runners.Completion, error) {
	e.memory.RLock()
	defer e.memory.RUnlock()
	return e.answer(ctx, requests)
}

// apart completes requests while no other engine uses the memory.
func (e *Engine) apart(ctx context.Context, requests []runners.Request) ([][]runners.Completion, error) {
	e.memory.Lock()
	defer e.memory.Unlock()
	for _, other := range e.memory.engines {
		if t, ok := other.model.Device().(engine.Trimmer); ok {
			t.Trim()
		}
	}
	return e.answer(ctx, requests)
}

// Limits of a batch: so many rows that reading the weights costs little for each, and no
// more prompt tokens than a device reads in some seconds, since that work is lost if the run
// is killed before the answers are written.
//
// Questions behind one prompt go on to rowsSharing: another batch would read the prompt once more. It is as many rows as a
// card computes apart from each other; followers, of which a fidelity has one for each row, leave no room for more.
const (
	rowsTogether      = 32
	rowsSharing       = 64
	tokensTogether    = 2 << 10 // on a CPU
	tokensTogetherGPU = 128 << 10
)

// Fits says whether a request may be decoded together with those that wait.
func (e *Engine) Fits(waiting []runners.Request, next runners.Request) bool {
	if len(waiting) == 0 {
		return true
	}
	d := e.model.Device()
	limit := tokensTogetherGPU
	if engine.OnHost(d.Name()) {
		limit = tokensTogether
	}
	list := append(waiting[:len(waiting):len(waiting)], next)
	rows, tokens, room, most := 0, 0, 0, rowsSharing
	for i, q := range list {
		rows += len(q.Variants)
		if i == 0 || !shared(list[i-1], q) {
			tokens += len(q.Prompt)
		}
		if q.Fidelity || !shared(list[0], q) {
			most = rowsTogether
		}
		room = max(room, len(q.Question)+q.MaxNew)
	}
	if rows > most || tokens > limit {
		return false
	}
	// A plan is an estimate. With half of the free memory divided among the engines that
	// share it, the last to allocate does not fail.
	var caches, prefill, decode int64
	for _, q := range list {
		policies, err := policiesOf(q.Variants)
		if err != nil {
			return false // Check reports it
		}
		plan := e.model.Plan(policies, len(q.Prompt), room, q.Fidelity)
		for _, c := range plan.Caches {
			caches += c
		}
		prefill, decode = max(prefill, plan.Prefill), decode+plan.Decode
	}
	return caches+max(prefill, decode) <= d.Memory().Free/2/int64(len(e.memory.engines))
}

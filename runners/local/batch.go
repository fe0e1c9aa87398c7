package local

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/snapbench/snapbench/runners"
	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/models"
)

// batch is the requests that are decoded together. They come and go: one that is answered
// leaves, and the next joins as soon as there is room.
type batch struct {
	engine   *Engine
	requests map[int]runners.Request // in hand, by number
	handed   map[int]*runners.Handed
	out      map[int][]runners.Completion
	planned  map[int]share
	peaks    map[int]int64  // bytes, while each was in hand
	looked   map[int]string // where its hidden states cease to be finite
	number   int            // of the next request
	full     bool           // the next one does not fit, as long as nothing ends
	last     bool           // a request that is alone has no further attempt
	lacking  []*runners.Handed

	answers   []*answer
	prefilled []*models.Prefilled
	decoder   *models.Decoder // nil: no step since something joined
	live      []*answer       // its rows
}

// share is what a request in hand is planned to take of the memory, in bytes.
type share struct{ caches, decode int64 }

// answer is one row of the batch: a variant's answer to a request, or a follower, which is
// fed what the full cache answers so that the two can be compared.
type answer struct {
	request, variant int
	completion       *runners.Completion
	pending          []int32 // tokens to read before answering
	last             int32   // token to feed once nothing is pending
	done             bool
	took             time.Duration // the steps that it took part in
	row              int           // of the decoder, in the step that runs
	prefilled        *models.Prefilled
	sequence         models.Sequence // its state when the decoder was made
	held             held
	start            []engine.Cache // behind the prompt

	// Of a follower:
	follow *answer   // the full cache's answer; nil for all others
	first  int       // the token of it at which comparing begins: the first one may be the prefill's, which all share
	kl     []float64 // divergence at each token from there
	agrees []bool    // whether both choose the same
}

// source says which of a prefill's sequences an answer decodes.
type source struct {
	prefilled *models.Prefilled
	variant   int  // index into the prefill's sequences
	twin      bool // the variant's second sequence, which is a follower's
}

func (s source) sequence() models.Sequence {
	if s.twin {
		return s.prefilled.Twins[s.variant]
	}
	return s.prefilled.Sequences[s.variant]
}

func (e *Engine) newBatch() *batch {
	e.model.Device().ResetPeak()
	return &batch{
		engine: e, requests: map[int]runners.Request{}, handed: map[int]*runners.Handed{}, out: map[int][]runners.Completion{},
		planned: map[int]share{}, peaks: map[int]int64{}, looked: map[int]string{},
	}
}

// run answers what work hands out until it has no more, which done says, or until what is in
// hand is answered where another engine wants the memory for itself. Requests that lacked
// memory in company are returned as they were handed out, and nothing joins behind them; last
// says that they have no further attempt, so that this is the answer to one that is alone.
func (b *batch) run(ctx context.Context, work runners.Work, last bool) (lacking []*runners.Handed, done bool, err error) {
	defer b.free()
	b.last = last || len(b.engine.memory.engines) == 1
	for {
		for !done && !b.full && len(b.lacking) == 0 && (b.last || !b.engine.memory.wanted()) {
			var group []*runners.Handed
			if group, done, err = b.take(ctx, work); err != nil {
				return nil, false, err
			}
			if len(group) == 0 {
				break
			}
			lacks, err := b.join(ctx, group, b.last && len(b.requests) == 0 && len(group) == 1)
			if err != nil {
				return nil, false, err
			}
			if lacks {
				b.lacking = group
			}
		}
		if len(b.requests) == 0 {
			return b.lacking, done, ctx.Err()
		}
		if err := b.step(ctx); err != nil {
			if !outOfMemory(err) || b.last && len(b.requests) == 1 {
				return nil, false, err
			}
			for _, i := range slices.Sorted(maps.Keys(b.requests)) {
				b.lacking = append(b.lacking, b.handed[i])
			}
			return b.lacking, done, nil
		}
		if err := b.settle(ctx); err != nil {
			return nil, false, err
		}
	}
}

// take takes the next request that fits, and those behind it that share its prompt.
func (b *batch) take(ctx context.Context, work runners.Work) (group []*runners.Handed, done bool, err error) {
	h, done, err := work.Next(ctx, len(b.requests) == 0, func(q runners.Request) bool {
		b.full = !b.fits(nil, q)
		return !b.full
	})
	if h == nil || err != nil {
		return nil, done, err
	}
	group = append(group, h)
	for {
		h, done, err := work.Next(ctx, len(group[0].Question) > 0, func(q runners.Request) bool {
			return shared(group[0].Request, q) && b.fits(group, q)
		})
		if h == nil || err != nil {
			return group, done, err
		}
		group = append(group, h)
	}
}

// join prefills the prompt that requests have in common, and adds their answers to the batch.
// It says whether they lack memory, and leaves the batch as it was then, unless it is the
// last attempt, of which that is the answer.
func (b *batch) join(ctx context.Context, group []*runners.Handed, last bool) (lacks bool, err error) {
	b.pause()
	b.measure()
	room := 0 // tokens that each cache must hold beyond its prompt
	var all, sound []int
	for _, h := range group {
		i := b.number
		b.number++
		all = append(all, i)
		b.requests[i], b.handed[i], b.out[i] = h.Request, h, make([]runners.Completion, len(h.Variants))
		b.planned[i], _, _ = b.engine.share(h.Request)
		for j, v := range h.Variants {
			b.out[i][j].Variant = v
		}
		if err := b.check(h.Request); err != nil {
			b.refuse(i, &RequestError{err})
			continue
		}
		sound, room = append(sound, i), max(room, len(h.Question)+h.MaxNew)
	}
	if len(sound) > 0 {
		switch err := b.prefill(ctx, sound, room); {
		case err == nil:
		case ctx.Err() != nil:
			return false, ctx.Err()
		case fatal(err) && (last || !outOfMemory(err)):
			return false, err
		default:
			for _, i := range sound {
				b.refuse(i, err)
			}
		}
	}
	if !last && slices.ContainsFunc(all, func(i int) bool {
		return slices.ContainsFunc(b.out[i], func(c runners.Completion) bool { return outOfMemory(c.Err) })
	}) {
		for _, i := range all {
			b.drop(i)
		}
		b.pause()
		return true, nil
	}
	return false, b.settle(ctx)
}

// refuse gives an error to all variants of a request that have none yet.
func (b *batch) refuse(request int, err error) {
	for j := range b.out[request] {
		if c := &b.out[request][j]; c.Err == nil {
			c.Err = err
		}
	}
}

// add adds an answer and says which sequence it decodes.
func (b *batch) add(a *answer, s source) {
	a.prefilled, a.sequence = s.prefilled, s.sequence()
	b.answers = append(b.answers, a)
}

// settle gives back the requests of which every answer is whole.
func (b *batch) settle(ctx context.Context) error {
	open := map[int]bool{}
	for _, a := range b.answers {
		if !a.over() {
			open[a.request] = true
		}
	}
	if len(open) == len(b.requests) {
		return nil
	}
	b.measure()
	for _, i := range slices.Sorted(maps.Keys(b.requests)) {
		if open[i] {
			continue
		}
		switch err := b.audit(ctx, i); {
		case outOfMemory(err):
			b.lacking = append(b.lacking, b.handed[i])
			b.drop(i)
			continue
		case err != nil:
			return err
		}
		out := b.out[i]
		for j := range out {
			out[j].PeakBytes = b.peaks[i]
		}
		for _, a := range b.answers {
			if a.request == i && a.follow == nil {
				a.completion.Decode = a.took
				read := len(b.requests[i].Question) + max(0, len(a.completion.Tokens)-1) // behind the prompt
				a.completion.CachePeak = engine.PeakHeld(a.start, b.engine.model.Device().Type(), read)
			}
		}
		if err := b.handed[i].Answer(out); err != nil {
			return err
		}
		b.drop(i)
	}
	return nil
}

// drop forgets a request. Its caches are given back when the decoder that has them pauses.
func (b *batch) drop(request int) {
	b.answers = slices.DeleteFunc(b.answers, func(a *answer) bool { return a.request == request })
	delete(b.requests, request)
	delete(b.handed, request)
	delete(b.out, request)
	delete(b.planned, request)
	delete(b.peaks, request)
	delete(b.looked, request)
	b.full = false
}

// measure takes down the highest use of memory since it was called last, for each request that
// was in hand.
func (b *batch) measure() {
	d := b.engine.model.Device()
	peak := d.Memory().Peak
	for i := range b.requests {
		b.peaks[i] = max(b.peaks[i], peak)
	}
	d.ResetPeak()
}

// free gives everything back.
func (b *batch) free() {
	for i := range b.requests {
		b.drop(i)
	}
	b.pause()
}

// RequestError is an error of one request; others may still succeed.
type RequestError struct{ Err error }

func (e *RequestError) Error() string { return e.Err.Error() }

// Unwrap returns what went wrong.
func (e *RequestError) Unwrap() error { return e.Err }

// fatal says whether an error ends the run, as one of the device does, instead of its
// request alone.
func fatal(err error) bool {
	var request *RequestError
	return !errors.As(err, &request)
}

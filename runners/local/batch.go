package local

import (
	"context"
	"errors"
	"time"

	"github.com/snapbench/snapbench/runners"
	"github.com/snapbench/snapbench/runners/models"
)

// batch is the requests that are decoded together.
type batch struct {
	engine    *Engine
	requests  []runners.Request
	out       [][]runners.Completion
	answers   []*answer
	sources   []source // where the sequence of each answer is
	prefilled []*models.Prefilled
	looked    map[int]string // by request: where its hidden states cease to be finite
}

// answer is one row of the batch: a variant's answer to a request, or a follower, which is
// fed what the full cache answers so that the two can be compared.
type answer struct {
	request, variant int
	completion       *runners.Completion
	pending          []int32 // tokens to read before answering
	last             int32   // token to feed once nothing is pending
	done             bool
	started          time.Time
	row              int // of the decoder, in the step that runs
	held             held

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

// complete answers the requests, all their variants in one batch.
func (e *Engine) complete(ctx context.Context, requests []runners.Request) ([][]runners.Completion, error) {
	out := make([][]runners.Completion, len(requests))
	room := 0 // tokens that each cache must hold beyond its prompt
	for i, q := range requests {
		out[i] = make([]runners.Completion, len(q.Variants))
		for j, v := range q.Variants {
			out[i][j].Variant = v
		}
		room = max(room, len(q.Question)+max(1, q.MaxNew))
	}
	d := e.model.Device()
	d.ResetPeak()
	batch := &batch{engine: e, requests: requests, out: out, looked: map[int]string{}}
	defer batch.free()
	var sound []int
	for i, q := range requests {
		if err := batch.check(q); err != nil {
			batch.refuse(i, &RequestError{err})
		} else {
			sound = append(sound, i)
		}
	}
	for _, same := range batch.together(sound) {
		if err := batch.prefill(ctx, same, room); err != nil {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			if fatal(err) {
				return nil, err
			}
			for _, i := range same {
				batch.refuse(i, err)
			}
		}
	}
	if err := batch.decode(ctx); err != nil {
		return nil, err
	}
	if err := batch.audit(ctx); err != nil {
		return nil, err
	}
	peak := d.Memory().Peak
	for i := range out {
		for j := range out[i] {
			out[i][j].PeakBytes = peak
		}
	}
	return out, nil
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
	b.answers = append(b.answers, a)
	b.sources = append(b.sources, s)
}

// free gives the caches back.
func (b *batch) free() {
	for _, p := range b.prefilled {
		p.Free()
	}
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

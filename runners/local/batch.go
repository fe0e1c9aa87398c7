package local

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/runners"
	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/models"
)

// answer is one row of the batch.
type answer struct {
	request, variant int
	completion       *runners.Completion
	pending          []int32 // tokens to read before answering
	last             int32   // fed next where nothing is pending
	follow           *answer // fed what that one is fed, and compared with it
	done             bool
	started          time.Time
	kl               []float64
	agreed           int
	diverged         int
	row              int
}

// complete answers the requests, all their variants in one batch.
func (r *Engine) complete(ctx context.Context, requests []runners.Request) ([][]runners.Completion, error) {
	out := make([][]runners.Completion, len(requests))
	room := 0
	for i, q := range requests {
		out[i] = make([]runners.Completion, len(q.Variants))
		for j, v := range q.Variants {
			out[i][j].Variant = v
		}
		room = max(room, len(q.Question)+max(1, q.MaxNew))
	}
	d := r.model.Device()
	d.ResetPeak()
	batch := &batch{runner: r, requests: requests, out: out, looked: map[int]string{}}
	defer batch.free()
	for i := range requests {
		if err := batch.prefill(ctx, i, room); err != nil {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			if fatal(err) {
				return nil, err
			}
			for j := range out[i] {
				if out[i][j].Err == nil {
					out[i][j].Err = err
				}
			}
		}
	}
	if err := batch.decode(ctx); err != nil {
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

// fatal errors are the device's, not the request's.
func fatal(err error) bool {
	var request *RequestError
	return !errors.As(err, &request)
}

// RequestError is an error that belongs to one request: the next may do better.
type RequestError struct{ Err error }

func (e *RequestError) Error() string { return e.Err.Error() }

// Unwrap returns what went wrong.
func (e *RequestError) Unwrap() error { return e.Err }

type batch struct {
	runner    *Engine
	requests  []runners.Request
	out       [][]runners.Completion
	answers   []*answer
	prefilled []*models.Prefilled
	sequences []sequenceOf
	looked    map[int]string // where a request's hidden states cease to be finite
}

// sequenceOf says whose sequence a row is.
type sequenceOf struct {
	prefilled *models.Prefilled
	variant   int
	twin      bool
}

func (b *batch) free() {
	for _, p := range b.prefilled {
		p.Free()
	}
}

func (b *batch) prefill(ctx context.Context, i, room int) error {
	q, m := b.requests[i], b.runner.model
	if err := b.check(q); err != nil {
		return &RequestError{err}
	}
	variants, index, err := b.serving(i, room)
	if err != nil {
		return &RequestError{err}
	}
	p := models.Prompt{IDs: q.Prompt, Sample: q.Sample, Room: room, Twins: q.Fidelity}
	if q.Progress != nil {
		p.Progress = func(done, total int) {
			q.Progress(runners.Progress{Prefill: float64(done) / float64(total), Max: q.MaxNew})
		}
	}
	var done *models.Prefilled
	start := time.Now()
	for done == nil {
		if p.Variants = variants; len(variants) == 0 {
			return nil
		}
		start = time.Now()
		var cannot *compress.ChoiceError
		var memory *engine.OutOfMemory
		done, err = m.Prefill(ctx, p)
		switch {
		case errors.As(err, &memory) || errors.Is(err, models.ErrPrompt):
			return &RequestError{err}
		case errors.As(err, &cannot): // the others are read once more without it
			b.out[i][index[cannot.Index]].Err = &RequestError{err}
			variants = slices.Delete(slices.Clone(variants), cannot.Index, cannot.Index+1)
			index = slices.Delete(index, cannot.Index, cannot.Index+1)
		case err != nil:
			return err
		}
	}
	took := time.Since(start)
	if !models.Finite(done.Logits) {
		done.Free()
		failed, err := b.notFinite(ctx, i, 0)
		if err != nil {
			return err
		}
		return &RequestError{failed}
	}
	b.prefilled = append(b.prefilled, done)
	var own []*answer
	var full *answer
	for k, j := range index {
		c := &b.out[i][j]
		c.Prefill = took
		kept, positions, err := Audit(m.Device(), variants[k], done.Sequences[k], len(q.Prompt), m.Heads, q.Positions)
		if err != nil {
			var failed *AuditError
			if !errors.As(err, &failed) {
				return err
			}
			c.Err, c.Untrusted = err, true
			continue
		}
		c.Kept, c.CacheBytes, c.Host = kept, CacheBytes(done.Sequences[k], m.Device().Type()), done.Host[k]
		c.FullBytes = int64(m.Layers) * 2 * int64(len(q.Prompt)) * int64(m.KVWidth()) * int64(m.Device().Type().Size())
		if !whole(variants[k]) && variants[k].KeepsAll(m.Layers, len(q.Prompt)) {
			c.Note = "the prompt is within the budget: everything is kept"
		}
		if q.Positions {
			c.Positions = positions
		}
		a := &answer{request: i, variant: j, completion: c, pending: q.Question, started: time.Now(), diverged: -1}
		b.add(a, sequenceOf{done, k, false})
		own = append(own, a)
		if whole(variants[k]) {
			full = a
		}
		if len(q.Question) == 0 {
			b.choose(a, models.Greedy(done.Logits), func() []float32 { return done.Logits })
		}
	}
	if q.Fidelity && full != nil {
		for _, a := range own {
			k := slices.Index(index, a.variant)
			b.add(&answer{request: i, variant: a.variant, completion: a.completion, follow: full, diverged: -1}, sequenceOf{done, k, true})
		}
	}
	return nil
}

// serving returns a request's variants that can serve its prompt, and their places. One
// that cannot (a share of the prompt too small for its window), or whose cache does not
// fit, is an error of its own; the others go on.
func (b *batch) serving(i, room int) (variants []compress.Variant, index []int, err error) {
	q, m := b.requests[i], b.runner.model
	all, err := policiesOf(q.Variants)
	if err != nil {
		return nil, nil, err
	}
	fits := m.Plan(all, len(q.Prompt), room, q.Fidelity).Fitting(m.Device().Memory().Free)
	for j, v := range all {
		err := v.CheckLayers(m.Layers)
		if err == nil {
			err = v.CheckPrompt(compress.Layer{Layers: m.Layers, Tokens: len(q.Prompt), Heads: m.Heads, Sample: q.Sample})
		}
		if err == nil {
			err = fits[j]
		}
		if err != nil {
			b.out[i][j].Err = &RequestError{err}
			continue
		}
		variants, index = append(variants, v), append(index, j)
	}
	return variants, index, nil
}

// whole says whether a variant is the full cache, which fidelity is measured against.
func whole(v compress.Variant) bool { return v.Policy() == compress.FullName }

func (b *batch) add(a *answer, s sequenceOf) {
	b.answers = append(b.answers, a)
	b.sequences = append(b.sequences, s)
}

func (b *batch) check(q runners.Request) error {
	m := b.runner.model
	if q.MaxNew < 1 {
		return fmt.Errorf("at most %d new tokens: want at least 1", q.MaxNew)
	}
	if total := len(q.Prompt) + len(q.Question) + q.MaxNew; total > m.Context {
		return fmt.Errorf("prompt of %d tokens and %d new ones exceed the model's context of %d", len(q.Prompt)+len(q.Question), q.MaxNew, m.Context)
	}
	if q.Fidelity && !slices.ContainsFunc(q.Variants, func(v runners.Variant) bool { return v.Policy() == compress.FullName }) {
		return errors.New("fidelity is measured against the full cache: add full to the variants")
	}
	return nil
}

// choose takes a greedy choice as the answer's next token.
func (b *batch) choose(a *answer, token int32, logits func() []float32) {
	q := b.requests[a.request]
	c := a.completion
	if len(c.Tokens) < q.MinNew && slices.Contains(q.Stop.Tokens, token) {
		if other := models.Greedy(logits(), q.Stop.Tokens...); other >= 0 {
			token = other
		}
	}
	c.Tokens = append(c.Tokens, token)
	a.last = token
	c.Ended = slices.Contains(q.Stop.Tokens, token)
	if len(q.Stop.Strings) > 0 {
		text := b.runner.decode(c.Tokens)
		for _, s := range q.Stop.Strings {
			c.Ended = c.Ended || strings.Contains(text, s)
		}
	}
	a.done = c.Ended || len(c.Tokens) >= q.MaxNew
	if q.Progress != nil {
		q.Progress(runners.Progress{Prefill: 1, Decoded: len(c.Tokens), Max: q.MaxNew})
	}
	if a.done {
		b.finish(a)
	}
}

func (b *batch) finish(a *answer) {
	q, c := b.requests[a.request], a.completion
	c.Decode = time.Since(a.started)
	c.Text = b.runner.decode(c.Tokens)
	for _, s := range q.Stop.Strings {
		if before, _, found := strings.Cut(c.Text, s); found {
			c.Text = before
		}
	}
}

// decode steps until every answer is done. Finished rows leave the batch when
// they are a quarter of it: making it anew costs more than a few idle rows.
func (b *batch) decode(ctx context.Context) error {
	var live []int // indexes of answers, in the order of the decoder's rows
	decoder := (*models.Decoder)(nil)
	defer func() {
		if decoder != nil {
			decoder.Close()
		}
	}()
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		var next []int
		for k, a := range b.answers {
			if !b.over(a) {
				next = append(next, k)
			}
		}
		if len(next) == 0 {
			return nil
		}
		if decoder == nil {
			live = next
			for _, a := range b.answers {
				a.started = time.Now()
			}
			var err error
			if decoder, err = b.open(live); err != nil {
				return err
			}
		} else if len(live)-len(next) > len(live)/4 {
			var rows []int
			for row, k := range live {
				if slices.Contains(next, k) {
					rows = append(rows, row)
				}
			}
			if err := decoder.Retain(rows); err != nil {
				decoder = nil // it closed itself
				return err
			}
			live = next
		}
		if err := b.step(ctx, decoder, live); err != nil {
			return err
		}
	}
}

func (b *batch) over(a *answer) bool {
	return a.done || a.follow != nil && a.follow.done
}

func (b *batch) open(live []int) (*models.Decoder, error) {
	list := make([]engine.Sequence, len(live))
	for row, k := range live {
		s := b.sequences[k]
		if s.twin {
			list[row] = s.prefilled.Twins[s.variant]
		} else {
			list[row] = s.prefilled.Sequences[s.variant]
		}
	}
	return b.runner.model.NewDecoder(list)
}

func (b *batch) step(ctx context.Context, decoder *models.Decoder, live []int) error {
	feed := make([]int32, len(live))
	for row, k := range live {
		a := b.answers[k]
		a.row = row
		source := a
		if a.follow != nil {
			source = a.follow
		}
		if len(source.pending) > 0 {
			feed[row] = source.pending[0]
		} else {
			feed[row] = source.last
		}
	}
	chosen, err := decoder.Step(feed)
	if err != nil {
		return err
	}
	if err := b.broken(ctx, live, chosen); err != nil {
		return err
	}
	if err := b.compare(decoder, live, chosen); err != nil {
		return err
	}
	for row, k := range live {
		a := b.answers[k]
		if a.follow != nil || a.done {
			continue
		}
		if len(a.pending) > 0 {
			if a.pending = a.pending[1:]; len(a.pending) > 0 {
				continue
			}
		}
		b.choose(a, chosen[row], func() []float32 {
			logits := make([]float32, b.runner.model.Vocab)
			decoder.Logits(row, logits)
			return logits
		})
	}
	for _, k := range live {
		if a := b.answers[k]; a.follow != nil && a.follow.done {
			b.measured(a)
		}
	}
	return nil
}

package local

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/runners"
	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/models"
)

// reading is a prompt that was read for some of a request's variants.
type reading struct {
	variants  []compress.Variant
	index     []int // of each of them among the request's variants
	prefilled *models.Prefilled
	took      time.Duration
}

// prefill reads request i's prompt, and adds an answer for each variant that can serve it.
// Each cache gets room for so many tokens beyond the prompt.
func (b *batch) prefill(ctx context.Context, i, room int) error {
	if err := b.check(b.requests[i]); err != nil {
		return &RequestError{err}
	}
	r, err := b.serving(i, room)
	if err != nil {
		return &RequestError{err}
	}
	if err := b.read(ctx, i, room, r); err != nil || r.prefilled == nil {
		return err
	}
	if !models.Finite(r.prefilled.Logits) {
		r.prefilled.Free()
		failed, err := b.notFinite(ctx, i, 0)
		if err != nil {
			return err
		}
		return &RequestError{failed}
	}
	b.prefilled = append(b.prefilled, r.prefilled)
	return b.admit(i, r)
}

// check refuses a request that no variant could complete.
func (b *batch) check(q runners.Request) error {
	m := b.engine.model
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

// serving returns those of request i's variants that can serve its prompt. A variant that
// cannot (its share of the prompt is smaller than its window), or whose cache does not fit,
// gets an error of its own.
func (b *batch) serving(i, room int) (*reading, error) {
	q, m := b.requests[i], b.engine.model
	all, err := policiesOf(q.Variants)
	if err != nil {
		return nil, err
	}
	r := &reading{}
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
		r.variants, r.index = append(r.variants, v), append(r.index, j)
	}
	return r, nil
}

// read prefills request i's prompt for the variants of r. A variant that cannot choose
// leaves r with an error of its own, and the prompt is read again for the others; where
// none is left, nothing is prefilled.
func (b *batch) read(ctx context.Context, i, room int, r *reading) error {
	q := b.requests[i]
	p := models.Prompt{IDs: q.Prompt, Sample: q.Sample, Room: room, Twins: q.Fidelity}
	if q.Progress != nil {
		p.Progress = func(done, total int) {
			q.Progress(runners.Progress{Prefill: float64(done) / float64(total), Max: q.MaxNew})
		}
	}
	for len(r.variants) > 0 {
		p.Variants = r.variants
		start := time.Now()
		done, err := b.engine.model.Prefill(ctx, p)
		var cannot *compress.ChoiceError
		var memory *engine.OutOfMemory
		switch {
		case err == nil:
			r.prefilled, r.took = done, time.Since(start)
			return nil
		case errors.As(err, &memory) || errors.Is(err, models.ErrPrompt):
			return &RequestError{err}
		case errors.As(err, &cannot):
			b.out[i][r.index[cannot.Index]].Err = &RequestError{err}
			r.variants = slices.Delete(r.variants, cannot.Index, cannot.Index+1)
			r.index = slices.Delete(r.index, cannot.Index, cannot.Index+1)
		default:
			return err
		}
	}
	return nil
}

// admit audits what the variants of r kept of request i's prompt, and adds their answers,
// with followers where fidelity is measured.
func (b *batch) admit(i int, r *reading) error {
	q, m := b.requests[i], b.engine.model
	var own []*answer
	var full *answer
	for k, j := range r.index {
		v, c := r.variants[k], &b.out[i][j]
		c.Prefill = r.took
		kept, positions, err := Audit(m.Device(), v, r.prefilled.Sequences[k].Sequence, len(q.Prompt), m.Heads, q.Positions)
		if err != nil {
			var failed *AuditError
			if !errors.As(err, &failed) {
				return err
			}
			c.Err, c.Untrusted = err, true
			continue
		}
		c.Kept, c.CacheBytes, c.Host = kept, CacheBytes(r.prefilled.Sequences[k].Sequence, m.Device().Type()), r.prefilled.Host[k]
		c.FullBytes = int64(m.Layers) * 2 * int64(len(q.Prompt)) * int64(m.KVWidth()) * int64(m.Device().Type().Size())
		if !v.IsFull() && v.KeepsAll(m.Layers, len(q.Prompt)) {
			c.Note = "the prompt is within the budget: everything is kept"
		}
		if q.Positions {
			c.Positions = positions
		}
		a := &answer{request: i, variant: j, completion: c, pending: q.Question, started: time.Now()}
		b.add(a, source{r.prefilled, k, false})
		own = append(own, a)
		if v.IsFull() {
			full = a
		}
		if len(q.Question) == 0 {
			b.choose(a, models.Greedy(r.prefilled.Logits), func() []float32 { return r.prefilled.Logits })
		}
	}
	if q.Fidelity && full != nil {
		for _, a := range own {
			k := slices.Index(r.index, a.variant)
			b.add(&answer{request: i, variant: a.variant, completion: a.completion, follow: full}, source{r.prefilled, k, true})
		}
	}
	return nil
}

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

// reading is a prompt that was read for some of the variants of one or several requests.
type reading struct {
	variants  []compress.Variant
	of        []place // whose each of them is
	prefilled *models.Prefilled
	seen      *seen
	took      time.Duration
}

// place is a variant of a request, by their numbers.
type place struct{ request, variant int }

// prefill reads the prompt that requests have in common, and adds an answer for each of their
// variants that can serve it. Each cache gets room for so many tokens beyond the prompt.
func (b *batch) prefill(ctx context.Context, same []int, room int) error {
	r, err := b.serving(same, room)
	if err != nil {
		return &RequestError{err}
	}
	if err := b.read(ctx, same, room, r); err != nil || r.prefilled == nil {
		return err
	}
	if !models.Finite(r.prefilled.Logits) {
		r.prefilled.Free()
		failed, err := b.notFinite(ctx, same[0], 0)
		if err != nil {
			return err
		}
		return &RequestError{failed}
	}
	b.prefilled = append(b.prefilled, r.prefilled)
	for _, i := range same {
		if err := b.admit(i, r); err != nil {
			return err
		}
	}
	return nil
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
	if slices.ContainsFunc(q.Variants, isFull) {
		return nil
	}
	if q.Fidelity {
		return errors.New("fidelity is measured against the full cache: add full to the variants")
	}
	if q.Evidence != nil && q.Evidence.Read != "" {
		return errors.New("evidence is held to the attention of the full cache's answer: add full to the variants")
	}
	return nil
}

func isFull(v runners.Variant) bool { return v.Policy() == compress.FullName }

// serving returns those variants of requests with one prompt that can serve it. A variant that
// cannot (its share of the prompt is smaller than its window), or whose cache does not fit,
// gets an error of its own.
func (b *batch) serving(same []int, room int) (*reading, error) {
	q, m := b.requests[same[0]], b.engine.model
	one, err := policiesOf(q.Variants)
	if err != nil {
		return nil, err
	}
	r := &reading{}
	all := slices.Repeat(one, len(same))
	fits := m.Plan(all, len(q.Prompt), room, q.Fidelity).Fitting(m.Device().Memory().Free)
	for k, v := range all {
		err := m.CheckPrompt(v, len(q.Prompt), q.Sample)
		if err == nil {
			err = m.CheckFormat(v)
		}
		if err == nil {
			err = fits[k]
		}
		at := place{same[k/len(one)], k % len(one)}
		if err != nil {
			b.out[at.request][at.variant].Err = &RequestError{err}
			continue
		}
		r.variants, r.of = append(r.variants, v), append(r.of, at)
	}
	return r, nil
}

// read prefills the prompt of requests for the variants of r. A variant that cannot choose
// leaves r with an error of its own, and the prompt is read again for the others; where
// none is left, nothing is prefilled.
func (b *batch) read(ctx context.Context, same []int, room int, r *reading) error {
	q := b.requests[same[0]]
	p := models.Prompt{IDs: q.Prompt, Sample: q.Sample, Room: room, Twins: q.Fidelity}
	p.Progress = func(done, total int) {
		for _, i := range same {
			if q := b.requests[i]; q.Progress != nil {
				q.Progress(runners.Progress{Prefill: float64(done) / float64(total), Max: q.MaxNew})
			}
		}
	}
	if !slices.ContainsFunc(same, func(i int) bool { return b.requests[i].Progress != nil }) {
		p.Progress = nil
	}
	for len(r.variants) > 0 {
		p.Variants = r.variants
		start := time.Now()
		seen := sees(&p, b.engine.model)
		done, err := b.engine.model.Prefill(ctx, p)
		if err == nil && seen.err != nil {
			done.Free()
			err = seen.err
		}
		var cannot *compress.ChoiceError
		var memory *engine.OutOfMemory
		switch {
		case err == nil:
			r.prefilled, r.seen, r.took = done, seen, time.Since(start)
			return nil
		case errors.As(err, &memory) || errors.Is(err, models.ErrPrompt):
			return &RequestError{err}
		case errors.As(err, &cannot):
			at := r.of[cannot.Index]
			b.out[at.request][at.variant].Err = &RequestError{err}
			r.variants = slices.Delete(r.variants, cannot.Index, cannot.Index+1)
			r.of = slices.Delete(r.of, cannot.Index, cannot.Index+1)
		default:
			return err
		}
	}
	return nil
}

// admit audits what request i's variants in r kept of its prompt, and adds their answers, with
// followers where fidelity is measured.
func (b *batch) admit(i int, r *reading) error {
	q, m := b.requests[i], b.engine.model
	var own []*answer
	var full *answer
	var at []int // of each own answer, its place in r
	for k, p := range r.of {
		if p.request != i {
			continue
		}
		j, v, c := p.variant, r.variants[k], &b.out[i][p.variant]
		c.Prefill, c.PrefillPart = r.took, r.took/time.Duration(len(r.of))
		kept, positions, err := Audit(m.Device(), m.Config, v, r.prefilled.Sequences[k].Sequence, len(q.Prompt), q.Positions || q.Evidence != nil)
		if err == nil {
			_, err = r.seen.Audit(m.Device(), v, r.prefilled.Sequences[k].Sequence, len(q.Prompt), r.prefilled.Edited[k])
		}
		if err != nil {
			var failed *AuditError
			if !errors.As(err, &failed) {
				return err
			}
			c.Err, c.Untrusted = err, true
			continue
		}
		c.Kept, c.CacheBytes, c.Host = kept, CacheBytes(r.prefilled.Sequences[k].Sequence, m.Device().Type()), r.prefilled.Host[k]
		number := m.Device().Type()
		for _, layer := range r.prefilled.Sequences[k].Caches {
			c.TokenBytes += layer.PerToken(number)
		}
		if v.Format() != nil {
			number = engine.Float16
		}
		c.FullBytes, c.FixedBytes = m.CacheBytes(number, len(q.Prompt))
		if layers := len(m.PolicyLayers()); v.Method() != compress.FullName && v.KeepsAll(layers, len(q.Prompt)) {
			c.Note = "the prompt is within the budget: everything is kept"
			if _, budgeted := v.Capacity(0, len(q.Prompt)); !budgeted {
				c.Note = "every position is kept"
			}
		} else if name := v.Level(layers, len(q.Prompt)); name != "" {
			c.Note = name + " gives all layers the same here"
		}
		if b.engine.random {
			c.Note = strings.TrimPrefix(c.Note+"; random weights: the answer means nothing, and has all new tokens that it may", "; ")
		}
		if q.Positions {
			c.Positions = positions
		}
		a := &answer{request: i, variant: j, completion: c, pending: q.Question, held: heldOf(q.Evidence, positions), start: r.prefilled.Sequences[k].Caches}
		b.add(a, source{r.prefilled, k, false})
		own, at = append(own, a), append(at, k)
		if v.IsFull() {
			full = a
		}
		if len(q.Question) == 0 {
			b.choose(a, models.Greedy(r.prefilled.Logits), func() []float32 { return r.prefilled.Logits })
		}
	}
	if q.Fidelity && full == nil {
		for _, a := range own {
			a.completion.Note = strings.TrimPrefix(fmt.Sprintf("%s; fidelity is not known: the full cache: %v", a.completion.Note, reason(b.fullError(i))), "; ")
		}
	}
	if q.Fidelity && full != nil {
		for n, a := range own {
			b.add(&answer{request: i, variant: a.variant, completion: a.completion, follow: full}, source{r.prefilled, at[n], true})
		}
	}
	return nil
}

// fullError is why request i has no answer of the full cache, by which others are measured; nil where it has one, or asks for none.
func (b *batch) fullError(i int) error {
	for _, c := range b.out[i] {
		if isFull(c.Variant) {
			return c.Err
		}
	}
	return nil
}

// reason is an error as notes of rows have it. How many bytes were free is another number in each attempt at a row, whose notes must be equal.
func reason(err error) string {
	if outOfMemory(err) {
		return "out of memory"
	}
	return fmt.Sprint(err)
}

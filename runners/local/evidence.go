package local

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/snapbench/snapbench/runners"
	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/evidence"
	"github.com/snapbench/snapbench/runners/models"
)

// held says which positions of passages a cache has, by passage, layer, cache head and position.
type held [][][][]bool

// heldOf looks passages up in what a cache keeps, by layer and head.
func heldOf(e *runners.Evidence, positions [][][]int32) held {
	if e == nil {
		return nil
	}
	h := make(held, len(e.Passages))
	for i, p := range e.Passages {
		for _, layer := range positions {
			heads := make([][]bool, len(layer))
			for c, keep := range layer {
				heads[c] = evidence.Held(p.Spans, keep)
			}
			h[i] = append(h[i], heads)
		}
	}
	return h
}

// audit tells of a request's answers, which are whole, what their caches keep of the passages. Where the attention of the
// full cache's answer does not fit the memory, that is its error, or what the answers tell where there is no further attempt.
func (b *batch) audit(ctx context.Context, request int) error {
	e := b.requests[request].Evidence
	if e == nil {
		return nil
	}
	paid, err := b.paid(ctx, request)
	without := errors.Is(err, models.ErrAttended) || outOfMemory(err) && b.last && len(b.requests) == 1
	if err != nil && !without {
		return err
	}
	why := ""
	if without {
		why = reason(err)
	}
	if lacks := b.fullError(request); lacks != nil && e.Read != "" {
		without, why = true, "the full cache: "+reason(lacks)
	}
	for _, a := range b.answers {
		if a.request != request || a.follow != nil || a.completion.Err != nil {
			continue
		}
		if without {
			a.completion.Note = strings.TrimPrefix(fmt.Sprintf("%s; evidence: the attention is not known: %s", a.completion.Note, why), "; ")
		}
		told := &runners.Audited{Least: evidence.Share(math.NaN())}
		for k, p := range e.Passages {
			sum := evidence.NewSum(evidence.Size(p.Spans))
			for layer, heads := range a.held[k] {
				if p.Name == e.Read && paid != nil {
					sum.Add(heads, paid[layer])
				} else {
					sum.Add(heads, nil)
				}
			}
			kept := sum.Kept()
			told.Kept = append(told.Kept, kept)
			if p.Name == e.Read {
				told.Least = kept.Least()
				if e.Either {
					told.Least = mostRead(p, a.held[k], paid)
				}
			}
		}
		a.completion.Evidence = told
	}
	return nil
}

// mostRead is the least ρ of the one place, of several, that is attended to most.
func mostRead(p runners.Passage, h [][][]bool, paid [][][]float64) evidence.Share {
	least, most := evidence.Share(math.NaN()), -1.0
	if paid == nil {
		return least
	}
	for _, span := range p.Each {
		at := evidence.Within(p.Spans, span)
		sum := evidence.NewSum(at.Size())
		for layer, heads := range h {
			var held [][]bool
			for _, holds := range heads {
				held = append(held, holds[at[0]:at[1]])
			}
			var part [][]float64
			for _, a := range paid[layer] {
				part = append(part, a[at[0]:at[1]])
			}
			sum.Add(held, part)
		}
		if a := sum.Attention(); a > most {
			least, most = sum.Kept().Least(), a
		}
	}
	return least
}

// paid is the attention of the full cache's answer to the passages that it rests on, by layer, query head and position,
// summed over the rows that make the answer through the cache: those of its tokens, up to the one that completes it, but the
// last; and of the question's last token, where that is read through the cache, too. It is nil where no such row is known.
func (b *batch) paid(ctx context.Context, request int) ([][][]float64, error) {
	q, m := b.requests[request], b.engine.model
	e := q.Evidence
	at := slices.IndexFunc(e.Passages, func(p runners.Passage) bool { return p.Name == e.Read })
	full := slices.IndexFunc(b.answers, func(a *answer) bool {
		return a.request == request && a.follow == nil && isFull(q.Variants[a.variant])
	})
	if at < 0 || full < 0 || b.answers[full].completion.Err != nil {
		return nil, nil
	}
	tokens := b.answers[full].completion.Tokens
	last := len(tokens) - 1
	for i := range tokens {
		if e.Says(b.engine.decode(tokens[:i+1])) {
			last = i
			break
		}
	}
	rows, from := slices.Clone(tokens[:max(last, 0)]), len(q.Prompt)
	if n := len(q.Question); n > 0 {
		rows, from = slices.Concat(q.Question[n-1:], rows), from+n-1
	}
	if len(rows) == 0 {
		return nil, nil
	}
	spans, d := e.Passages[at].Spans, m.Device()
	size := evidence.Size(spans)
	paid := make([][][]float64, m.Layers)
	part := make([]float32, m.Heads.Query*size)
	err := m.Attended(ctx, b.answers[full].sequence, from, rows, func(layer int, sums engine.Array, width int) error {
		for h := range m.Heads.Query {
			to := part[h*size : (h+1)*size]
			for _, s := range spans {
				d.Get(to[:s.Size()], sums.Slice(h*width+s[0], h*width+s[1]))
				to = to[s.Size():]
			}
		}
		if err := d.Sync(); err != nil {
			return err
		}
		if paid[layer] == nil {
			paid[layer] = make([][]float64, m.Heads.Query)
		}
		for h := range paid[layer] {
			if paid[layer][h] == nil {
				paid[layer][h] = make([]float64, size)
			}
			for i, a := range part[h*size : (h+1)*size] {
				paid[layer][h][i] += float64(a)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return paid, nil
}

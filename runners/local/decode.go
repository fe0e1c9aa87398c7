package local

import (
	"context"
	"slices"
	"time"

	"github.com/snapbench/snapbench/runners/models"
)

// step has every answer that is not over read a token or choose one. Rows that are over leave
// the decoder once they are more than a quarter of its rows: to leave them out costs more
// than a few idle ones.
func (b *batch) step(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var open []*answer
	for _, a := range b.answers {
		if !a.over() {
			open = append(open, a)
		}
	}
	if b.decoder != nil && (len(b.live)-len(open) > len(b.live)/4 || b.decoder.Room() == 0) {
		b.pause()
	}
	if b.decoder == nil {
		list := make([]models.Sequence, len(open))
		for row, a := range open {
			list[row] = a.sequence
		}
		decoder, err := b.engine.model.NewDecoder(list)
		if err != nil {
			return err
		}
		b.decoder, b.live = decoder, open
	}
	start := time.Now()
	if err := b.decode(ctx); err != nil {
		return err
	}
	took := time.Since(start)
	for _, a := range open {
		a.took += took
		a.completion.DecodePart += took / time.Duration(len(open)) // a follower's is its variant's, too
		b.full = b.full && !a.over()
	}
	return nil
}

// pause closes the decoder, keeps the states of its rows with their answers, and frees the
// caches of prompts that no request in hand has.
func (b *batch) pause() {
	if b.decoder != nil {
		for row, s := range b.decoder.Sequences() {
			b.live[row].sequence = s
		}
		b.decoder.Close()
		b.decoder, b.live = nil, nil
	}
	b.prefilled = slices.DeleteFunc(b.prefilled, func(p *models.Prefilled) bool {
		used := slices.ContainsFunc(b.answers, func(a *answer) bool { return a.prefilled == p })
		if !used {
			p.Free()
		}
		return !used
	})
}

// over says whether an answer needs no further step.
func (a *answer) over() bool {
	return a.done || a.follow != nil && a.follow.done
}

// decode feeds every row its next token and takes what the model chooses.
func (b *batch) decode(ctx context.Context) error {
	feed := make([]int32, len(b.live))
	for row, a := range b.live {
		a.row = row
		fed := a
		if a.follow != nil {
			fed = a.follow
		}
		if len(fed.pending) > 0 {
			feed[row] = fed.pending[0]
		} else {
			feed[row] = fed.last
		}
	}
	chosen, err := b.decoder.Step(feed)
	if err != nil {
		return err
	}
	if err := b.broken(ctx, chosen); err != nil {
		return err
	}
	if err := b.compare(chosen); err != nil {
		return err
	}
	for row, a := range b.live {
		if a.follow != nil || a.done {
			continue
		}
		if len(a.pending) > 0 {
			if a.pending = a.pending[1:]; len(a.pending) > 0 {
				continue
			}
		}
		b.choose(a, chosen[row], func() []float32 {
			logits := make([]float32, b.engine.model.Vocab)
			b.decoder.Logits(row, logits)
			return logits
		})
	}
	for _, a := range b.live {
		if a.follow != nil && a.follow.done {
			b.measured(a)
		}
	}
	return nil
}

package local

import (
	"context"
	"slices"
	"time"

	"github.com/snapbench/snapbench/runners/models"
)

// decode steps until every answer is done. Finished rows leave the decoder once they are
// more than a quarter of its rows: to leave them out costs more than a few idle ones.
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
			if decoder, err = b.newDecoder(live); err != nil {
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

// over says whether an answer needs no further step.
func (b *batch) over(a *answer) bool {
	return a.done || a.follow != nil && a.follow.done
}

// newDecoder joins the sequences of the answers that are live.
func (b *batch) newDecoder(live []int) (*models.Decoder, error) {
	list := make([]models.Sequence, len(live))
	for row, k := range live {
		list[row] = b.sources[k].sequence()
	}
	return b.engine.model.NewDecoder(list)
}

// step feeds every live answer its next token and takes what the model chooses.
func (b *batch) step(ctx context.Context, decoder *models.Decoder, live []int) error {
	feed := make([]int32, len(live))
	for row, k := range live {
		a := b.answers[k]
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
			logits := make([]float32, b.engine.model.Vocab)
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

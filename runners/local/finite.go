package local

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/snapbench/snapbench/runners"
	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/models"
)

// NotFiniteError says that logits hold NaN or infinity, so that no token can be chosen. It
// is an error of one request: others may not reach the damaged weight, or the activation
// that exceeds the device's number format.
type NotFiniteError struct {
	Token int    // number of the token that was to be chosen, from 0
	Where string // the layer in which it began, or why that is not known
}

func (e *NotFiniteError) Error() string {
	return fmt.Sprintf("the logits for token %d of the answer are not finite: %s", e.Token, e.Where)
}

// notFinite is the error of an answer whose next token cannot be chosen. For the first such
// answer of a request, the prompt is read again to find the layer.
func (b *batch) notFinite(ctx context.Context, request, token int) (*NotFiniteError, error) {
	if where, ok := b.looked[request]; ok {
		return &NotFiniteError{token, where}, nil
	}
	q, m := b.requests[request], b.engine.model
	layer, found, err := m.FirstNotFinite(ctx, slices.Concat(q.Prompt, q.Question))
	var memory *engine.OutOfMemory
	var where string
	switch {
	case errors.As(err, &memory):
		where = fmt.Sprintf("in which layer is not known, for reading the prompt again needs more memory (%v)", err)
	case err != nil:
		return nil, err
	case !found:
		where = "those behind the prompt are, under the full cache"
	case layer == models.BeforeLayers:
		where = "the embedding gives the first hidden state that is not"
	case layer == m.Layers:
		where = "all hidden states are, it is the output's weights"
	default:
		where = fmt.Sprintf("layer %d gives the first hidden state that is not", layer)
	}
	b.looked[request] = where
	return &NotFiniteError{token, where}, nil
}

// fail ends a variant's answer, and its follower, with an error.
func (b *batch) fail(c *runners.Completion, err error) {
	c.Err = err
	for _, a := range b.answers {
		if a.completion == c {
			a.done = true
		}
	}
}

// broken fails the answers of a step whose logits are not finite, or whose cache could not store
// an entry. A follower fails its
// variant; the full cache's answer fails all that follow it.
func (b *batch) broken(ctx context.Context, chosen []int32) error {
	for row, a := range b.live {
		if chosen[row] >= 0 || a.over() {
			continue
		}
		source := a
		if a.follow != nil {
			source = a.follow
		}
		err := b.decoder.Refused(row)
		if err == nil {
			var fatal error
			if err, fatal = b.notFinite(ctx, a.request, len(source.completion.Tokens)); fatal != nil {
				return fatal
			}
		}
		if a.follow != nil {
			b.fail(a.completion, fmt.Errorf("fidelity: along the full cache's answer %w", err))
			continue
		}
		b.fail(a.completion, err)
		for _, other := range b.answers {
			if other.follow == a && other.completion.Err == nil {
				b.fail(other.completion, fmt.Errorf("fidelity: of the full cache %w", err))
			}
		}
	}
	return nil
}

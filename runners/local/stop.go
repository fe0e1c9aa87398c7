package local

import (
	"fmt"
	"slices"
	"strings"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/runners"
	"github.com/snapbench/snapbench/runners/models"
)

// choose takes the greedy choice as an answer's next token, and ends the answer where it is
// to end. While the answer has fewer than MinNew tokens, a choice that would end it is
// replaced by the best token that does not; only then logits are asked for.
func (b *batch) choose(a *answer, token int32, logits func() []float32) {
	q := b.requests[a.request]
	c := a.completion
	if len(c.Tokens) < q.MinNew && slices.Contains(q.Stop.Tokens, token) {
		if other := models.Greedy(logits(), q.Stop.Tokens...); other >= 0 {
			token = other
		}
	}
	if len(c.Tokens) == 0 && len(q.Among) > 0 && token >= 0 {
		token = models.Likeliest(logits(), q.Among)
	}
	c.Tokens = append(c.Tokens, token)
	a.last = token
	c.Ended = slices.Contains(q.Stop.Tokens, token)
	if len(q.Stop.Strings) > 0 {
		c.Ended = c.Ended || firstOf(q.Stop.Strings, b.engine.decode(c.Tokens)) >= 0
	}
	a.done = c.Ended || len(c.Tokens) >= q.MaxNew
	if q.Progress != nil {
		q.Progress(runners.Progress{Prefill: 1, Decoded: len(c.Tokens), Max: q.MaxNew})
	}
	if a.done {
		b.finish(a)
	}
}

// firstOf is where the first of some strings begins in a text, whatever their order, or -1. One that is empty is none.
func firstOf(list []string, text string) int {
	first := -1
	for _, s := range list {
		if at := strings.Index(text, s); s != "" && at >= 0 && (first < 0 || at < first) {
			first = at
		}
	}
	return first
}

// finish sets the text of a finished answer, cut where a stop string begins, and notes where the
// rotation changed under it.
func (b *batch) finish(a *answer) {
	q, c := b.requests[a.request], a.completion
	c.Text = b.engine.decode(c.Tokens)
	if at := firstOf(q.Stop.Strings, c.Text); at >= 0 {
		c.Text = c.Text[:at]
	}
	m := b.engine.model
	if v, ok := q.Variants[a.variant].(compress.Variant); ok {
		n, fed := len(q.Prompt), len(q.Question)+len(c.Tokens)-1 // the last token is not read
		if from, yes := m.Crosses(n, v.Place(m.PolicyPlace(n, q.Sample))+fed); yes {
			c.Note = strings.TrimPrefix(fmt.Sprintf("%s; from position %d on the rotation has other frequencies than those of the prompt's keys (longrope)", c.Note, from), "; ")
		}
	}
}

package datasets

import (
	"cmp"
	_ "embed"
	"fmt"
	"math"
	"strings"
)

// prompting is what a protocol makes a prompt of.
type prompting struct {
	model    Model
	set      string // without the _e of LongBench-E
	context  string
	input    string
	limit    int // tokens, 0: the protocol's own number
	newAfter int // new tokens that must fit after the prompt
}

// fillIn replaces {context} and {input} in a template. Nothing else is interpreted, neither
// in the template nor in the texts that replace them.
func (r prompting) fillIn(template string) string {
	return strings.NewReplacer("{context}", r.context, "{input}", r.input).Replace(template)
}

// buildMiddle returns the builder of LongBench and its followers: it fills in the set's
// template, applies the chat template before, cuts tokens out of the middle, and applies the
// chat template after. With onceBOS a BOS in the text is not doubled.
func buildMiddle(after, before func(family, string) wrap, limitOf func(Model) int, onceBOS bool) func(*Sample, prompting) error {
	return func(s *Sample, r prompting) error {
		m := r.model
		encode := func(text string) ([]int32, error) {
			if onceBOS {
				return m.encode(text)
			}
			return m.Tokenizer.Encode(text, true)
		}
		f := modelFamily(m.Name)
		text := r.fillIn(texts().Templates[r.set])
		var err error
		if before != nil {
			if text, err = before(f, r.set).apply(m, text); err != nil {
				return err
			}
		}
		ids, err := encode(text)
		if err != nil {
			return err
		}
		chat := after(f, r.set)
		if chat.own && m.Chat != nil {
			s.note("chat template: the model's own, where the original has none for it")
		}
		finish := func(text string) error {
			if s.Prompt, err = chat.apply(m, text); err != nil {
				return err
			}
			s.IDs, err = encode(s.Prompt)
			return err
		}
		limit, free := cmp.Or(r.limit, limitOf(m)), 0
		if limit == 0 && m.ContextLength > 0 {
			if limit, free, err = chat.room(m, r.newAfter); err != nil {
				return err
			}
		}
		if limit == 0 || len(ids) <= limit {
			return finish(text)
		}
		return cutMiddle(s, limit, free, finish, func(limit int) string {
			half := limit / 2
			return m.Tokenizer.Decode(ids[:half], true) + m.Tokenizer.Decode(ids[len(ids)-half:], true)
		})
	}
}

// room is how many tokens of text fit into the model's context beside newAfter new ones and the chat template,
// and how many with the template.
func (w wrap) room(m Model, newAfter int) (limit, free int, err error) {
	free = m.ContextLength - newAfter
	bare, err := w.apply(m, "")
	if err != nil {
		return 0, 0, err
	}
	empty, err := m.Tokenizer.Encode(bare, false)
	if err != nil {
		return 0, 0, err
	}
	if limit = free - len(empty); limit < 2 {
		return 0, 0, fmt.Errorf("the model's context of %d tokens has no room for a prompt beside %d new tokens", m.ContextLength, newAfter)
	}
	return limit, free, nil
}

// cutMiddle finishes a prompt with what cut leaves of its text at a limit of tokens. Joined and tokenised again, the
// halves may have a few more tokens than the limit. The originals' limits leave space for that; the model's
// context, of which free tokens are left (0: all that it takes), does not, so that more is cut.
func cutMiddle(s *Sample, limit, free int, finish func(text string) error, cut func(limit int) string) error {
	s.Truncated = true
	context := limit
	for range 8 {
		if err := finish(cut(limit)); err != nil {
			return err
		}
		over := len(s.IDs) - free
		if free == 0 || over <= 0 {
			return nil
		}
		if limit -= over + over%2; limit < 2 {
			break
		}
	}
	return fmt.Errorf("the prompt can't be cut from %d tokens to the %d that the model's context leaves", context, free)
}

// buildApart builds kvpress's prompts: IDs hold the context, cut at its end; Question holds
// the question and the answer's beginning.
func buildApart(s *Sample, r prompting) error {
	t := &texts().KVPress
	// As in the original, only an exact suffix: one that a space follows stays.
	r.input = strings.TrimSuffix(r.input, t.StripFromInput[r.set])
	limit := cmp.Or(r.limit, longbenchLimit(r.model))
	return apart(s, r.model, r.fillIn(t.Context[r.set]), r.fillIn(t.Question[r.set]), t.AnswerPrefix[r.set], limit, r.newAfter)
}

// apart makes a prompt of a context, of which at most limit tokens are kept (0: what the model's context leaves), and of a
// question with the answer's beginning behind it.
func apart(s *Sample, m Model, context, question, begun string, limit, newAfter int) error {
	head, tail, err := m.apart()
	if err != nil {
		return err
	}
	context, question = head+context, question+tail+begun
	if err := s.encodeApart(m, context, question); err != nil {
		return err
	}
	if limit == 0 {
		if limit = math.MaxInt; m.ContextLength > 0 {
			limit = m.ContextLength - newAfter - len(s.Question)
		}
		if limit < 1 {
			return fmt.Errorf("the model's context of %d tokens has no room for a context beside a question of %d and %d new tokens",
				m.ContextLength, len(s.Question), newAfter)
		}
	}
	if len(s.IDs) > limit {
		s.Truncated = true
		s.IDs = s.IDs[:limit:limit]
		context = m.Tokenizer.Decode(s.IDs, false)
	}
	s.Prompt = context + question
	return nil
}

// apart returns the texts around context and question where these are read apart: the model's
// chat template, or where it has none its BOS and a newline.
func (m Model) apart() (head, tail string, err error) {
	if m.Chat != nil {
		text, err := m.user(contextMark, map[string]any{"enable_thinking": false})
		if err != nil {
			return "", "", err
		}
		return cutMark(text)
	}
	if bos, ok := m.Tokenizer.BOS(); ok {
		if head, ok = m.Tokenizer.Token(bos); !ok {
			return "", "", fmt.Errorf("the vocabulary has no spelling for BOS, token %d", bos)
		}
	}
	return head, "\n", nil
}

// encodeApart encodes what is compressed and what is read after it.
func (s *Sample) encodeApart(m Model, context, question string) (err error) {
	if s.IDs, err = m.Tokenizer.Encode(context, false); err == nil {
		s.Question, err = m.Tokenizer.Encode(question, false)
	}
	return err
}

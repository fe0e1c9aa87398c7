package datasets

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// places are the texts around a context and its question.
type places struct{ head, between, tail string }

// cutPlaces cuts a text at its two marks, which must each occur once, the context's first.
func cutPlaces(text string) (p places, err error) {
	for _, mark := range []string{contextMark, questionMark} {
		if n := strings.Count(text, mark); n != 1 {
			return p, fmt.Errorf("%s stands in it %d times, want once", mark, n)
		}
	}
	head, rest, _ := strings.Cut(text, contextMark)
	between, tail, after := strings.Cut(rest, questionMark)
	if !after {
		return p, fmt.Errorf("%s stands before %s: the context is read first", questionMark, contextMark)
	}
	return places{head, between, tail}, nil
}

// turned is the prompt with the question before the context. What space stood between the two does so again, a line's end
// at least; other text there belongs to one of them, and cannot be turned.
func (p places) turned(context string, q *questionAsked) (string, error) {
	if strings.TrimSpace(p.between) != "" {
		return "", fmt.Errorf("between the context and the question stands %q: the question cannot stand before", p.between)
	}
	kept := strings.TrimRightFunc(context, unicode.IsSpace)
	return p.head + q.text + cmp.Or(context[len(kept):]+p.between, "\n") + kept + p.tail + q.begin, nil
}

// places renders the texts around context and question. The chat template sees the marks alone,
// so that one that trims a message's text does not touch the border between the two.
func (r *questionsRow) places(m Model) (places, error) {
	switch {
	case r.prompt != "":
		return cutPlaces(r.prompt)
	case r.messages == nil && m.Chat == nil:
		return cutPlaces(plainPlaces)
	case m.Chat == nil:
		return places{}, errors.New(`the model has no chat template for "messages": use "prompt"`)
	}
	text, err := m.Chat(r.chat(), nil)
	if err != nil {
		return places{}, fmt.Errorf("chat template: %w", err)
	}
	p, err := cutPlaces(text)
	if err != nil {
		err = fmt.Errorf("chat template: its text: %w", err)
	}
	return p, err
}

// chat is the conversation with the marks in it.
func (r *questionsRow) chat() []Message {
	if r.messages != nil {
		return r.messages
	}
	return []Message{{Role: "user", Content: plainPlaces}}
}

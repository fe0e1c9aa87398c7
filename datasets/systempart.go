package datasets

import (
	"errors"
	"fmt"
	"strings"
)

// systemPart makes a prompt of a system text and a request, of which the system text alone is
// compressed; the request is read through what is left, at the positions that follow all of it. So
// does "The Pitfalls of KV Cache Compression" (Chen et al., 2025, arXiv 2510.00231).
func (s *Sample) systemPart(m Model, system, request string) error {
	switch {
	case m.Tokenizer == nil:
		return errNoTokenizer
	case m.Chat == nil:
		return errors.New("the model has no chat template, and so no system text")
	}
	messages := []Message{{"system", system}, {"user", request}}
	whole, err := m.Chat(messages, nil)
	if err != nil {
		return fmt.Errorf("chat template: %w", err)
	}
	first, err := m.Chat(messages[:1], map[string]any{"add_generation_prompt": false})
	if err != nil {
		return fmt.Errorf("chat template: %w", err)
	}
	rest, ok := strings.CutPrefix(whole, first)
	if !ok || !strings.Contains(first, strings.TrimSpace(system)) {
		return errors.New("chat template: the system text is no part of its own at the prompt's start, so that it can't be compressed alone")
	}
	if s.IDs, err = m.encode(first); err != nil {
		return err
	}
	if s.Question, err = m.Tokenizer.Encode(rest, false); err != nil {
		return err
	}
	if len(s.IDs) == 0 || len(s.Question) == 0 {
		return fmt.Errorf("the system text has %d tokens and the request %d: want some of each", len(s.IDs), len(s.Question))
	}
	s.Prompt, s.Length = whole, len(s.IDs)
	return nil
}

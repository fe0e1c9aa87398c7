package datasets

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// Tokenizer is what a task needs of a model's tokenizer. Calls may come from
// several goroutines.
type Tokenizer interface {
	// Encode returns the ids of text, with what the tokenizer itself adds
	// (typically the beginning-of-text token) if addSpecial is set. Special
	// tokens spelled out in text become their ids.
	Encode(text string, addSpecial bool) ([]int32, error)
	// Decode returns the text of ids, without special tokens if skipSpecial
	// is set.
	Decode(ids []int32, skipSpecial bool) string
	// BOS is the token that begins a text, if the model has one.
	BOS() (id int32, ok bool)
	// Token is the vocabulary's spelling of id.
	Token(id int32) (token string, ok bool)
}

// Message is one turn of a chat.
type Message struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

// Model is what a prompt depends on.
type Model struct {
	// Name as the user gives it, "meta-llama/Llama-2-7b-chat-hf" or a path.
	// The LongBench protocols choose limits and templates by it.
	Name string
	// ContextLength is the longest text in tokens that the model was made for; 0 if
	// unknown.
	ContextLength int
	Tokenizer     Tokenizer
	// Chat renders messages by the model's own chat template, up to the point where the
	// assistant speaks. variables are further values for the template, such as
	// enable_thinking. Chat is nil if the model has no template.
	Chat func(messages []Message, variables map[string]any) (string, error)
	// Pieces returns the text of each token, which joined are the tokens' text; nil: each is decoded
	// by itself. A character that several tokens make stands with the last of them.
	Pieces func(ids []int32) []string
	// Text says that a prompt may go out as text or messages alone: without a
	// Tokenizer it has no IDs, and its length is unknown.
	Text bool
	// Messages says that messages go out as they are, to be put through the chat
	// template by who answers.
	Messages bool
}

// user renders one user message by the model's chat template.
func (m Model) user(content string, variables map[string]any) (string, error) {
	text, err := m.Chat([]Message{{Role: "user", Content: content}}, variables)
	if err != nil {
		return "", fmt.Errorf("chat template: %w", err)
	}
	return text, nil
}

// encode returns the ids of a whole prompt, with what the tokenizer adds to a text. A BOS that
// the text itself begins with is not doubled.
func (m Model) encode(text string) ([]int32, error) {
	ids, err := m.Tokenizer.Encode(text, true)
	if err != nil {
		return nil, err
	}
	if bos, ok := m.Tokenizer.BOS(); ok && len(ids) > 1 && ids[0] == bos && ids[1] == bos {
		ids = ids[1:]
	}
	return ids, nil
}

var errNoTokenizer = errors.New("the model has no tokenizer")

// contextMark stands for the long text while a chat template is rendered, so
// that the template engine never sees a million tokens.
const contextMark = "{context}"

// around renders content, which holds contextMark once, by the model's chat template if there
// is one, and adds begun, the answer's beginning. It returns the texts before and after the
// context. Where the template ends in white space, that at the start of begun is dropped.
func (m Model) around(content, begun string) (head, tail string, err error) {
	return m.aroundChat([]Message{{Role: "user", Content: content}}, begun)
}

// aroundChat does the same for a chat. Without a template its messages follow each other, a
// blank line between them.
func (m Model) aroundChat(messages []Message, begun string) (head, tail string, err error) {
	var text string
	if m.Chat == nil {
		for i, message := range messages {
			if i > 0 {
				text += "\n\n"
			}
			text += message.Content
		}
	} else {
		if text, err = m.Chat(messages, nil); err != nil {
			return "", "", fmt.Errorf("chat template: %w", err)
		}
		if last := strings.TrimRightFunc(text, unicode.IsSpace); last != text {
			begun = strings.TrimLeftFunc(begun, unicode.IsSpace)
		}
	}
	head, tail, err = cutMark(text)
	return head, tail + begun, err
}

// cutMark cuts a rendered text at contextMark.
func cutMark(text string) (head, tail string, err error) {
	if n := strings.Count(text, contextMark); n != 1 {
		return "", "", fmt.Errorf("chat template: the message's text came out %d times, want once", n)
	}
	head, tail, _ = strings.Cut(text, contextMark)
	return head, tail, nil
}

package datasets

import (
	"os"
	"path/filepath"
	"testing"
)

// Where messages go out as they are, they are kept; without a template, and without a
// tokenizer, a prompt is known by its text alone.
func TestPromptsOfATextModel(t *testing.T) {
	file := filepath.Join(t.TempDir(), "mine.jsonl")
	lines := `{"messages": [{"role": "user", "content": "Why?"}], "answers": ["x"]}` + "\n" + `{"prompt": "So", "answers": ["x"]}` + "\n"
	if err := os.WriteFile(file, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	task, err := Open("prompts", Options{Own: &PromptsOptions{File: file}})
	if err != nil {
		t.Fatal(err)
	}
	if s := task.Sample(1, Model{}); s.Err == nil {
		t.Error("a model without a tokenizer that takes no text was given a prompt")
	}
	text := Model{Text: true, Messages: true}
	if s := task.Sample(1, text); s.Err != nil || s.Prompt != "So" || s.IDs != nil || s.Messages != nil || s.PromptSHA256 == "" {
		t.Errorf("a prompt: %+v", s)
	}
	chat := task.Sample(0, text)
	if chat.Err != nil || len(chat.Messages) != 1 || chat.Messages[0].Content != "Why?" || chat.Prompt != `[{"role":"user","content":"Why?"}]` {
		t.Errorf("a chat: %+v", chat)
	}
	text.Chat = func(m []Message, _ map[string]any) (string, error) { return "<" + m[0].Content + ">", nil }
	if s := task.Sample(0, text); s.Err != nil || s.Prompt != "<Why?>" || len(s.Messages) != 1 {
		t.Errorf("a chat with a template: %+v", s)
	}
}

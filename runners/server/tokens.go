package server

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/snapbench/snapbench/datasets"
)

// remote is a server's own tokenizer, at /tokenize and /detokenize, by the fields of
// vLLM, SGLang or llama.cpp.
type remote struct {
	r      *Runner
	ctx    context.Context // of the run: a tokenizer's calls have none
	bos    int32
	hasBOS bool

	mu     sync.Mutex
	failed error // the first failure of a call that cannot return one
}

// tokenizer returns the server's tokenizer, nil where it has none.
func (r *Runner) tokenizer(ctx context.Context) (*remote, error) {
	t := &remote{r: r, ctx: ctx}
	there, err := r.has(ctx, "/tokenize", t.question("a", false), &struct{}{})
	if err != nil || !there {
		return nil, err
	}
	bare, err := t.Encode("a", false)
	if err != nil || len(bare) == 0 {
		return nil, err
	}
	with, err := t.Encode("a", true)
	if err != nil {
		return nil, err
	}
	if len(with) > len(bare) && slices.Equal(with[1:1+len(bare)], bare) {
		t.bos, t.hasBOS = with[0], true
	}
	back := t.Decode(bare, false) // which is needed, too
	if err := t.failed; err != nil && !lacking(err) {
		return nil, err
	}
	if back != "a" {
		return nil, nil
	}
	return t, nil
}

func (t *remote) question(text string, special bool) map[string]any {
	if t.r.engine.name == llamaCPP {
		return map[string]any{"content": text, "add_special": special, "parse_special": true}
	}
	return map[string]any{"model": t.r.model, "prompt": text, "add_special_tokens": special}
}

// Encode asks for the ids of a text.
func (t *remote) Encode(text string, addSpecial bool) ([]int32, error) {
	if text == "" && !addSpecial {
		return nil, nil
	}
	var answer struct {
		Tokens []int32 `json:"tokens"`
	}
	if err := t.r.once(t.ctx, "/tokenize", t.question(text, addSpecial), &answer); err != nil {
		return nil, fmt.Errorf("the server's tokenizer: %w", err)
	}
	return answer.Tokens, nil
}

// Decode asks for the text of ids. Of the special tokens only the one that begins a
// text is known, and left out where that is asked.
func (t *remote) Decode(ids []int32, skipSpecial bool) string {
	if skipSpecial && t.hasBOS {
		ids = slices.DeleteFunc(slices.Clone(ids), func(id int32) bool { return id == t.bos })
	}
	if len(ids) == 0 {
		return ""
	}
	body := map[string]any{"tokens": ids}
	if t.r.engine.name != llamaCPP {
		body["model"] = t.r.model
	}
	if t.r.engine.name == sglang {
		body["skip_special_tokens"] = false // which it would by default
	}
	var answer struct {
		Content string `json:"content"` // llama.cpp's
		Text    string `json:"text"`    // SGLang's
		Prompt  string `json:"prompt"`
	}
	if err := t.r.once(t.ctx, "/detokenize", body, &answer); err != nil {
		t.mu.Lock()
		defer t.mu.Unlock()
		if t.failed == nil {
			t.failed = fmt.Errorf("the server's tokenizer: %w", err)
		}
		return ""
	}
	return answer.Content + answer.Text + answer.Prompt
}

// failure is what went wrong in a call that could not say so.
func (t *remote) failure() error {
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.failed
}

// BOS is the token that the server puts before a text.
func (t *remote) BOS() (int32, bool) { return t.bos, t.hasBOS }

// Token is an id's text: a server does not tell its vocabulary's spelling.
func (t *remote) Token(id int32) (string, bool) {
	text := t.Decode([]int32{id}, false)
	return text, text != ""
}

// template returns the server's chat template, nil where it does not show it:
// llama.cpp renders at /apply-template, vLLM and SGLang where they tokenize.
func (r *Runner) template(ctx context.Context, t *remote) (func([]datasets.Message, map[string]any) (string, error), error) {
	render := func(messages []datasets.Message, variables map[string]any) (path string, body map[string]any) {
		body = map[string]any{"messages": messages}
		if len(variables) > 0 {
			body["chat_template_kwargs"] = variables
		}
		if r.engine.name == llamaCPP {
			return "/apply-template", body
		}
		body["model"], body["add_generation_prompt"] = r.model, true
		return "/tokenize", body
	}
	if r.engine.name != llamaCPP && t == nil {
		return nil, nil
	}
	type rendered struct {
		Prompt string  `json:"prompt"`
		Tokens []int32 `json:"tokens"`
	}
	var try rendered
	path, body := render([]datasets.Message{{Role: "user", Content: "a"}}, nil)
	if there, err := r.has(ctx, path, body, &try); err != nil || !there || try.Prompt == "" && len(try.Tokens) == 0 {
		return nil, err
	}
	return func(messages []datasets.Message, variables map[string]any) (string, error) {
		var out rendered
		path, body := render(messages, variables)
		if err := r.once(ctx, path, body, &out); err != nil {
			return "", fmt.Errorf("the server's template: %w", err)
		}
		if out.Prompt == "" {
			out.Prompt = t.Decode(out.Tokens, false)
		}
		return out.Prompt, t.failure()
	}, nil
}

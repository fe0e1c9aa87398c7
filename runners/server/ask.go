package server

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/snapbench/snapbench/runners"
)

// complete answers one request. What is wrong with it is the completion's error; the
// error returned is the server's.
func (r *Runner) complete(ctx context.Context, q runners.Request, v runners.Variant) (runners.Completion, error) {
	c := runners.Completion{Variant: v}
	if c.Err = errors.Join(r.Check([]runners.Variant{v}), r.check(q)); c.Err != nil {
		return c, nil
	}
	if err := r.remote.failure(); err != nil {
		return c, err
	}
	a, retries, err := r.answer(ctx, q)
	c, notes, err := r.judged(q, a, retries, err)
	if c.Variant = v; c.Err != nil || err != nil {
		return c, err
	}
	if r.options.Repeat {
		again, more, err := r.answer(ctx, q)
		second, _, err := r.judged(q, again, more, err)
		if err != nil {
			return c, err
		}
		if c.Served.Retries += more; second.Err != nil {
			notes = append(notes, "the second answer failed: "+second.Err.Error())
		} else if c.Served.Again = &second.Text; second.Text != c.Text {
			notes = append(notes, "asked again, the server answers otherwise")
		}
	}
	if r.options.Trail != nil {
		note, err := r.fidelity(ctx, q, a, &c)
		if err != nil {
			return c, err
		}
		if note != "" {
			notes = append(notes, note)
		}
	}
	c.Note = strings.Join(notes, "; ")
	return c, nil
}

// check reports what cannot be asked.
func (r *Runner) check(q runners.Request) error {
	n := len(q.Prompt) + len(q.Question)
	switch {
	case q.MaxNew < 1:
		return fmt.Errorf("at most %d new tokens: want at least 1", q.MaxNew)
	case len(q.Among) > 0:
		return errors.New("a server takes no choice of tokens that an answer may begin with")
	case len(q.Messages) > 0:
	case !r.texts:
		return errors.New("the server takes messages alone: it has no /completions")
	case r.ids && n == 0:
		return errors.New("the prompt has no tokens")
	case !r.ids && q.Text == "":
		return errors.New("the server takes text alone, and the prompt has none")
	}
	if len(q.Stop.Tokens) > 0 && !r.engine.stopIDs {
		return fmt.Errorf("%s takes no stop tokens, and %v have no text", r.engine.name, q.Stop.Tokens)
	}
	if r.context > 0 && n+q.MaxNew > r.context {
		return &FitError{fmt.Errorf("prompt of %d tokens and %d new ones exceed the server's context of %d", n, q.MaxNew, r.context)}
	}
	return nil
}

// question is a request as the server takes it.
func (r *Runner) question(q runners.Request) (path string, body map[string]any) {
	path, body = "completions", map[string]any{
		"model": r.model, "max_tokens": q.MaxNew, "temperature": 0, "seed": r.options.Seed,
		"stream": true, "stream_options": map[string]any{"include_usage": true},
	}
	switch {
	case len(q.Messages) > 0:
		path, body["messages"] = "chat/completions", q.Messages
	case r.ids:
		body["prompt"] = slices.Concat(q.Prompt, q.Question)
	default:
		body["prompt"] = q.Text
	}
	if len(q.Stop.Strings) > 0 { // OpenAI takes four; we look for all
		body["stop"] = q.Stop.Strings[:min(4, len(q.Stop.Strings))]
	}
	if len(q.Stop.Tokens) > 0 {
		body["stop_token_ids"] = q.Stop.Tokens
	}
	if q.MinNew > 0 && r.engine.least {
		body["min_tokens"] = q.MinNew
	}
	if r.engine.name == vllm {
		body["return_token_ids"] = true
	}
	if r.options.Trail != nil && r.options.Baseline && len(q.Messages) == 0 {
		if body["logprobs"] = top; r.engine.name == vllm {
			body["return_tokens_as_token_ids"] = true
		}
	}
	return path, body
}

// answer asks until there is an answer.
func (r *Runner) answer(ctx context.Context, q runners.Request) (*answer, int, error) {
	path, body := r.question(q)
	var a *answer
	retries, err := r.persist(ctx, func() error {
		a = &answer{asked: q, began: time.Now()}
		if q.Progress != nil {
			q.Progress(runners.Progress{Max: q.MaxNew})
		}
		defer r.load.begins(r)()
		response, heard, err := r.client.post(ctx, path, body)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		return a.receive(r.client, response, heard)
	})
	r.load.asked(ctx, r, a, err)
	return a, retries, err
}

// judged makes a completion of an answer, or of what came instead.
func (r *Runner) judged(q runners.Request, a *answer, retries int, err error) (c runners.Completion, notes []string, fatal error) {
	if err != nil {
		if errors.Is(err, context.Canceled) || isGone(err) {
			return c, nil, err
		}
		return runners.Completion{Err: err, Served: &runners.Served{Retries: retries}}, nil, nil
	}
	c, notes = a.completion()
	c.Served.Retries = retries
	if note, err := r.counted(q, a); err != nil {
		c.Err = err
	} else if note != "" {
		notes = append(notes, note)
	}
	if d := a.usage.Details; d != nil && d.CachedTokens > 0 {
		notes = append(notes, "the server had part of the prompt in its cache: the time to the first token is that of the rest")
	}
	if q.MinNew > 0 && !r.engine.least {
		notes = append(notes, fmt.Sprintf("the server takes no least length: the answer could end within its first %d tokens", q.MinNew))
	}
	if c.Err != nil {
		c.Text, c.Tokens = "", nil
	}
	return c, notes, nil
}

// counted holds the server's count of the prompt to ours. Fewer tokens than ids were
// sent is a prompt that was cut; so are many fewer than ours of a text, which special
// tokens or another version of the tokenizer do not explain.
func (r *Runner) counted(q runners.Request, a *answer) (note string, err error) {
	ours, theirs := len(q.Prompt)+len(q.Question), a.usage.PromptTokens
	switch {
	case a.cut:
		return "", errors.New("the server cut the prompt, and says so")
	case ours == 0 || theirs == 0 || ours == theirs:
		return "", nil
	case r.ids && len(q.Messages) == 0 && theirs < ours || theirs < ours-max(8, ours/16):
		return "", fmt.Errorf("the server read %d of the prompt's %d tokens: it cut it", theirs, ours)
	}
	return fmt.Sprintf("the server counts %+d tokens of the prompt against ours", theirs-ours), nil
}

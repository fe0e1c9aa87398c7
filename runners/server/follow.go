package server

import (
	"context"
	"errors"
	"fmt"

	"github.com/snapbench/snapbench/runners"
)

// canFollow says whether the engine tells distributions by ids.
func (r *Runner) canFollow() bool {
	return r.ids && (r.engine.name == vllm || r.engine.name == llamaCPP)
}

// fidelity keeps what the baseline told along its answer, or leads another server along
// it. What keeps it from being measured is a note, not an error of the answer.
func (r *Runner) fidelity(ctx context.Context, q runners.Request, a *answer, c *runners.Completion) (note string, err error) {
	prompt := append(append([]int32{}, q.Prompt...), q.Question...)
	switch {
	case len(q.Messages) > 0 || len(prompt) == 0:
		return "fidelity is not measured: it needs a prompt of token ids", nil
	case r.options.Baseline && (len(a.steps) == 0 || len(a.steps) != len(a.tokens)):
		return "fidelity is not measured: the server told no distributions beside its answer", nil
	case r.options.Baseline:
		if c.Fidelity, err = Compare(a.steps, a.steps); err != nil {
			return "fidelity is not measured: " + err.Error(), nil
		}
		return "", r.options.Trail.put(prompt, a.steps)
	}
	along := r.options.Trail.at(prompt)
	if along == nil {
		return "fidelity is not measured: the baseline has no answer to this prompt", nil
	}
	var steps []Step
	_, err = r.persist(ctx, func() (err error) {
		steps, err = r.follow(ctx, prompt, idsOf(along))
		return err
	})
	if err == nil {
		c.Fidelity, err = Compare(along, steps)
	}
	if err != nil && (ctx.Err() != nil || isGone(err)) {
		return "", err
	}
	if err != nil {
		return "fidelity is not measured: " + err.Error(), nil
	}
	return "", nil
}

// follow returns the server's distributions along an answer that it is given: by vLLM
// in one request, which scores the prompt; by llama.cpp in one request a token, for
// which it has the prompt's cache.
func (r *Runner) follow(ctx context.Context, prompt, along []int32) ([]Step, error) {
	body := map[string]any{"model": r.model, "max_tokens": 1, "temperature": 0, "seed": r.options.Seed}
	ask := func(ids []int32) (choice, error) {
		body["prompt"] = ids
		var out reply
		if err := r.client.ask(ctx, "completions", body, &out); err != nil {
			return choice{}, err
		}
		if len(out.Choices) != 1 {
			return choice{}, fmt.Errorf("the server gives %d answers where one was asked for", len(out.Choices))
		}
		return out.Choices[0], nil
	}
	all := append(append([]int32{}, prompt...), along...)
	if r.engine.name == vllm {
		body["prompt_logprobs"] = top
		c, err := ask(all)
		if err != nil {
			return nil, err
		}
		return c.scored(along, len(all))
	}
	body["logprobs"] = top
	var list []Step
	for i, id := range along {
		c, err := ask(all[:len(prompt)+i])
		if err != nil {
			return nil, err
		}
		steps, err := c.Logprobs.steps()
		if err != nil {
			return nil, err
		}
		if len(steps) == 0 {
			return nil, errors.New("the server tells no distribution")
		}
		s := Step{ID: id, Top: steps[0].Top}
		for _, t := range s.Top {
			if t.ID == id {
				s.LogProb = &t.LogProb
			}
		}
		list = append(list, s)
	}
	return list, nil
}

// scored reads the distributions of a prompt's last tokens.
func (c *choice) scored(along []int32, n int) ([]Step, error) {
	if len(c.PromptLogprobs) != n {
		return nil, fmt.Errorf("the server tells %d distributions of a prompt of %d tokens", len(c.PromptLogprobs), n)
	}
	var list []Step
	for i, of := range c.PromptLogprobs[n-len(along):] {
		s := Step{ID: along[i]}
		for name, p := range of {
			id, err := idOf(name)
			if err != nil {
				return nil, err
			}
			if s.Top = append(s.Top, Likely{id, p.Logprob}); id == s.ID {
				s.LogProb = &p.Logprob
			}
		}
		if s.LogProb == nil {
			return nil, fmt.Errorf("the server does not tell how likely token %d is", s.ID)
		}
		s = s.sorted()
		if err := s.check(); err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, nil
}

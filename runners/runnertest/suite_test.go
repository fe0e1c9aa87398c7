package runnertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/runners"
	"github.com/snapbench/snapbench/runners/evidence"
)

// scripted is a runner without a model: what it answers follows from the prompt and
// the variant. Each fault breaks one promise.
type scripted struct{ fault string }

type plainVariant string

func (v plainVariant) String() string          { return string(v) }
func (v plainVariant) Policy() string          { return string(v) }
func (v plainVariant) Budget() string          { return string(v) }
func (plainVariant) Params() map[string]string { return nil }

const scriptedContext = 1000

func (r *scripted) Describe() runners.Description {
	d := runners.Description{Device: "none", DType: "none", Name: "scripted", About: "a script", Context: scriptedContext, Fidelity: true, Positions: true}
	if r.fault == "no name" {
		d.Name = ""
	}
	return d
}

func (r *scripted) Check(list []runners.Variant) error {
	for _, v := range list {
		if _, ok := v.(plainVariant); !ok && r.fault != "serves strangers" {
			return fmt.Errorf("variant %s is not known", v)
		}
	}
	return nil
}

func (r *scripted) Close() error { return nil }

func (r *scripted) Run(ctx context.Context, work runners.Work) error {
	if r.fault == "ignores the context" {
		ctx = context.WithoutCancel(ctx)
	}
	var fits func(runners.Request) bool
	if r.fault == "refuses what is too long" {
		fits = func(q runners.Request) bool { return len(q.Prompt) < scriptedContext }
	}
	for together := 1; ; together++ {
		h, done, err := work.Next(ctx, true, fits)
		if err != nil || done {
			return err
		}
		var out []runners.Completion
		for _, v := range h.Variants {
			c := r.answer(h.Request, v, together)
			if c.Err != nil && r.fault == "one ends all" {
				return c.Err
			}
			out = append(out, c)
			if ctx.Err() != nil {
				return ctx.Err()
			}
		}
		if r.fault == "writes requests" && len(h.Stop.Strings) > 0 {
			h.Stop.Strings[0] = "another"
		}
		switch {
		case r.fault == "turns the order around":
			slices.Reverse(out)
		case r.fault == "loses an answer" && together == 2:
			continue
		}
		if err := h.Answer(out); err != nil && r.fault != "goes on without work" {
			return err
		}
	}
}

func (r *scripted) answer(q runners.Request, v runners.Variant, together int) runners.Completion {
	c := runners.Completion{Variant: v}
	switch {
	case len(q.Prompt) >= scriptedContext || q.MaxNew < 1:
		c.Err = errors.New("too long, or nothing to say")
		if r.fault == "doubts everything" {
			c.Untrusted = true
		}
		return c
	case v.String() == "unserved" && len(q.Prompt) > 1:
		c.Err = fmt.Errorf("%s does not serve this", v)
		if r.fault == "does not name the unserved" {
			c.Err = errors.New("no")
		}
		return c
	}
	if q.Progress != nil {
		q.Progress(runners.Progress{Prefill: 0.5, Max: q.MaxNew})
		if r.fault == "goes back" {
			q.Progress(runners.Progress{Prefill: 0.4, Max: q.MaxNew})
		}
	}
	seed := int32(len(q.Prompt) + 7*len(v.String()))
	if r.fault == "depends on company" {
		seed += int32(together)
	}
	for len(c.Tokens) < q.MaxNew && !c.Ended {
		token := seed*3 + int32(len(c.Tokens))*5
		if len(c.Tokens) == 0 && len(q.Among) > 0 && r.fault != "chooses among all" {
			token = q.Among[0]
		}
		if slices.Contains(q.Stop.Tokens, token) {
			if len(c.Tokens) < q.MinNew && r.fault != "forgets the least" {
				token++
			}
			c.Ended = slices.Contains(q.Stop.Tokens, token) && r.fault != "does not say it ended"
		}
		c.Tokens = append(c.Tokens, token)
		c.Text += fmt.Sprintf("%d ", token)
		for _, s := range q.Stop.Strings {
			if before, _, found := strings.Cut(c.Text, s); found && r.fault != "runs over stop strings" {
				c.Text, c.Ended = before, true
			}
		}
		if r.fault == "one token too many" && len(c.Tokens) == q.MaxNew {
			c.Tokens = append(c.Tokens, token)
			break
		}
	}
	if q.Fidelity {
		if c.Fidelity = runners.NewFidelity(0, []float64{0}, []bool{true}); r.fault == "is not itself" {
			c.Fidelity.KLMean = 0.1
		} else if r.fault == "loses a part" {
			c.Fidelity.Parts = nil
		}
	}
	c.Kept = runners.Kept{Min: 1, Max: 1, Mean: 1}
	if q.Positions {
		if c.Positions = [][][]int32{{{0}}}; r.fault == "counts otherwise" {
			c.Kept.Max = 2
		}
	}
	if q.Evidence != nil {
		if c.Evidence = (&runners.Audited{Kept: []evidence.Kept{{Retention: 1}}, Least: 1}); r.fault == "loses of everything" {
			c.Evidence.Least = 0.5
		}
	}
	return c
}

func scriptedSubject(fault string) Subject {
	prompt := func(n int) runners.Request { return runners.Request{Prompt: make([]int32, n)} }
	return Subject{
		Runner: &scripted{fault}, Variants: []runners.Variant{plainVariant("full"), plainVariant("half of it")},
		Requests: []runners.Request{prompt(3), prompt(40), prompt(5)}, Impossible: prompt(scriptedContext), Unserved: plainVariant("unserved"),
	}
}

func TestAScriptPasses(t *testing.T) { Run(t, scriptedSubject("")) }

// Each broken promise is found, by the check that holds it.
func TestFaultsAreFound(t *testing.T) {
	held := map[string]bool{}
	for fault, by := range map[string]string{
		"no name": "description", "serves strangers": "variants", "refuses what is too long": "handing", "loses an answer": "handing", "goes on without work": "handing",
		"turns the order around": "order", "depends on company": "company", "one token too many": "lengths",
		"runs over stop strings": "stop strings", "does not say it ended": "stop tokens", "forgets the least": "stop tokens", "chooses among all": "among",
		"one ends all": "failures", "doubts everything": "failures", "does not name the unserved": "an unserved variant",
		"is not itself": "fidelity", "loses a part": "fidelity", "counts otherwise": "positions", "loses of everything": "passages", "goes back": "progress", "ignores the context": "a cancelled context",
		"writes requests": "requests are left alone",
	} {
		held[by] = true
		i := slices.IndexFunc(checks, func(c check) bool { return c.name == by })
		if err := checks[i].check(t.Context(), scriptedSubject(fault)); err == nil {
			t.Errorf("a runner that %s passes %q", fault, by)
		}
	}
	for _, c := range checks {
		if !held[c.name] {
			t.Errorf("no fault shows that %q can fail", c.name)
		}
	}
}

// Package runnertest holds any [runners.Runner] to what the sentence relies on: our
// own engine, a server behind HTTP, and what comes next.
//
//	func TestRunner(t *testing.T) {
//		runnertest.Run(t, runnertest.Subject{Runner: r, Requests: …, Impossible: …, Variants: …})
//	}
//
// Answers are compared exactly: a runner is asked greedily, and a row must not depend
// on what else was asked with it.
package runnertest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"github.com/snapbench/snapbench/runners"
)

// Subject is a runner, and what it can be asked.
type Subject struct {
	Runner runners.Runner
	// Variants are what it serves, two or more.
	Variants []runners.Variant
	// Requests are three prompts or more, of different lengths, whose answers go on
	// for eight tokens where nothing stops them. The suite fills in the rest.
	Requests []runners.Request
	// Impossible is a prompt that no variant can answer: too long, mostly.
	Impossible runners.Request
	// Unserved, where there is one, is a variant that Requests[0] cannot be answered
	// under, though Check allows it.
	Unserved runners.Variant
}

// Run holds a runner to all of it.
func Run(t *testing.T, s Subject) {
	if len(s.Variants) < 2 || len(s.Requests) < 3 {
		t.Fatalf("%d variants and %d requests: the suite needs two and three", len(s.Variants), len(s.Requests))
	}
	for _, c := range checks {
		t.Run(c.name, func(t *testing.T) {
			if err := c.check(t.Context(), s); err != nil {
				t.Error(err)
			}
		})
	}
}

// check is a promise of the interface, and what shows that it is kept.
type check struct {
	name  string
	check func(ctx context.Context, s Subject) error
}

var checks = []check{
	{"description", description},
	{"variants", variants},
	{"handing", handing},
	{"order", order},
	{"company", company},
	{"lengths", lengths},
	{"stop strings", stopStrings},
	{"stop tokens", stopTokens},
	{"among", among},
	{"failures", failures},
	{"an unserved variant", unserved},
	{"fidelity", fidelity},
	{"positions", positions},
	{"passages", passages},
	{"progress", progress},
	{"a cancelled context", cancelled},
	{"requests are left alone", leftAlone},
}

// most is how long answers are.
const most = 8

// ask is the i-th request under variants.
func (s Subject) ask(i int, v ...runners.Variant) runners.Request {
	q := s.Requests[i]
	q.Variants, q.MaxNew = v, most
	return q
}

// run answers requests, and says what is wrong with the answers' form.
func (s Subject) run(ctx context.Context, requests ...runners.Request) ([][]runners.Completion, error) {
	out, err := runners.Answer(ctx, s.Runner, requests...)
	if err != nil {
		return nil, err
	}
	if len(out) != len(requests) {
		return nil, fmt.Errorf("%d requests have %d answers", len(requests), len(out))
	}
	for i, q := range requests {
		if len(out[i]) != len(q.Variants) {
			return nil, fmt.Errorf("request %d: %d variants have %d completions", i, len(q.Variants), len(out[i]))
		}
		for j, c := range out[i] {
			if c.Variant == nil || c.Variant.String() != q.Variants[j].String() {
				return nil, fmt.Errorf("request %d: completion %d is of %v, variant %d is %v", i, j, c.Variant, j, q.Variants[j])
			}
		}
	}
	return out, nil
}

// answered is run where nothing may go wrong.
func (s Subject) answered(ctx context.Context, requests ...runners.Request) ([][]runners.Completion, error) {
	out, err := s.run(ctx, requests...)
	if err != nil {
		return nil, err
	}
	for i, completions := range out {
		for _, c := range completions {
			if err := complete(c, requests[i]); err != nil {
				return nil, fmt.Errorf("request %d, %s: %w", i, c.Variant, err)
			}
		}
	}
	return out, nil
}

// complete says what an answer lacks.
func complete(c runners.Completion, q runners.Request) error {
	switch n := len(c.Tokens); {
	case c.Err != nil:
		return c.Err
	case c.Untrusted:
		return errors.New("untrusted, without an error")
	case n < 1 || n > q.MaxNew:
		return fmt.Errorf("%d tokens, at most %d were asked for", n, q.MaxNew)
	case n < q.MaxNew && !c.Ended:
		return fmt.Errorf("%d of %d tokens, and it has not ended", n, q.MaxNew)
	case c.CacheBytes < 0 || c.FullBytes < 0 || c.PeakBytes < 0 || c.Prefill < 0 || c.Decode < 0:
		return fmt.Errorf("a figure is below nothing: %+v", c)
	}
	return nil
}

// alike says how two answers differ.
func alike(a, b runners.Completion) error {
	if a.Text != b.Text || !slices.Equal(a.Tokens, b.Tokens) || a.Ended != b.Ended {
		return fmt.Errorf("%s answers %q (%v, ended %t) and %q (%v, ended %t)", a.Variant, a.Text, a.Tokens, a.Ended, b.Text, b.Tokens, b.Ended)
	}
	if a.Kept != b.Kept || a.CacheBytes != b.CacheBytes || a.FullBytes != b.FullBytes || !reflect.DeepEqual(a.Positions, b.Positions) {
		return fmt.Errorf("%s keeps %+v in %d bytes of %d, and %+v in %d of %d", a.Variant, a.Kept, a.CacheBytes, a.FullBytes, b.Kept, b.CacheBytes, b.FullBytes)
	}
	return nil
}

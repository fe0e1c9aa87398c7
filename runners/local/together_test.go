package local

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/snapbench/snapbench/runners"
)

// Questions behind one prompt share its prefill, and nothing else: answers, fidelity and kept
// positions are those of each alone, in whatever order they are asked.
func TestQuestionsShareAPrefill(t *testing.T) {
	r, m := tiny(t)
	before := m.Device().Memory().InUse
	of := func(seed, length int) runners.Request {
		return runners.Request{Sample: 4, Prompt: ids(100, 3), Question: ids(length, seed), Variants: runners.VariantsOf(variants(t, twelve)), MaxNew: 9, Positions: true, Fidelity: true}
	}
	near := func(c runners.Completion) string {
		if c.Fidelity == nil {
			return "none"
		}
		return fmt.Sprint(c.Fidelity.Tokens, c.Fidelity.KLMean, c.Fidelity.KLP99, c.Fidelity.Agreement)
	}
	requests := []runners.Request{of(11, 5), of(13, 8), of(17, 2), {Prompt: ids(61, 5), Variants: runners.VariantsOf(variants(t, five)), MaxNew: 4, Positions: true}}
	out, err := runners.Answer(context.Background(), r, requests...)
	if err != nil {
		t.Fatal(err)
	}
	turned := slices.Clone(requests)
	slices.Reverse(turned)
	back, err := runners.Answer(context.Background(), r, turned...)
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(back)
	for i, q := range requests {
		alone, err := runners.Answer(context.Background(), r, q)
		if err != nil {
			t.Fatal(err)
		}
		for j := range q.Variants {
			want := alone[0][j]
			for _, got := range []runners.Completion{out[i][j], back[i][j]} {
				if got.Err != nil || want.Err != nil {
					t.Fatalf("request %d, %s: %v, alone %v", i, q.Variants[j], got.Err, want.Err)
				}
				if !slices.Equal(got.Tokens, want.Tokens) || !reflect.DeepEqual(got.Positions, want.Positions) || near(got) != near(want) || got.Kept != want.Kept || got.CacheBytes != want.CacheBytes {
					t.Errorf("request %d, %s: %v with %v, alone %v with %v", i, q.Variants[j], got.Tokens, near(got), want.Tokens, near(want))
				}
			}
			if i != 3 && out[i][j].Prefill != out[0][0].Prefill {
				t.Errorf("request %d, %s: its prefill took %v, the first's %v", i, q.Variants[j], out[i][j].Prefill, out[0][0].Prefill)
			}
		}
	}
	if now := m.Device().Memory().InUse; now != before {
		t.Errorf("%d bytes are held afterwards, %d before", now, before)
	}
}

// What one question lacks is its own error: too long for the context, or a variant that its
// prompt cannot serve.
func TestSharedPrefillFailsApart(t *testing.T) {
	r, m := tiny(t)
	q := runners.Request{Prompt: ids(100, 3), Question: ids(5, 11), Variants: runners.VariantsOf(variants(t, "full;snapkv(cap=5%,w=8);snapkv(cap=24,w=8)")), MaxNew: 3}
	long := q
	long.Question = make([]int32, m.Context)
	out, err := runners.Answer(context.Background(), r, q, long, q)
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range out {
		for j := range c {
			want := ""
			if i == 1 {
				want = "exceed the model's context"
			} else if j == 1 {
				want = "window"
			}
			if (c[j].Err == nil) != (want == "") || c[j].Err != nil && !strings.Contains(c[j].Err.Error(), want) {
				t.Errorf("request %d, %s: %v, want %q", i, c[j].Variant, c[j].Err, want)
			}
		}
	}
}

// Only a prompt that is read alike is shared, and its tokens count once.
func TestTogether(t *testing.T) {
	q := runners.Request{Sample: 1, Prompt: ids(100, 3), Variants: runners.VariantsOf(variants(t, five))}
	question, number, prompt, fewer, fidelity := q, q, q, q, q
	question.Question = ids(3, 3)
	number.Sample = 2 // a random policy draws anew
	prompt.Prompt = ids(100, 4)
	fewer.Variants = q.Variants[1:]
	fidelity.Fidelity = true
	for i, other := range []runners.Request{q, question, number, prompt, fewer, fidelity} {
		if got, want := shared(q, other), i < 2; got != want {
			t.Errorf("request %d is shared: %v, want %v", i, got, want)
		}
	}
	e := New(tinyOn(t, newCPU(t)), func([]int32) string { return "" })
	one := runners.Request{Prompt: make([]int32, tokensTogether-10), Variants: q.Variants[:1], MaxNew: 3}
	other := one
	other.Prompt = ids(tokensTogether-10, 1)
	b, group := e.newBatch(), []*runners.Handed{{Request: one}}
	if !b.fits(group, one) {
		t.Error("the same prompt does not fit")
	}
	if lacks, err := b.join(t.Context(), group, false); lacks || err != nil {
		t.Fatal(lacks, err)
	}
	defer b.free()
	if b.fits(nil, other) {
		t.Error("another prompt of its length fits")
	}
}

// A context with more questions than go into one batch is read again for the rest, and no answer is another.
func TestQuestionsOverSeveralBatches(t *testing.T) {
	r := New(tinyOn(t, newCPU(t)), func([]int32) string { return "" })
	five := runners.VariantsOf(variants(t, five))
	var list []runners.Request
	for i := range rowsOfOnePrompt/len(five) + 9 {
		list = append(list, runners.Request{Prompt: ids(100, 3), Question: ids(1+i%4, 20+i), Variants: five, MaxNew: 2})
	}
	out, err := runners.Answer(t.Context(), r, list...)
	if err != nil {
		t.Fatal(err)
	}
	prefills := map[time.Duration]int{}
	for i, c := range out {
		prefills[c[0].Prefill]++
		alone, err := runners.Answer(t.Context(), r, list[i])
		if err != nil {
			t.Fatal(err)
		}
		for j := range c {
			if c[j].Err != nil || !slices.Equal(c[j].Tokens, alone[0][j].Tokens) {
				t.Errorf("question %d, %s: %v (%v), alone %v", i, five[j], c[j].Tokens, c[j].Err, alone[0][j].Tokens)
			}
		}
	}
	if want := rowsOfOnePrompt / len(five); prefills[out[0][0].Prefill] != want {
		t.Errorf("the first prefill is of %d questions, want %d: %v", prefills[out[0][0].Prefill], want, prefills)
	}
}

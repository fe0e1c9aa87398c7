package local

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

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
	requests := []runners.Request{of(11, 5), of(13, 8), {Prompt: ids(61, 5), Variants: runners.VariantsOf(variants(t, five)), MaxNew: 4, Positions: true}, of(17, 2)}
	out, err := r.Run(context.Background(), requests)
	if err != nil {
		t.Fatal(err)
	}
	turned := slices.Clone(requests)
	slices.Reverse(turned)
	back, err := r.Run(context.Background(), turned)
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(back)
	for i, q := range requests {
		alone, err := r.Run(context.Background(), []runners.Request{q})
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
			if i != 2 && out[i][j].Prefill != out[0][0].Prefill {
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
	out, err := r.Run(context.Background(), []runners.Request{q, long, q})
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
	b := &batch{requests: []runners.Request{q, number, question, prompt, fewer, fidelity, q}}
	if got, want := b.together([]int{0, 1, 2, 3, 4, 5, 6}), [][]int{{0, 2, 6}, {1}, {3}, {4}, {5}}; !reflect.DeepEqual(got, want) {
		t.Errorf("groups %v, want %v", got, want)
	}
	e := New(tinyOn(t, newCPU(t)), func([]int32) string { return "" })
	one := runners.Request{Prompt: make([]int32, tokensTogether-10), Variants: q.Variants[:1], MaxNew: 3}
	other := one
	other.Prompt = ids(tokensTogether-10, 1)
	if !e.Fits([]runners.Request{one}, one) || e.Fits([]runners.Request{one}, other) {
		t.Errorf("the same prompt fits: %v; another of its length: %v", e.Fits([]runners.Request{one}, one), e.Fits([]runners.Request{one}, other))
	}
}

// A context with more questions than go into one batch is read again for the rest, and no answer is another.
func TestQuestionsOverSeveralBatches(t *testing.T) {
	r := New(tinyOn(t, newCPU(t)), func([]int32) string { return "" })
	five := runners.VariantsOf(variants(t, five))
	var list []runners.Request
	for i := range 30 {
		list = append(list, runners.Request{Prompt: ids(100, 3), Question: ids(1+i%4, 20+i), Variants: five, MaxNew: 2})
	}
	var sizes []int
	for at := 0; at < len(list); {
		end := at + 1
		for end < len(list) && r.Fits(list[at:end], list[end]) {
			end++
		}
		out, err := r.Run(context.Background(), list[at:end])
		if err != nil {
			t.Fatal(err)
		}
		for i, c := range out {
			alone, err := r.Run(context.Background(), list[at+i:at+i+1])
			if err != nil {
				t.Fatal(err)
			}
			for j := range c {
				if c[j].Err != nil || !slices.Equal(c[j].Tokens, alone[0][j].Tokens) {
					t.Errorf("question %d, %s: %v (%v), alone %v", at+i, five[j], c[j].Tokens, c[j].Err, alone[0][j].Tokens)
				}
			}
		}
		sizes = append(sizes, end-at)
		at = end
	}
	want := rowsSharing / len(five)
	if sizes[0] != want || len(sizes) != (len(list)+want-1)/want {
		t.Errorf("batches of %v questions, want %d", sizes, want)
	}
	list[0].Fidelity = true
	if r.Fits(slices.Repeat(list[:1], rowsTogether/len(five)), list[0]) {
		t.Errorf("with followers more than %d rows fit", rowsTogether)
	}
}

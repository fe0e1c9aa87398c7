package local

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/snapbench/snapbench/runners"
)

// desk hands out requests, and notes in which order they are taken and given back.
type desk struct {
	requests []runners.Request
	taken    int
	order    []int // numbers as they are given back
	had      []int // how many were taken by then
	out      map[int][]runners.Completion
}

func (d *desk) Next(_ context.Context, _ bool, fits func(runners.Request) bool) (*runners.Handed, bool, error) {
	i := d.taken
	if i == len(d.requests) {
		return nil, true, nil
	}
	if fits != nil && !fits(d.requests[i]) {
		return nil, false, nil
	}
	d.taken++
	return &runners.Handed{Request: d.requests[i], Answer: func(c []runners.Completion) error {
		d.order, d.had, d.out[i] = append(d.order, i), append(d.had, d.taken), c
		return nil
	}}, false, nil
}

// While a long answer is underway, short ones beside it are given back and the next requests
// take their places; the answers are those of each request alone.
func TestRequestsComeAndGo(t *testing.T) {
	m := tinyOn(t, newCPU(t))
	e := New(m, func(ids []int32) string { return string(rune(len(ids))) })
	before := m.Device().Memory().InUse
	d := &desk{out: map[int][]runners.Completion{}}
	for i, most := range []int{60, 3, 1, 9, 3, 5} {
		d.requests = append(d.requests, runners.Request{
			Prompt: ids(70+10*i, i), Variants: runners.VariantsOf(variants(t, twelve)), MaxNew: most, Positions: true, // 13 rows, of 32
		})
	}
	start := time.Now()
	if err := e.Run(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	took := time.Since(start)
	var parts, reading, longest time.Duration // what took part in everything was decoded while all others were
	for i := range d.requests {
		reading += d.out[i][0].Prefill
		for _, c := range d.out[i] {
			parts, longest = parts+c.PrefillPart+c.DecodePart, max(longest, c.Decode)
		}
	}
	if least := reading + longest - time.Millisecond; parts < least || parts > took {
		t.Errorf("the answers' parts add up to %v: want %v to %v", parts, least, took)
	}
	if want := []int{1, 2, 3, 4, 5, 0}; !slices.Equal(d.order, want) {
		t.Errorf("given back in the order %v, want %v", d.order, want)
	}
	if want := []int{2, 3, 4, 5, 6, 6}; !slices.Equal(d.had, want) {
		t.Errorf("taken by then: %v, want %v", d.had, want)
	}
	for i, q := range d.requests {
		alone, err := runners.Answer(t.Context(), e, q)
		if err != nil {
			t.Fatal(err)
		}
		for j, want := range alone[0] {
			got := d.out[i][j]
			if got.Err != nil || len(got.Tokens) != q.MaxNew || !slices.Equal(got.Tokens, want.Tokens) || got.Kept != want.Kept || len(got.Positions) != m.Layers {
				t.Errorf("request %d, %s: %v, %+v (%v); alone %v, %+v", i, want.Variant, got.Tokens, got.Kept, got.Err, want.Tokens, want.Kept)
			}
			if q.MaxNew > 1 && got.Decode <= 0 || got.Decode > d.out[0][j].Decode {
				t.Errorf("request %d, %s: decoded in %v, the longest in %v", i, want.Variant, got.Decode, d.out[0][j].Decode)
			}
		}
	}
	if now := m.Device().Memory().InUse; now != before {
		t.Errorf("%d bytes are held afterwards, %d before", now, before)
	}
}

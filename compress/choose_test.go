package compress

import (
	"fmt"
	"slices"
	"testing"

	"github.com/snapbench/snapbench/runners/engine"
)

// asked is a device that only notes what it is asked.
type asked struct {
	engine.Device
	windows [][]int
	pools   int
	groups  []engine.Grouping
	choices []int // selections of each call
}

func (a *asked) New(t engine.Type, n int) (engine.Array, error) {
	return engine.Array{Type: t, Len: n}, nil
}
func (a *asked) Free(...engine.Array) {}
func (a *asked) WindowScores(dst []engine.Array, w []int, q engine.Array, kv engine.KV, by engine.Attention) {
	h := by.Heads
	for x := range dst {
		if dst[x].Len != h.Query*(kv.Tokens-w[x]) || w[x]*h.Query*h.Size > q.Len {
			panic(fmt.Sprintf("a window of %d: %d scores, %d numbers of q", w[x], dst[x].Len, q.Len))
		}
	}
	a.windows = append(a.windows, slices.Sorted(slices.Values(w)))
}
func (a *asked) PoolScores(dst, src engine.Array, rows, kernel int, kind engine.Pooling) { a.pools++ }
func (a *asked) GroupScores(dst, src engine.Array, h engine.Heads, how engine.Grouping) {
	a.groups = append(a.groups, how)
}
func (a *asked) Select(s []engine.Selection) { a.choices = append(a.choices, len(s)) }

// TestChooseTogether holds what variants share to one measurement, and all of a
// layer's windows and choices to one operation.
func TestChooseTogether(t *testing.T) {
	h := engine.Heads{Query: 2, KV: 2, Size: 8}
	for _, c := range []struct {
		variants []string
		layer    int
		windows  [][]int
		pools    int
		choices  []int
	}{
		{[]string{"full"}, 0, nil, 0, nil},
		{[]string{"full", "snapkv(cap=64)", "snapkv(cap=128)"}, 0, [][]int{{32}}, 1, []int{2}},
		{[]string{"snapkv(cap=64,w=16)", "snapkv(cap=64,w=32)", "snapkv(cap=64,w=16,k=5)", "snapkv(cap=96,w=16,k=5)", "snapkv(cap=64,w=8,k=1)"}, 0, [][]int{{8, 16, 32}}, 3, []int{5}},
		{[]string{"snapkv(cap=64,w=16|8)", "snapkv(cap=64,w=32|8)"}, 1, [][]int{{8}}, 1, []int{1}},
		{[]string{"snapkv(cap=64,w=16|8)", "snapkv(cap=400,w=32)"}, 0, [][]int{{16}}, 1, []int{1}}, // the prompt is shorter than 400
	} {
		var variants []Variant
		for _, text := range c.variants {
			v, err := Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			variants = append(variants, v)
		}
		d := &asked{}
		kv := engine.KV{Tokens: 300, Heads: h.KV, Size: h.Size}
		choice, err := Choose(d, Source{KV: kv, Queries: engine.Array{Len: 64 * h.Query * h.Size}}, Layer{Index: c.layer, Layers: 2, Tokens: kv.Tokens, Attention: engine.Attention{Heads: h}}, variants)
		if err != nil {
			t.Errorf("%v: %v", c.variants, err)
			continue
		}
		if !slices.EqualFunc(d.windows, c.windows, slices.Equal[[]int]) || d.pools != c.pools || !slices.Equal(d.choices, c.choices) {
			t.Errorf("%v, layer %d: windows %v, %d poolings, choices %v; want %v, %d, %v", c.variants, c.layer, d.windows, d.pools, d.choices, c.windows, c.pools, c.choices)
		}
		choice.Free()
	}
}

// TestGroupOfOne: one query head per KV head is its own mean and highest, but not the mean
// over all heads.
func TestGroupOfOne(t *testing.T) {
	d := &asked{}
	o := &ops{device: d, layer: Layer{Attention: engine.Attention{Heads: engine.Heads{Query: 2, KV: 2, Size: 8}}}, memo: map[string]Scores{}}
	s := Scores{Array: engine.Array{Len: 20}, Rows: 2, question: "scores"}
	for _, how := range []engine.Grouping{engine.GroupMean, engine.GroupMax, engine.GroupAll} {
		o.Group(s, how)
	}
	if want := []engine.Grouping{engine.GroupAll}; !slices.Equal(d.groups, want) {
		t.Errorf("the device was asked for groupings %v, want %v", d.groups, want)
	}
}

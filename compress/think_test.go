package compress

import (
	"slices"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/runners/engine"
)

func TestThink(t *testing.T) {
	// Mean squares of the queries: (1+9)/4, (4+4)/4, 16/4; of the keys 4, 1, 0.5.
	queries := [][]float32{{1, 2, 0, 0, 0, 4}, {3, 2, 0, 0, 0, 0}}
	keys := []float32{2, 1, 1, 2, -1, 0}
	for count, want := range [][]int{{}, {1}, {1, 2}, {1, 2, 0}} { // products 10, 2, 2: ties to the first
		if got := leastChannels(queries, keys, 3, count); !slices.Equal(got, want) {
			t.Errorf("%d channels: %v, want %v", count, got, want)
		}
	}
	v, err := Parse("think(ratio=0.25|0.5)")
	if err != nil || v.String() != "think(ratio=0.25|0.5,w=32)" || v.Budget() != FullName {
		t.Fatalf("%v, %v", v, err)
	}
	l := Layer{Layers: 2, Tokens: 40, Attention: engine.Attention{Heads: engine.Heads{Query: 2, KV: 1, Size: 4}}}
	if e := v.Expect(l); e != Full.Expect(l) || v.Needs(l) != (Needs{Queries: 32}) {
		t.Errorf("%+v, needs %+v", e, v.Needs(l))
	}
	if l.Tokens = 31; v.CheckPrompt(l) == nil {
		t.Error("31 tokens have no window of 32")
	}
	for in, want := range map[string]string{
		"think(cap=64)":  "think has no capacity",
		"think(ratio=2)": `parameter ratio "2": want a number from 0 to 1`,
		"think(w=0)":     `parameter w "0": want a whole number, 1 or more`,
		"think(snapkv)":  "think is not built on another",
	} {
		if v, err := Parse(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Parse(%q) = %v, %v; want an error with %q", in, v, err, want)
		}
	}
}

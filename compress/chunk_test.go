package compress

import (
	"slices"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/runners/engine"
)

func TestChunkChooses(t *testing.T) {
	a := []float32{9, 0, 0, 0, 3, 3, 3, 3, 0}
	b := []float32{0, 0, 0, 0, 1, 1, 1, 1, 4}
	l := Layer{Layers: 1, Tokens: 10, Attention: engine.Attention{Heads: engine.Heads{Query: 2, KV: 2, Size: 4}}}
	for _, c := range []struct {
		chunk, tail, capacity int
		want                  []int32
	}{
		{4, 1, 4, []int32{8, 9}},             // 3·4/10 is one chunk: the short last one, (4+2·10)/2
		{4, 1, 7, []int32{4, 5, 6, 7, 8, 9}}, // two chunks: means 9/4, 16/4, 12
		{4, 1, 3, []int32{8, 9}},             // never none
		{4, 1, 10, span(0, 10)},              // all
		{5, 1, 5, []int32{5, 6, 7, 8, 9}},    // no short chunk: (12+4+20)/5
		{1, 1, 3, []int32{0, 4, 9}},          // sums 9 and 4, ties to the first, and the window
		{10, 1, 3, span(0, 10)},              // one chunk is all there is
	} {
		g := given{[][]float32{a, b}, 0, c.tail}
		got := chosenBy(t, chunkKV{Ranked{g}, List[int]{c.chunk}}, l, Capacity{c.capacity, float64(c.capacity)})
		if !slices.Equal(got[0], c.want) || !slices.Equal(got[1], c.want) {
			t.Errorf("chunks of %d, capacity %d: %v, want %v", c.chunk, c.capacity, got, c.want)
		}
	}
	// A prompt shorter than a chunk is chosen from position by position.
	g := given{[][]float32{a, b}, 0, 1}
	got := chosenBy(t, chunkKV{Ranked{g}, List[int]{11}}, l, Capacity{3, 3})
	if want := [][]int32{{0, 4, 9}, {4, 8, 9}}; !slices.EqualFunc(got, want, slices.Equal) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestChunkExpects(t *testing.T) {
	l := Layer{Layers: 1, Tokens: 203, Attention: engine.Attention{Heads: engine.Heads{Query: 4, KV: 2, Size: 4}}}
	for in, want := range map[string]Expectation{
		"chunk(cap=100,snapkv(w=8))":                         {Heads: 2, Total: 183, Spread: 17},           // 5 chunks: 83 or 100 in each head
		"chunk(cap=100,chunk=29,snapkv(w=8))":                {Heads: 2, PerHead: 87, Total: 174},          // 7 whole chunks, 3 of them
		"chunk(cap=203,snapkv(w=8))":                         {Heads: 2, PerHead: 203, Total: 406},         // all
		"chunk(cap=50,chunk=300,snapkv(w=8,gqa=query_head))": {Heads: 4, PerHead: 50, Total: 200, Tail: 8}, // SnapKV's own
	} {
		v, err := Parse(in)
		if err != nil {
			t.Fatal(err)
		}
		if got := v.Expect(l); got != want {
			t.Errorf("%s: %+v, want %+v", in, got, want)
		}
	}
}

func TestChunkAudit(t *testing.T) {
	v, err := Parse("chunk(cap=8,chunk=4,snapkv(w=2))")
	if err != nil {
		t.Fatal(err)
	}
	l := Layer{Layers: 1, Tokens: 18, Attention: engine.Attention{Heads: engine.Heads{Query: 2, KV: 2, Size: 4}}} // 5 chunks, 2 of them kept
	good := append(span(4, 8), span(16, 18)...)
	if err := v.Audit(l, [][]int32{good, good}); err != nil {
		t.Error(err)
	}
	for want, kept := range map[string][]int32{
		"position 5 is not whole":   append(span(5, 9), span(16, 18)...),
		"position 16 is not whole":  append(span(4, 8), 16),
		"3 chunks are kept, want 2": append(span(0, 8), span(16, 18)...),
	} {
		if err := v.Audit(l, [][]int32{kept, kept}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want an error with %q", kept, err, want)
		}
	}
	if err := v.Audit(l, [][]int32{good, span(0, 8)}); err == nil || !strings.Contains(err.Error(), "head 1 keeps other chunks") {
		t.Errorf("heads that differ: %v", err)
	}
	if v, err := Parse("chunk(cap=64,chunk=0)"); err == nil || !strings.Contains(err.Error(), `parameter chunk "0"`) {
		t.Errorf("%v, %v", v, err)
	}
}

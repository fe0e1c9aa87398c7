package models

import (
	"reflect"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/compress"
)

func longrope(short, long []float32) map[string]any {
	return map[string]any{"original_max_position_embeddings": 20,
		"rope_scaling": map[string]any{"type": "longrope", "short_factor": short, "long_factor": long}}
}

var shortList, longList = []float32{1, 1.5, 2, 3}, []float32{3, 1.2, 8, 40}

// TestOnePromptOneList: a prompt within the original context is turned by the short list at
// every position, a longer one by the long list, also where it is read in blocks.
func TestOnePromptOneList(t *testing.T) {
	for _, c := range []struct {
		n    int
		list []float32
	}{{20, shortList}, {21, longList}, {45, longList}} {
		logits := func(short, long []float32, block int) []float32 {
			t.Helper()
			m, err := tinyFamily(t, "llama", longrope(short, long))
			if err != nil {
				t.Fatal(err)
			}
			m.block = block
			p, err := m.Prefill(t.Context(), Prompt{IDs: tokens(c.n)})
			if err != nil {
				t.Fatal(err)
			}
			return p.Logits
		}
		want := logits(c.list, c.list, 64)
		for _, block := range []int{64, 8} {
			if err := nearTo(logits(shortList, longList, block), want); err != nil {
				t.Errorf("%d tokens in blocks of %d: %v", c.n, block, err)
			}
		}
		if nearTo(logits(shortList, shortList, 64), logits(longList, longList, 64)) == nil {
			t.Errorf("%d tokens: the lists make no difference, the test shows nothing", c.n)
		}
	}
}

// TestDecodingChangesLists: behind a prompt of the short list, tokens from the original
// context's end on are turned by the long one while the cache keeps its keys, and a row's
// company does not matter.
func TestDecodingChangesLists(t *testing.T) {
	const from, n, end = 20, 17, 24
	ids := tokens(50)
	// along returns the logits of ids[n:end] read one by one behind the prompt, in row 0.
	along := func(short, long []float32, others ...int) [][]float32 {
		t.Helper()
		m, err := tinyFamily(t, "llama", longrope(short, long))
		if err != nil {
			t.Fatal(err)
		}
		var rows []Sequence
		for _, n := range append([]int{n}, others...) {
			p, err := m.Prefill(t.Context(), Prompt{IDs: ids[:n], Variants: []compress.Variant{compress.Full}, Room: end})
			if err != nil {
				t.Fatal(err)
			}
			defer p.Free()
			rows = append(rows, p.Sequences...)
		}
		b, err := m.NewDecoder(rows)
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		var out [][]float32
		for _, id := range ids[n:end] {
			feed := make([]int32, len(rows))
			for i := range feed {
				feed[i] = id
			}
			if _, err := b.Step(feed); err != nil {
				t.Fatal(err)
			}
			row := make([]float32, m.Vocab)
			b.Logits(0, row)
			out = append(out, row)
		}
		return out
	}
	both, never := along(shortList, longList), along(shortList, shortList)
	for i := range both {
		if same := reflect.DeepEqual(both[i], never[i]); same != (n+i < from) {
			t.Errorf("position %d, lists change at %d: as under the short list alone: %v", n+i, from, same)
		}
	}
	if company := along(shortList, longList, 40, 20, 12); !reflect.DeepEqual(company, both) {
		t.Error("beside prompts of both lists the logits are others")
	}
	// The first token by the long list: its own query and key, over keys of the short list.
	m, err := tinyFamily(t, "llama", longrope(shortList, longList))
	if err != nil {
		t.Fatal(err)
	}
	r := m.Rope.Rotation(8)
	if r.From != from || !reflect.DeepEqual(r.Frequencies, m.Rope.For(from).Frequencies(8)) || !reflect.DeepEqual(r.Later, m.Rope.For(from+1).Frequencies(8)) {
		t.Errorf("tokens are turned by %+v", r)
	}
}

// TestRerotationBelowTheChange: keys of the long list cannot stand at positions at which
// decoding uses the short one.
func TestRerotationBelowTheChange(t *testing.T) {
	m, err := tinyFamily(t, "llama", longrope(shortList, longList))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		variant string
		n       int
		refused bool
	}{
		{"streaming(cap=10,sinks=2,rerotate=on)", 30, true},
		{"streaming(cap=20,sinks=2,rerotate=on)", 30, false},
		{"streaming(cap=10,sinks=2,rerotate=on)", 20, false},
		{"streaming(cap=10,sinks=2)", 30, false},
	} {
		variants, err := compress.ParseAll(c.variant)
		if err != nil {
			t.Fatal(err)
		}
		p, err := m.Prefill(t.Context(), Prompt{IDs: tokens(c.n), Variants: variants, Room: 1})
		if (err != nil) != c.refused || err != nil && !strings.Contains(err.Error(), "changes at position 20 (longrope)") {
			t.Errorf("%s on %d tokens: %v", c.variant, c.n, err)
		}
		if err == nil {
			p.Free()
		}
	}
}

package modeltest

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/sharedtest"
	"github.com/snapbench/snapbench/runners/weights"
)

// recordedAttention is what a family's golden.json and config.json say of its attention.
type recordedAttention struct {
	Full   []int `json:"full_attention_layers"`
	Scores struct {
		Scaling float32  `json:"scaling"`
		Cap     *float32 `json:"softcap"`
		Sink    bool     `json:"sink"`
	} `json:"scores"`
	Layers int `json:"num_hidden_layers"`
	Query  int `json:"num_attention_heads"`
	KV     int `json:"num_key_value_heads"`
}

// Attention holds a device of float32 to what models with scales of their own, soft caps and
// sinks kept: from the queries, keys and values recorded of each full-attention layer, SnapKV
// must choose the recorded positions, but for those that tie. It needs no model of the family.
// Where a family has a cap or sinks, leaving them out must change some choice.
func Attention(t *testing.T, d engine.Device, near float64) {
	for _, path := range sharedtest.Glob(t, "families", "*/golden.safetensors") {
		dir := filepath.Dir(path)
		t.Run(filepath.Base(dir), func(t *testing.T) { checkAttention(t, d, dir, near) })
	}
}

func checkAttention(t *testing.T, d engine.Device, dir string, near float64) {
	open := func(name string) *weights.File {
		f, err := weights.Open(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	var r recordedAttention
	c := &checker{t: t, d: d, near: near, vectors: open("golden.safetensors")}
	for _, f := range []struct {
		name string
		to   []any
	}{{"golden.json", []any{&r, &c.golden}}, {"config.json", []any{&r}}} {
		data, err := os.ReadFile(filepath.Join(dir, f.name))
		for _, to := range f.to {
			if err == nil {
				err = json.Unmarshal(data, to)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if r.Scores.Scaling == 0 {
		t.Skip("its scores are not recorded")
	}
	c.ids = c.ints("input_ids")
	array := func(t engine.Type, v []float32) engine.Array {
		a, err := d.New(t, len(v))
		if err != nil {
			c.t.Fatal(err)
		}
		d.Put(a, v)
		c.t.Cleanup(func() { d.Free(a) })
		return a
	}
	if r.Full == nil {
		for layer := range r.Layers {
			r.Full = append(r.Full, layer)
		}
	}
	n := len(c.ids)
	h := engine.Heads{Query: r.Query, KV: r.KV, Size: len(c.floats(fmt.Sprintf("q.%d", r.Full[0]))) / n / r.Query}
	plain := engine.Attention{Heads: h, Scale: r.Scores.Scaling}
	rows, changed := 0, 0
	for _, layer := range r.Full {
		own := plain
		if r.Scores.Cap != nil {
			own.Cap = *r.Scores.Cap
		}
		if r.Scores.Sink {
			sinks := &checker{t: t, vectors: open("model.safetensors")}
			own.Sinks = array(engine.Float32, sinks.floats(fmt.Sprintf("model.layers.%d.self_attn.sinks", layer)))
		}
		kv := engine.KV{Tokens: n, Heads: h.KV, Size: h.Size}
		kv.K, kv.V = array(d.Type(), c.floats(fmt.Sprintf("k.%d", layer))), array(d.Type(), c.floats(fmt.Sprintf("v.%d", layer)))
		queries := array(d.Type(), headsLast(c.floats(fmt.Sprintf("q.%d", layer)), n, h))
		for _, name := range c.variants() {
			key := fmt.Sprintf("%s.keep.%d", name, layer)
			if !c.vectors.Has(key) || c.golden.Variants[name].Kept >= n {
				continue
			}
			want, kept := c.ints(key), c.golden.Variants[name].Kept
			for head, got := range c.chosen(name, kv, queries, own) {
				if err := sameChoice(got.positions, want[head*kept:(head+1)*kept], got.scores, n, near); err != nil {
					t.Errorf("%s, layer %d, head %d: %v", name, layer, head, err)
				}
				rows++
			}
			for head, got := range c.chosen(name, kv, queries, plain) {
				if sameChoice(got.positions, want[head*kept:(head+1)*kept], got.scores, n, near) != nil {
					changed++
				}
			}
		}
	}
	t.Logf("%d rows of positions; by the scale alone %d would be others", rows, changed)
	if special := r.Scores.Sink || r.Scores.Cap != nil; rows == 0 || special != (changed > 0) {
		t.Errorf("%d rows, %d others by the scale alone", rows, changed)
	}
}

// chosenRow is what a cache head keeps, and the scores by which it was chosen.
type chosenRow struct {
	positions []int32
	scores    []float32
}

// chosen returns what a recorded variant keeps of a layer that attends in a way.
func (c *checker) chosen(name string, kv engine.KV, queries engine.Array, by engine.Attention) []chosenRow {
	c.t.Helper()
	v, n := c.parsed(name), len(c.ids)
	l := compress.Layer{Layers: 1, Tokens: n, Attention: by}
	var rows []chosenRow
	s := &spy{Device: c.d}
	s.seen = func(selections []engine.Selection) {
		for _, selection := range selections {
			for _, scores := range rowsOf(c.d, selection) {
				rows = append(rows, chosenRow{scores: scores})
			}
		}
	}
	held := v.Needs(l).Held(n) * by.Heads.Query * by.Heads.Size
	choice, err := compress.Choose(s, compress.Source{KV: kv, Queries: queries.Slice(queries.Len-held, queries.Len)}, l, []compress.Variant{v})
	if err != nil {
		c.t.Fatal(err)
	}
	defer choice.Free()
	kept, at := choice.Kept[0], 0
	if len(rows) != len(kept.Len) {
		c.t.Fatalf("%s: %d rows of scores for %d cache heads", name, len(rows), len(kept.Len))
	}
	for head, length := range kept.Len {
		rows[head].positions = make([]int32, length)
		c.d.GetInts(rows[head].positions, kept.Positions.Slice(at, at+length))
		at += length
	}
	if err := c.d.Sync(); err != nil {
		c.t.Fatal(err)
	}
	return rows
}

// headsLast turns (heads, n, d) into (n, heads, d).
func headsLast(q []float32, n int, h engine.Heads) []float32 {
	out := make([]float32, 0, len(q))
	for i := range n {
		for a := range h.Query {
			at := (a*n + i) * h.Size
			out = append(out, q[at:at+h.Size]...)
		}
	}
	return out
}

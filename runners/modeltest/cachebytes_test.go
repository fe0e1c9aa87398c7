package modeltest

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/engine/cacheformat"
	"github.com/snapbench/snapbench/runners/sharedtest"
)

// TestCacheFormatBytes: what a head's keys and values take, by the recorded counts.
func TestCacheFormatBytes(t *testing.T) {
	var recorded struct {
		Token map[string]map[string][2]int            `json:"bytes_per_head_and_token"`
		KIVI  map[string]map[string]map[string][2]int `json:"bytes_kivi"`
	}
	sharedtest.JSON(t, sharedtest.Path(t, "quant", "quant.json"), &recorded)
	checked := 0
	for size, methods := range recorded.Token {
		d, _ := strconv.Atoi(size)
		for name, want := range methods {
			f, err := cacheformat.Get(name)
			if err != nil {
				continue // TestCacheFormatVectors lists those
			}
			checked++
			if k, v := f.Key.Bytes(d), f.Value.Bytes(d); k != want[0] || v != want[1] {
				t.Errorf("%s, d %d: %d and %d bytes a token, want %v", name, d, k, v, want)
			}
			if got := f.Bytes(10, d); got != int64(10*(want[0]+want[1])) {
				t.Errorf("%s, d %d: %d bytes for 10 entries, want 10 times %v", name, d, got, want)
			}
		}
	}
	for size, methods := range recorded.KIVI {
		d, _ := strconv.Atoi(size)
		for name, lengths := range methods {
			f, err := cacheformat.Get(name)
			if err != nil {
				t.Fatal(err)
			}
			for length, want := range lengths {
				n, _ := strconv.Atoi(length)
				checked++
				if got := f.Bytes(n, d); got != int64(want[0]+want[1]) {
					t.Errorf("%s, d %d: %d bytes for %d entries, want %d + %d", name, d, got, n, want[0], want[1])
				}
			}
		}
	}
	t.Logf("%d counts of bytes are equal", checked)
	if checked < 200 {
		t.Errorf("%d counts are recorded", checked)
	}
}

// TestCacheFormatRefusals: each format refuses the rows that it cannot store, and no others.
func TestCacheFormatRefusals(t *testing.T) {
	var recorded struct{ Refuse map[string][]string }
	sharedtest.JSON(t, sharedtest.Path(t, "quant", "quant.json"), &recorded)
	if len(recorded.Refuse) < 7 {
		t.Fatalf("%d rows are recorded", len(recorded.Refuse))
	}
	checked := 0
	for value, refuse := range recorded.Refuse {
		v, err := strconv.ParseFloat(strings.TrimPrefix(value, "+"), 32)
		if err != nil {
			t.Fatal(err)
		}
		const d = 128
		row := make([]float32, d)
		for j := range row {
			row[j] = []float32{-0.5, 1}[j%2]
		}
		row[1] = float32(v)
		for _, f := range cacheformat.All() {
			for side, codec := range map[string]cacheformat.Codec{"k": f.Key, "v": f.Value} {
				scale := float32(1)
				if f.Name == "nvfp4" {
					scale = 2688
				}
				x := slices.Repeat(row, codec.Group())
				err := codec.Encode(make([]byte, codec.Bytes(d)), x, d, scale)
				name, _, _ := strings.Cut(f.Name, "_r128")
				want := slices.Contains(refuse, strings.TrimSuffix(name, "_skip")+"."+side)
				checked++
				if (err != nil) != want {
					t.Errorf("%s.%s, x[1] = %s: refused: %v, want refusal: %v", f.Name, side, value, err, want)
				}
			}
		}
	}
	t.Logf("%d refusals and acceptances are as recorded", checked)
}

// TestEqualBytes: the caps that fit a budget, their bytes, and the largest state while 256 tokens
// are decoded are the recorded ones.
func TestEqualBytes(t *testing.T) {
	var recorded struct {
		N      int
		Models map[string]struct {
			Layers   int
			KVHeads  int `json:"kv_heads"`
			HeadSize int `json:"head_size"`
			Methods  map[string]struct {
				Full  int64            `json:"full_bytes"`
				Caps  map[string]int   `json:"caps"`
				Bytes map[string]int64 `json:"bytes_at_cap"`
				Peak  int64            `json:"peak_after_256"`
			}
		}
	}
	sharedtest.JSON(t, sharedtest.Path(t, "quant", "equal_bytes.json"), &recorded)
	checked := 0
	for name, m := range recorded.Models {
		for method, want := range m.Methods {
			f, err := cacheformat.Get(method)
			if err != nil {
				t.Fatal(err)
			}
			sum := func(of func(f *cacheformat.Format) int64) (all int64) {
				for i := range m.Layers {
					all += int64(m.KVHeads) * of(f.At(i, m.Layers))
				}
				return all
			}
			bytes := func(c int) int64 {
				return sum(func(f *cacheformat.Format) int64 { return f.Bytes(c, m.HeadSize) })
			}
			if got := bytes(recorded.N); got != want.Full {
				t.Errorf("%s, %s: %d bytes, want %d", name, method, got, want.Full)
			}
			if got := sum(func(f *cacheformat.Format) int64 { return f.PeakBytes(recorded.N, 256, m.HeadSize) }); got != want.Peak {
				t.Errorf("%s, %s: a peak of %d bytes, want %d", name, method, got, want.Peak)
			}
			for half, most := range want.Caps {
				tokens, _ := strconv.Atoi(half)
				budget := int64(m.Layers) * int64(m.KVHeads) * int64(tokens) * 4 * int64(m.HeadSize)
				got, ok := cacheformat.Largest(recorded.N, budget, bytes)
				checked++
				v, err := compress.Parse("recent(cap=bytes:" + half + ")+" + method)
				if err != nil {
					t.Fatal(err)
				}
				v = v.On(compress.Shape{Layers: m.Layers, Heads: engine.Heads{Query: 32, KV: m.KVHeads, Size: m.HeadSize}})
				if capacity, ok := v.Capacity(0, recorded.N); !ok || capacity != most {
					t.Errorf("%s, %s: a capacity of %d (%v), want %d", name, v, capacity, ok, most)
				}
				if !ok || got != most || bytes(got) != want.Bytes[half] {
					t.Errorf("%s, %s at %s tokens of 16 bits: %d tokens (%v) of %d bytes, want %d of %d", name, method, half, got, ok, bytes(got), most, want.Bytes[half])
				}
			}
		}
	}
	t.Logf("%d caps are equal", checked)
	if checked < 100 {
		t.Errorf("%d caps are recorded", checked)
	}
}

package models

import (
	"reflect"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/runners/engine"
)

// The layers of two kinds, and the bytes of caches, of published sizes. config.json of the larger ones names only what differs
// from transformers' defaults.
func TestCachesOfHybridModels(t *testing.T) {
	for name, c := range map[string]struct {
		config              string
		full, sliding       int
		perToken            int64
		fixed, at16K, at512 int64 // bytes
	}{
		"Gemma 3 270M": {`"num_hidden_layers": 18, "hidden_size": 640, "intermediate_size": 2048, "num_attention_heads": 4, "num_key_value_heads": 1, "sliding_window": 512`,
			3, 15, 3 << 10, 15 << 19, 111 << 19, 18 << 19},
		"Gemma 3 1B": {`"num_hidden_layers": 26, "hidden_size": 1152, "intermediate_size": 6912, "num_attention_heads": 4, "num_key_value_heads": 1, "sliding_window": 512`,
			4, 22, 4 << 10, 11 << 20, 75 << 20, 13 << 20},
		"Gemma 3 27B": {`"num_hidden_layers": 62, "hidden_size": 5376, "intermediate_size": 21504, "num_attention_heads": 32, "num_key_value_heads": 16, "head_dim": 128, "query_pre_attn_scalar": 168, "sliding_window": 1024`,
			10, 52, 80 << 10, 416 << 20, 1696 << 20, 456 << 20},
	} {
		config, err := ParseConfig("config.json", []byte(`{"model_type": "gemma3", "text_config": {`+c.config+`}}`), nil)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(config.PolicyLayers()); n != c.full || config.Layers-n != c.sliding || config.PolicyLayers()[0] != 5 {
			t.Errorf("%s: policies choose in the layers %v of %d, want %d and %d others", name, config.PolicyLayers(), config.Layers, c.full, c.sliding)
		}
		all, fixed := config.CacheBytes(engine.BFloat16, 16<<10)
		perToken := config.CacheBytesPerToken(engine.BFloat16)
		if perToken != c.perToken || fixed != c.fixed || all != c.at16K || fixed+512*perToken != c.at512 {
			t.Errorf("%s: %d bytes a token, %d fixed, %d at 16K, %d with 512 kept; want %d, %d, %d, %d", name, perToken, fixed, all, fixed+512*perToken, c.perToken, c.fixed, c.at16K, c.at512)
		}
		if all, fixed := config.CacheBytes(engine.BFloat16, 100); fixed != int64(c.sliding)*100*perToken/int64(c.full) || all-fixed != 100*perToken {
			t.Errorf("%s at 100 tokens: %d bytes, %d fixed", name, all, fixed)
		}
	}
	// Every layer slides, or none does: policies choose in all of them.
	for name, windows := range map[string][]int{"sliding": {7, 7, 7}, "full": {0, 0, 0}} {
		if c := (Config{Layers: 3, Windows: windows}); c.Hybrid() || len(c.PolicyLayers()) != 3 || c.Fixed(1) {
			t.Errorf("%s: %v", name, c.PolicyLayers())
		}
	}
}

// A sliding layer beside full ones keeps its last positions under every variant; a schedule over the layers is over the full ones.
func TestSlidingLayersKeepTheirWindow(t *testing.T) {
	const n, window = 40, 7
	m, err := tinyFamily(t, "gemma3_text", map[string]any{"num_hidden_layers": 6, "sliding_window": window, "sliding_window_pattern": 2})
	if err != nil {
		t.Fatal(err)
	}
	variants, err := compress.ParseAll("full;recent(cap=9);snapkv(cap=20|16|12,w=4);pyramid(cap=16,beta=2,snapkv(w=4));quest(cap=9,page=4,recent=2)")
	if err != nil {
		t.Fatal(err)
	}
	p, err := m.Prefill(t.Context(), Prompt{IDs: tokens(n), Variants: variants, Room: 3, Twins: true})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Free()
	want := map[string][]int{"recent": {9, 9, 9}, "snapkv": {20, 16, 12}, "full": {n, n, n}, "quest": {n, n, n}}
	for i, v := range variants {
		for _, s := range []Sequence{p.Sequences[i], p.Twins[i]} {
			var kept []int
			for layer, c := range s.Caches {
				if layer%2 == 1 {
					kept = append(kept, c.Len[0])
					continue
				}
				positions := make([]int32, c.Len[1])
				m.device.GetInts(positions, c.Positions.Slice(c.Start[1], c.Start[1]+c.Len[1]))
				if len(positions) != window || positions[0] != n-window || positions[window-1] != n-1 {
					t.Errorf("%s: layer %d keeps %v", v, layer, positions)
				}
			}
			if want := want[v.Policy()]; want != nil && !reflect.DeepEqual(kept, want) {
				t.Errorf("%s keeps %v in the full layers, want %v", v, kept, want)
			}
			if v.Policy() == "pyramid(snapkv)" && (kept[0] <= kept[1] || kept[1] <= kept[2] || kept[0]+kept[1]+kept[2] != 3*16) {
				t.Errorf("%s keeps %v: want a slope over the full layers, 48 in all", v, kept)
			}
		}
	}
	plan := m.Plan(variants, n, 3, false)
	for i, s := range p.Sequences {
		held := int64(0)
		for _, c := range s.Caches {
			held += c.Bytes()
		}
		if v := variants[i]; !v.Reads() && plan.Caches[i] != held { // a reader's mirror is planned too
			t.Errorf("%s: %d bytes are planned, %d held", v, plan.Caches[i], held)
		}
	}
	for text, want := range map[string]string{
		"snapkv(cap=20|16|12|8|9|9,w=4)":        "a list has 6 values, the model has 3 layers in which policies choose: of its 6, the other 3 have a sliding window",
		"streaming(cap=20,sinks=2,rerotate=on)": "layers with a sliding window keep their positions",
	} {
		v, err := compress.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.Prefill(t.Context(), Prompt{IDs: tokens(n), Variants: []compress.Variant{v}}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", v, err, want)
		}
	}
}

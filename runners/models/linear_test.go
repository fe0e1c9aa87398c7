package models

import (
	"errors"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/ref"
)

// What Qwen3.5 9B holds: by its configuration's defaults, 32 KiB a token in bfloat16, and 24 states of 2 MiB and the last
// three of 8,192 channels.
func TestLinearBytes(t *testing.T) {
	c, err := ParseConfig("config.json", []byte(`{"model_type": "qwen3_5_text", "num_hidden_layers": 32, "hidden_size": 4096, "intermediate_size": 12288,
		"num_attention_heads": 16, "num_key_value_heads": 4, "head_dim": 256, "vocab_size": 248320, "max_position_embeddings": 32768}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	all, fixed := c.CacheBytes(engine.BFloat16, 16<<10)
	if per := c.CacheBytesPerToken(engine.BFloat16); per != 32<<10 || fixed != 24*(2<<20+3*8192*4) || all != fixed+16<<10*per {
		t.Errorf("%d bytes a token, %d fixed, %d at 16K", per, fixed, all)
	}
	if got, want := c.WrittenBytes(5), 5*fixed; got != want {
		t.Errorf("a step of 5 rows writes %d bytes, want %d", got, want)
	}
	if list := c.PolicyLayers(); len(list) != 8 || list[0] != 3 || list[7] != 31 || !c.Hybrid() || !c.Fixed(0) || c.Fixed(3) {
		t.Errorf("policies choose in %v", list)
	}
	if c.Rope.Channels != 64 || !c.UnitNorms || !c.OutGate {
		t.Errorf("%+v", c)
	}
}

// Every variant has a state of its own from the prompt's, and what they take is what the plan says.
func TestLinearStates(t *testing.T) {
	m, err := tinyFamily(t, "qwen3_5", nil)
	if err != nil {
		t.Fatal(err)
	}
	variants, err := compress.ParseAll("full;recent(cap=9);snapkv(cap=12,w=4);quest(cap=9,page=4,recent=2)")
	if err != nil {
		t.Fatal(err)
	}
	const n, room = 40, 6
	ids := tokens(n)
	done, err := m.Prefill(t.Context(), Prompt{IDs: ids, Variants: variants, Room: room, Twins: true})
	if err != nil {
		t.Fatal(err)
	}
	defer done.Free()
	plan := m.Plan(variants[:3], n, room, false)
	for k, planned := range plan.Caches {
		held := int64(0)
		for _, c := range done.Sequences[k].Caches {
			held += c.Bytes()
		}
		if held != planned {
			t.Errorf("%s: %d bytes, planned %d", variants[k], held, planned)
		}
	}
	decode := func(feed []int32, sequences ...Sequence) [][]float32 {
		b, err := m.NewDecoder(sequences)
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		for _, id := range feed {
			list := make([]int32, len(sequences))
			for i := range list {
				list[i] = id
			}
			if _, err := b.Step(list); err != nil {
				t.Fatal(err)
			}
		}
		out := make([][]float32, len(sequences))
		for i := range out {
			out[i] = make([]float32, m.Vocab)
			b.Logits(i, out[i])
		}
		return out
	}
	copied, err := m.Copy(done.Sequences[0])
	if err != nil {
		t.Fatal(err)
	}
	defer m.Device().FreeCache(copied.Caches...)
	first := decode([]int32{3, 1, 4}, done.Sequences...)
	if nearTo(first[0], first[1]) == nil {
		t.Error("what full attention keeps changes nothing")
	}
	other := decode([]int32{7, 7}, done.Twins[1]) // one's own tokens move no state but one's own
	if nearTo(first[1], other[0]) == nil {
		t.Error("other tokens change nothing")
	}
	if err := nearTo(decode([]int32{3, 1, 4}, done.Twins[0])[0], first[0]); err != nil {
		t.Errorf("a twin: %v", err)
	}
	if err := nearTo(decode([]int32{3, 1, 4}, copied)[0], first[0]); err != nil {
		t.Errorf("a copy: %v", err)
	}
	err = m.Attended(t.Context(), done.Sequences[0], n, []int32{3, 1}, nil)
	if !errors.Is(err, ErrAttended) {
		t.Errorf("what tokens attend to: %v", err)
	}
}

// A device without linear attention and configurations that are not supported are refused by name.
func TestLinearRefuses(t *testing.T) {
	m, err := tinyFamily(t, "qwen3_5_text", nil)
	if err != nil {
		t.Fatal(err)
	}
	without := struct{ engine.Device }{ref.New()}
	_, err = Load(without, &Files{Config: m.Config, Source: randomSource{c: m.Config, seed: 7}, Path: "x"}, nil)
	if !errors.Is(err, ErrLinear) || !strings.Contains(err.Error(), "x: linear attention is not supported on ref") {
		t.Errorf("a device without it: %v", err)
	}
	for want, change := range map[string]map[string]any{
		"attention_bias true":         {"attention_bias": true},
		"attn_output_gate false":      {"attn_output_gate": false},
		"full_attention_interval is":  {"full_attention_interval": 0},
		`layer 1 is "other"`:          {"layer_types": []string{"full_attention", "other"}},
		"layer_types has 3 entries":   {"layer_types": []string{"full_attention", "full_attention", "linear_attention"}},
		"no cache of keys and values": {"layer_types": []string{"linear_attention", "linear_attention"}},
		"3 linear value heads":        {"linear_num_key_heads": 2},
		"linear key size: -1":         {"linear_key_head_dim": -1},
		"a kernel of 1":               {"linear_conv_kernel_dim": 1},
	} {
		if _, err := tinyFamily(t, "qwen3_5_text", change); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q", change, err, want)
		}
	}
	if _, err := tinyFamily(t, "qwen3_5_text", map[string]any{"layer_types": []string{"full_attention", "full_attention"}}); err != nil {
		t.Errorf("full attention alone: %v", err)
	}
}

package models

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/runners/ref"
)

// contractConfig has the fields of a family's config.json besides those of all families.
// The tests of this file run for every registered family.
var contractConfig = map[string]map[string]any{
	"phi3": {"sliding_window": 40, "partial_rotary_factor": 0.75, "original_max_position_embeddings": 8, "rope_scaling": map[string]any{
		"type": "longrope", "short_factor": []float64{1, 1.5, 2}, "long_factor": []float64{2, 3, 9}}},
	"mistral": {"sliding_window": 9},
	"gemma2": {"layer_types": []string{"full_attention", "sliding_attention"}, "sliding_window": 7, "query_pre_attn_scalar": 12,
		"attn_logit_softcapping": 1.5, "final_logit_softcapping": 2},
	"gemma3":      {"sliding_window": 7, "sliding_window_pattern": 2},
	"gemma3_text": {"sliding_window": 7, "sliding_window_pattern": 2, "final_logit_softcapping": 20, "rope_local_base_freq": 300},
	"gpt_oss": {"num_local_experts": 4, "num_experts_per_tok": 2, "sliding_window": 9, "attention_bias": true, "rope_scaling": map[string]any{
		"rope_type": "yarn", "factor": 2, "original_max_position_embeddings": 128, "truncate": false}},
	"mixtral":      {"num_local_experts": 3, "num_experts_per_tok": 2},
	"qwen2":        {"use_sliding_window": true, "sliding_window": 7, "max_window_layers": 1},
	"qwen3_5":      {"linear_num_key_heads": 2, "linear_num_value_heads": 4, "linear_key_head_dim": 6, "linear_value_head_dim": 5, "full_attention_interval": 2},
	"qwen3_5_text": {"linear_num_key_heads": 1, "linear_num_value_heads": 3, "linear_key_head_dim": 4, "linear_value_head_dim": 7, "layer_types": []string{"full_attention", "linear_attention"}},
	"qwen3_moe":    {"num_experts": 5, "num_experts_per_tok": 2, "moe_intermediate_size": 16, "mlp_only_layers": []int{1}},
}

// tinyFamily is a small model of a family with random weights, on ref.
func tinyFamily(t *testing.T, name string, change map[string]any) (*Model, error) {
	t.Helper()
	config := map[string]any{"model_type": name, "num_hidden_layers": 2, "hidden_size": 24, "num_attention_heads": 4, "num_key_value_heads": 2,
		"head_dim": 8, "intermediate_size": 40, "vocab_size": 50, "max_position_embeddings": 256, "rms_norm_eps": 1e-5, "hidden_act": "silu",
		"rope_theta": 10000, "eos_token_id": 3}
	maps.Copy(config, contractConfig[name])
	maps.Copy(config, change)
	if families[name].Nested {
		config["model_type"] = "inside"
		config = map[string]any{"model_type": name, "text_config": config}
	}
	text, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	c, err := ParseConfig("config.json", text, nil)
	if err != nil {
		return nil, err
	}
	if c.Family != name || !slices.Equal(c.EOS, []int32{3}) || len(c.Windows) != c.Layers || c.Context != 256 {
		t.Errorf("%s: %+v", name, c)
	}
	m, err := Load(ref.New(), &Files{Config: c, Source: randomSource{c: c, seed: 7}, Path: name}, nil)
	if err == nil {
		t.Cleanup(m.Close)
	}
	return m, err
}

func tokens(n int) []int32 {
	ids := make([]int32, n)
	for i := range ids {
		ids[i] = int32((i*i*7 + 11*i + 5) % 50)
	}
	return ids
}

func nearTo(a, b []float32) error {
	for i := range a {
		if d := math.Abs(float64(a[i] - b[i])); !(d <= 1e-4) {
			return fmt.Errorf("logit %d is %g and %g", i, a[i], b[i])
		}
	}
	return nil
}

// TestContractForward: a prompt that is read at once, in blocks, or with its last tokens
// one by one gives the same logits, and so does a budget that drops nothing.
func TestContractForward(t *testing.T) {
	const n, last = 30, 6
	ids := tokens(n)
	for _, name := range Names() {
		t.Run(name, func(t *testing.T) {
			m, err := tinyFamily(t, name, nil)
			if err != nil {
				t.Fatalf("%v: add the fields that its config.json needs to contractConfig", err)
			}
			variants, err := compress.ParseAll("full;recent(cap=1k)")
			if err != nil {
				t.Fatal(err)
			}
			prefill := func(n, block int) *Prefilled {
				m.block = block
				p, err := m.Prefill(t.Context(), Prompt{IDs: ids[:n], Variants: variants, Room: last})
				if err != nil {
					t.Fatal(err)
				}
				return p
			}
			whole := prefill(n, n)
			if whole.Free(); !Finite(whole.Logits) {
				t.Fatalf("logits %v", whole.Logits)
			}
			blocks := prefill(n, 7)
			if blocks.Free(); nearTo(whole.Logits, blocks.Logits) != nil {
				t.Errorf("in blocks: %v", nearTo(whole.Logits, blocks.Logits))
			}
			begun := prefill(n-last, n)
			defer begun.Free()
			b, err := m.NewDecoder(begun.Sequences)
			if err != nil {
				t.Fatal(err)
			}
			defer b.Close()
			for _, id := range ids[n-last:] {
				if _, err := b.Step([]int32{id, id}); err != nil {
					t.Fatal(err)
				}
			}
			for row, v := range variants {
				logits := make([]float32, m.Vocab)
				if b.Logits(row, logits); nearTo(whole.Logits, logits) != nil {
					t.Errorf("%s, the last %d tokens one by one: %v", v, last, nearTo(whole.Logits, logits))
				}
			}
		})
	}
}

// TestContractRefuses: a config.json that a family does not support is an error.
func TestContractRefuses(t *testing.T) {
	for _, name := range Names() {
		for _, change := range []map[string]any{{"hidden_act": "no such", "hidden_activation": "no such"}, {"num_hidden_layers": 0}, {"num_key_value_heads": 3},
			{"head_dim": 7}, {"vocab_size": -1}, {"rope_scaling": map[string]any{"rope_type": "no such", "factor": 2}}} {
			if _, err := tinyFamily(t, name, change); err == nil {
				t.Errorf("%s with %v opens", name, change)
			}
		}
	}
	for name := range contractConfig {
		if _, err := findFamily(name); err != nil {
			t.Errorf("contractConfig has an unknown family: %v", err)
		}
	}
}

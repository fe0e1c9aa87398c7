package modeltest

import (
	"slices"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/runners/models"
	"github.com/snapbench/snapbench/runners/sharedtest"
)

// TestScalingOfGGUFWithoutAType: a factor without a type is that of linear scaling, as llama.cpp takes it, also under its older name.
func TestScalingOfGGUFWithoutAType(t *testing.T) {
	dir := sharedtest.Path(t, "goldens", "qwen3_qknorm")
	for _, c := range []struct {
		keys   map[string]any
		kind   string
		factor float64
	}{
		{nil, "default", 0},
		{map[string]any{"rope.scaling.factor": float32(2)}, "linear", 2},
		{map[string]any{"rope.scale_linear": float32(4)}, "linear", 4},
		{map[string]any{"rope.scale_linear": float32(4), "rope.scaling.factor": float32(2)}, "linear", 2},
		{map[string]any{"rope.scale_linear": float32(4), "rope.scaling.type": "linear"}, "linear", 4},
		{map[string]any{"rope.scale_linear": float32(1)}, "default", 0},
		{map[string]any{"rope.scaling.factor": float32(2), "rope.scaling.type": "none"}, "default", 0},
	} {
		files, err := models.Open(ropeGGUF(t, dir, "qwen3", c.keys))
		if err != nil {
			t.Fatal(err)
		}
		if r := files.Config.Rope; r.Type != c.kind || r.Factor != c.factor {
			t.Errorf("%v: %+v, want %s with the factor %g", c.keys, r, c.kind, c.factor)
		}
		files.Close()
	}
}

// TestRefusedGGUF: a key that asks for what the family does not compute, or a tensor that nobody reads, is an error that names it.
func TestRefusedGGUF(t *testing.T) {
	dir := sharedtest.Path(t, "goldens", "qwen3_qknorm")
	config, err := models.ReadConfig(dir)
	if err != nil {
		t.Fatal(err)
	}
	size := uint32(config.Heads.Size)
	for _, c := range []struct {
		key   string
		value any
		want  string // empty: it opens
	}{
		{"attention.causal", false, "qwen3.attention.causal is false"},
		{"attention.causal", true, ""},
		{"logit_scale", float32(0.5), "qwen3.logit_scale is 0.5"},
		{"logit_scale", float32(1), ""},
		{"residual_scale", float32(0.5), "qwen3.residual_scale is 0.5"},
		{"embedding_scale", float32(12), "qwen3.embedding_scale is 12"},
		{"attn_logit_softcapping", float32(50), "qwen3.attn_logit_softcapping is 50"},
		{"final_logit_softcapping", float32(30), "qwen3.final_logit_softcapping is 30"},
		{"attention.clamp_kqv", float32(8), "qwen3.attention.clamp_kqv is 8"},
		{"attention.max_alibi_bias", "8", "qwen3.attention.max_alibi_bias is 8"},
		{"attention.scale", float32(0.01), "qwen3.attention.scale is 0.0"},
		{"attention.scale", config.Scale(), ""},
		{"attention.value_length", 2 * size, "qwen3.attention.value_length is"},
		{"attention.value_length", size, ""},
		{"attention.sliding_window_pattern", []bool{true}, "qwen3.attention.sliding_window_pattern is"},
		{"expert_gating_func", uint32(2), "qwen3.expert_gating_func is 2"},
		{"expert_shared_count", uint32(1), "qwen3.expert_shared_count is 1"},
		{"expert_weights_norm", false, "qwen3.expert_weights_norm is false"},
		{"expert_weights_scale", float32(2.5), "qwen3.expert_weights_scale is 2.5"},
		{"rope.scaling.attn_factor", float32(1.5), "qwen3.rope.scaling.attn_factor is 1.5"},
		{"rope.scaling.type", uint32(1), "qwen3.rope.scaling.type"},
		{"blk.0.post_attention_norm.weight", []float32{1}, `tensor "blk.0.post_attention_norm.weight"`},
		{"blk.1.attn_q.scale", []float32{1}, `tensor "blk.1.attn_q.scale"`},
		{"blk.0.ffn_gate_inp.weight", []float32{1}, `tensor "blk.0.ffn_gate_inp.weight"`},
		{"position_embd.weight", []float32{1}, `tensor "position_embd.weight"`},
		{"blk.0.attn_rot_embd.weight", []float32{1}, ""},
	} {
		files, err := models.Open(ropeGGUF(t, dir, "qwen3", map[string]any{c.key: c.value}))
		if err == nil {
			files.Close()
		}
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s %v: %v; want %q", c.key, c.value, err, c.want)
		}
	}
}

// TestEndsOfGGUF: beside the ids that a file names, tokens end an answer that the hub's generation_config.json lists.
func TestEndsOfGGUF(t *testing.T) {
	dir := sharedtest.Path(t, "goldens", "qwen3_qknorm")
	for _, c := range []struct {
		name   string
		tokens []string
		types  []int32
		eos    uint32
		want   []int32
	}{
		{"Llama 3.1", []string{"a", "<|end_of_text|>", "<|eom_id|>", "<|eot_id|>", "<|start_header_id|>"}, []int32{1, 3, 3, 3, 3}, 3, []int32{3, 1, 2}},
		{"Gemma 3", []string{"<pad>", "<eos>", "<start_of_turn>", "<end_of_turn>"}, []int32{3, 3, 3, 3}, 1, []int32{1, 3}},
		{"Qwen 3", []string{"<|endoftext|>", "<|im_start|>", "<|im_end|>"}, []int32{3, 3, 3}, 2, []int32{2, 0}},
		{"Phi-3", []string{"<|endoftext|>", "<|end|>", "<|user|>"}, []int32{3, 4, 3}, 0, []int32{0, 1}},
		{"gpt-oss", []string{"<|return|>", "<|channel|>", "<|end|>", "<|call|>"}, []int32{3, 3, 3, 3}, 0, []int32{0, 3}},
		{"text that is spelled so", []string{"</s>", "<|im_end|>"}, []int32{3, 1}, 0, []int32{0}},
	} {
		files, err := models.Open(ropeGGUF(t, dir, "qwen3", map[string]any{"tokenizer.ggml.tokens": c.tokens, "tokenizer.ggml.token_type": c.types,
			"tokenizer.ggml.eos_token_id": c.eos}))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(files.Config.EOS, c.want) {
			t.Errorf("%s: %v, want %v", c.name, files.Config.EOS, c.want)
		}
		files.Close()
	}
}

package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/runners/weights"
)

// writeTinyModel makes a model's directory as the hub has them: a Llama of two layers with
// random weights, and a tokenizer whose tokens are bytes.
func writeTinyModel(dir string) error {
	const vocab, width, heads, kvHeads, size, ff, layers = 260, 32, 4, 2, 8, 48, 2
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	config := fmt.Sprintf(`{"model_type": "llama", "num_hidden_layers": %d, "hidden_size": %d, "num_attention_heads": %d,
 "num_key_value_heads": %d, "head_dim": %d, "intermediate_size": %d, "vocab_size": %d, "max_position_embeddings": 65536,
 "rms_norm_eps": 1e-5, "hidden_act": "silu", "rope_theta": 1000000.0, "tie_word_embeddings": true, "eos_token_id": 257}
`, layers, width, heads, kvHeads, size, ff, vocab)
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(config), 0o644); err != nil {
		return err
	}
	rng := rand.New(rand.NewPCG(1, 2))
	var entries []weights.Entry
	add := func(name string, rows, cols int, scale float64) {
		v := make([]float32, rows*cols)
		for i := range v {
			v[i] = float32(rng.NormFloat64() * scale)
		}
		shape := []int{rows, cols}
		if rows == 1 {
			shape = []int{cols}
			for i := range v {
				v[i] = 1
			}
		}
		entries = append(entries, weights.Float32Entry(name, v, shape...))
	}
	add("model.embed_tokens.weight", vocab, width, 1)
	add("model.norm.weight", 1, width, 1)
	for l := range layers {
		p := fmt.Sprintf("model.layers.%d.", l)
		add(p+"input_layernorm.weight", 1, width, 1)
		add(p+"post_attention_layernorm.weight", 1, width, 1)
		add(p+"self_attn.q_proj.weight", heads*size, width, 0.4)
		add(p+"self_attn.k_proj.weight", kvHeads*size, width, 0.4)
		add(p+"self_attn.v_proj.weight", kvHeads*size, width, 0.4)
		add(p+"self_attn.o_proj.weight", width, heads*size, 0.4)
		add(p+"mlp.gate_proj.weight", ff, width, 0.4)
		add(p+"mlp.up_proj.weight", ff, width, 0.4)
		add(p+"mlp.down_proj.weight", width, ff, 0.4)
	}
	if err := weights.WriteSafetensors(filepath.Join(dir, "model.safetensors"), entries, map[string]string{"format": "pt"}); err != nil {
		return err
	}
	// The byte-level alphabet of GPT-2: printable bytes stand for themselves, the
	// others for the code points from 256 on.
	vocabulary := map[string]int{}
	next := 256
	for b := range 256 {
		r := rune(b)
		if !(b >= '!' && b <= '~' || b >= 0xA1 && b <= 0xAC || b >= 0xAE) {
			r = rune(next)
			next++
		}
		vocabulary[string(r)] = b
	}
	special := func(id int, content string) map[string]any {
		return map[string]any{"id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true}
	}
	tokenizer, err := json.Marshal(map[string]any{
		"version": "1.0", "truncation": nil, "padding": nil, "normalizer": nil, "post_processor": nil,
		"added_tokens":  []any{special(256, "<s>"), special(257, "</s>")},
		"pre_tokenizer": map[string]any{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
		"decoder":       map[string]any{"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
		"model": map[string]any{"type": "BPE", "dropout": nil, "unk_token": nil, "continuing_subword_prefix": nil,
			"end_of_word_suffix": nil, "fuse_unk": false, "byte_fallback": false, "vocab": vocabulary, "merges": []any{}},
	})
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "tokenizer.json"), tokenizer, 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "tokenizer_config.json"), []byte(`{"eos_token": "</s>", "bos_token": "<s>",
 "chat_template": "{% for m in messages %}<s>{{ m.role }}: {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}assistant:\n{% endif %}"}
`), 0o644)
}

// writePrompts makes a file of n prompts.
func writePrompts(path string, n int) error {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "{\"id\": \"p%d\", \"prompt\": %q, \"answers\": [\"%d\"]}\n", i,
			strings.Repeat(fmt.Sprintf("Line %d of a text about nothing. ", i*i), 3+i%3), i)
	}
	return os.WriteFile(path, []byte(b.String()), 0o644)
}

func tinyModel(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "tiny")
	if err := writeTinyModel(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

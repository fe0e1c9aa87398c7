package models

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestUnsupportedFamilies: models that people try and that are not supported say what they lack,
// and what there is. The fields are some of those of the published files.
func TestUnsupportedFamilies(t *testing.T) {
	for text, want := range map[string]string{
		`{"model_type": "glm4_moe", "hidden_size": 5120, "n_routed_experts": 160, "n_shared_experts": 1, "partial_rotary_factor": 0.5, "num_hidden_layers": 92}`: "GLM-4.5 and 4.6 (model_type \"glm4_moe\"): a sigmoid router with a correction bias and shared experts: not supported",
		`{"model_type": "deepseek_v3", "kv_lora_rank": 512, "q_lora_rank": 1536, "n_group": 8, "rope_scaling": {"type": "yarn", "mscale": 1.0}}`:                 "multi-head latent attention",
		`{"model_type": "llama4", "text_config": {"model_type": "llama4_text", "num_local_experts": 16}, "vision_config": {}}`:                                   "layers without a rotation, attention in chunks and a shared expert",
		`{"model_type": "qwen3_next", "full_attention_interval": 4, "linear_conv_kernel_dim": 4, "num_experts": 512}`:                                            "gated delta nets in place of attention",
		`{"model_type": "nemotron_h", "hybrid_override_pattern": "M-M-M*-", "mamba_num_heads": 128}`:                                                             "state space layers in place of attention and feed-forward layers without a gate",
		`{"model_type": "mamba", "state_size": 16, "conv_kernel": 4}`:                                                                                            "there is no cache of keys and values",
		`{"model_type": "cohere2", "logit_scale": 0.25, "sliding_window": 4096, "layer_types": ["sliding_attention"]}`:                                           "full layers without a rotation",
		`{"model_type": "olmo2", "rms_norm_eps": 1e-06, "num_attention_heads": 32}`:                                                                              "norms behind sublayers without any before them",
		`{"model_type": "granite", "embedding_multiplier": 12.0, "residual_multiplier": 0.22}`:                                                                   "multipliers of embeddings, attention, residuals and logits",
		`{"model_type": "phimoe", "num_local_experts": 16, "router_jitter_noise": 0.01}`:                                                                         "a router by SparseMixer",
		`{"model_type": "phi3small", "blocksparse_block_size": 64, "mup_attn_multiplier": 1.0}`:                                                                  "block-sparse attention",
		`{"model_type": "gpt_neox", "rotary_pct": 0.25, "use_parallel_residual": true}`:                                                                          "attention and feed-forward side by side",
		`{"model_type": "no_such_thing"}`: `unknown model_type "no_such_thing"`,
	} {
		_, err := ParseConfig("config.json", []byte(text), nil)
		if err == nil || !errors.Is(err, ErrFamily) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
			continue
		}
		for _, name := range Names() {
			if !strings.Contains(err.Error(), name) {
				t.Errorf("%v: does not offer %s", err, name)
			}
		}
	}
	for architecture, want := range map[string]string{
		"glm4moe": "GLM-4.5 and 4.6 (architecture \"glm4moe\"): a sigmoid router", "mamba2": "state space layers", "command-r": "Command R", "nothing": `architecture "nothing": have gemma2, `, "": `architecture "": have `,
	} {
		if err := noArchitecture(architecture); !errors.Is(err, ErrFamily) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "qwen3") {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// TestUnsupportedIsNotSupported: a family that is added leaves the list of those that are not there.
func TestUnsupportedIsNotSupported(t *testing.T) {
	gguf := map[string]string{}
	for name, m := range unsupported {
		if _, ok := families[name]; ok {
			t.Errorf("%s is supported: take it out of unsupported.go", name)
		}
		if _, ok := byArchitecture(m.gguf); ok {
			t.Errorf("%s: architecture %s is supported: take it out of unsupported.go", name, m.gguf)
		}
		if m.title == "" || m.needs == "" {
			t.Errorf("%s: %+v", name, m)
		}
		if other := gguf[m.gguf]; m.gguf != "" && other != "" {
			t.Errorf("%s and %s are both architecture %s", name, other, m.gguf)
		}
		gguf[m.gguf] = name
		text, err := json.Marshal(map[string]any{"model_type": name})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ParseConfig("config.json", text, nil); !errors.Is(err, ErrFamily) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestFamilyBeforeWeights: a folder of such a model is refused for its family, whatever its weights are, or are not.
func TestFamilyBeforeWeights(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(`{"model_type": "deepseek_v3"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, weights := range []string{"", "no safetensors"} {
		if weights != "" {
			if err := os.WriteFile(filepath.Join(dir, "model.safetensors"), []byte(weights), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := Open(dir); !errors.Is(err, ErrFamily) {
			t.Errorf("weights %q: %v", weights, err)
		}
	}
}

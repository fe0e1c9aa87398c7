package modeltest

import (
	"maps"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/runners/sharedtest"
	"github.com/snapbench/snapbench/runners/weights"
)

// TestGemmaFromGGUF: a checkpoint of the hub and the same tensors in a GGUF file are one model. GGUF files hold norms with 1
// added; keys may be missing, of which the family knows the rule.
func TestGemmaFromGGUF(t *testing.T) {
	post := map[string]string{
		"post_attention_layernorm.weight": "post_attention_norm.weight", "pre_feedforward_layernorm.weight": "ffn_norm.weight",
		"post_feedforward_layernorm.weight": "post_ffw_norm.weight",
	}
	for _, c := range []struct {
		family string
		layers uint32
		keys   map[string]any // without the architecture
	}{
		{"gemma2", 4, map[string]any{"attention.scale": float32(1 / math.Sqrt(20)), "attn_logit_softcapping": float32(4), "final_logit_softcapping": float32(2.5)}},
		{"gemma3", 7, map[string]any{"attention.scale": float32(1 / math.Sqrt(24)), "rope.freq_base": float32(1e6), "rope.scaling.type": "linear",
			"rope.scaling.factor": float32(8), "attention.sliding_window_pattern": []bool{true, true, true, false, true, true, false}}},
	} {
		t.Run(c.family, func(t *testing.T) {
			dir := sharedtest.Path(t, "families", c.family)
			f, err := weights.Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			tensors := renamed(t, f, func(_, name string, _ *weights.Tensor) string {
				if own, ok := post[name]; ok {
					return own
				}
				return name
			})
			for name, x := range tensors {
				if !strings.HasSuffix(name, "norm.weight") {
					continue
				}
				values := make([]float32, x.shape[0])
				for i := range values {
					values[i] = 1 + math.Float32frombits(uint32(x.data[4*i])|uint32(x.data[4*i+1])<<8|uint32(x.data[4*i+2])<<16|uint32(x.data[4*i+3])<<24)
				}
				tensors[name] = floatTensor(x.shape, values)
			}
			keys := map[string]any{
				"block_count": c.layers, "embedding_length": uint32(64), "feed_forward_length": uint32(96), "context_length": uint32(4096),
				"attention.layer_norm_rms_epsilon": float32(1e-6), "attention.head_count": uint32(4), "attention.head_count_kv": uint32(2),
				"attention.key_length": uint32(16), "attention.sliding_window": uint32(64),
			}
			maps.Copy(keys, c.keys)
			all := map[string]any{"general.architecture": c.family}
			for key, v := range keys {
				all[c.family+"."+key] = v
			}
			path := filepath.Join(t.TempDir(), c.family+".gguf")
			writeGGUF(t, path, all, tensors)
			sameModels(t, dir, path)
		})
	}
}

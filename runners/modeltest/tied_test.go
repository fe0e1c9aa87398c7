package modeltest

import (
	"encoding/binary"
	"math"
	"testing"

	"github.com/snapbench/snapbench/runners/models"
)

// TestTiedByTheFile: where config.json ties the output to the embeddings and the file has an output that differs, the file's
// is the model's, as in transformers, which then does not tie.
func TestTiedByTheFile(t *testing.T) {
	config := []byte(`{"model_type": "llama", "num_hidden_layers": 1, "hidden_size": 8, "num_attention_heads": 2, "intermediate_size": 8, "vocab_size": 11,
		"max_position_embeddings": 256, "rms_norm_eps": 1e-5}`)
	table := func(seed float64, shape ...int) hubTensor {
		n := 1
		for _, d := range shape {
			n *= d
		}
		var data []byte
		for i := range n {
			data = binary.LittleEndian.AppendUint32(data, math.Float32bits(float32(math.Sin(seed*float64(i+1)))))
		}
		return hubTensor{"F32", shape, data}
	}
	tensors := map[string]hubTensor{"model.embed_tokens.weight": table(0.7, 11, 8), "model.norm.weight": table(0.3, 8)}
	for i, name := range []string{"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"} {
		tensors["model.layers.0."+name+".weight"] = table(1+float64(i)/10, 8, 8)
	}
	tensors["model.layers.0.input_layernorm.weight"] = table(0.2, 8)
	tensors["model.layers.0.post_attention_layernorm.weight"] = table(0.4, 8)
	with := func(tied bool, head *hubTensor) string {
		if delete(tensors, "lm_head.weight"); head != nil {
			tensors["lm_head.weight"] = *head
		}
		return writeHub(t, config, map[string]any{"tie_word_embeddings": tied}, tensors)
	}
	other, same := table(0.9, 11, 8), table(0.7, 11, 8)
	sameModels(t, with(true, nil), with(true, &same))
	sameModels(t, with(false, &other), with(true, &other))
	for _, c := range []struct {
		dir  string
		tied bool
	}{{with(true, nil), true}, {with(true, &same), true}, {with(true, &other), false}, {with(false, &same), false}} {
		files, err := models.Open(c.dir)
		if err != nil {
			t.Fatal(err)
		}
		if files.Config.Tied != c.tied {
			t.Errorf("tied: %v, want %v", files.Config.Tied, c.tied)
		}
		files.Close()
	}
}

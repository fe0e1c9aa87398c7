package models

import (
	"strings"
	"testing"

	"github.com/snapbench/snapbench/runners/engine"
)

const llama31 = `{"model_type": "llama", "num_hidden_layers": 2, "hidden_size": 64, "num_attention_heads": 8, "num_key_value_heads": 2,
 "intermediate_size": 160, "vocab_size": 512, "max_position_embeddings": 131072, "rms_norm_eps": 1e-05, "hidden_act": "silu", `

// TestSpellingsOfTheRotation: the older and the newer form of the rotation mean the same.
func TestSpellingsOfTheRotation(t *testing.T) {
	older := llama31 + `"rope_theta": 500000.0, "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}}`
	oldest := strings.Replace(older, "rope_type", "type", 1)
	newer := llama31 + `"rope_parameters": {"rope_theta": 500000.0, "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}}`
	var first Config
	for i, text := range []string{older, oldest, newer} {
		c, err := ParseConfig("config.json", []byte(text), nil)
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			first = c
			continue
		}
		for k, f := range c.Rope.Frequencies(128) {
			if f != first.Rope.Frequencies(128)[k] {
				t.Fatalf("spelling %d: frequency %d is %g, want %g", i, k, f, first.Rope.Frequencies(128)[k])
			}
		}
	}
	// Llama 3.1's scaling keeps short wavelengths and stretches long ones by a factor of eight.
	plain := Rope{Theta: 500000, Type: "default"}.Frequencies(128)
	scaled := first.Rope.Frequencies(128)
	if scaled[0] != plain[0] || scaled[63] != plain[63]/8 {
		t.Errorf("first %g and last %g of %g and %g", scaled[0], scaled[63], plain[0], plain[63])
	}
}

func TestConfigErrors(t *testing.T) {
	for text, want := range map[string]string{
		`{`:                      "config.json:1: ",
		`{"model_type": "gpt1"}`: `unknown model_type "gpt1": have ` + strings.Join(Names(), ", "),
		"{\"model_type\": \"llama\",\n \"num_hidden_layers\": \"two\"}":                           "config.json:2: ",
		llama31 + `"rope_scaling": {"type": "yarn", "factor": 0}}`:                                `rope scaling yarn: factor is 0`,
		llama31 + `"rope_scaling": {"type": "linear"}}`:                                           "factor is 0",
		llama31 + `"mlp_bias": true}`:                                                             "mlp_bias",
		llama31 + `"eos_token_id": "two"}`:                                                        "eos_token_id",
		strings.Replace(llama31, `"silu"`, `"gelu"`, 1) + `"x": 0}`:                               `hidden_act "gelu": have gelu_pytorch_tanh, silu`,
		strings.Replace(llama31, `_value_heads": 2`, `_value_heads": 3`, 1) + `"x": 0}`:           "8 query heads do not divide among 3 KV heads",
		strings.Replace(llama31, `_layers": 2`, `_layers": 0`, 1) + `"x": 0}`:                     "num_hidden_layers is 0",
		strings.Replace(llama31, `"llama"`, `"mixtral"`, 1) + `"x": 0}`:                           "num_local_experts is 0",
		strings.Replace(llama31, `"hidden_size": 64`, `"hidden_size": -64`, 1) + `"head_dim": 8}`: "width is -64",
		strings.Replace(llama31, `"hidden_size": 64`, `"hidden_size": 64`, 1) + `"head_dim": 7}`:  "head size 7 is odd",
		strings.Replace(llama31, `"llama"`, `"mistral"`, 1) + `"sliding_window": -1}`:             "sliding_window is -1: want null or a number above 0",
	} {
		if c, err := ParseConfig("config.json", []byte(text), nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %+v, %v; want an error with %q", text, c, err, want)
		}
	}
}

// TestParameters: the numbers of parameters are those that the models' authors give.
func TestParameters(t *testing.T) {
	for shape, want := range map[string]int64{
		"llama-2-7b": 6738415616, "llama-3-8b": 8030261248, "mistral-7b": 7241732096, "mixtral-8x7b": 46702792704, "qwen2.5-7b": 7615616512,
	} {
		f, err := OpenShape(shape)
		if err != nil || f.Config.Parameters() != want {
			t.Errorf("%s has %d parameters (%v), want %d", shape, f.Config.Parameters(), err, want)
		}
	}
	// Gemma 3's report (arXiv 2503.19786, table 1) counts 10,759 million without the embedding.
	if f, err := OpenShape("gemma-3-12b"); err != nil || (f.Config.Parameters()-262208*3840)/1e6 != 10_759 || len(f.Config.PolicyLayers()) != 8 {
		t.Errorf("gemma-3-12b has %d parameters (%v)", f.Config.Parameters(), err)
	}
	f, err := OpenShape("llama-2-7b")
	if err != nil || f.Config.CacheBytesPerToken(engine.BFloat16) != 512<<10 {
		t.Errorf("llama-2-7b keeps %d bytes a token (%v), want 512 KiB", f.Config.CacheBytesPerToken(engine.BFloat16), err)
	}
	for _, bad := range []string{"llama", "tiny,layers", "tiny,layers=0", "tiny,heads=3", "tiny,layers=-1"} {
		if _, err := OpenShape(bad); err == nil {
			t.Errorf("shape %q opens", bad)
		}
	}
}

func FuzzParseConfig(f *testing.F) {
	f.Add([]byte(llama31 + `"x": 0}`))
	f.Add([]byte(`{"model_type": "qwen2", "num_hidden_layers": 3, "layer_types": ["sliding_attention"], "use_sliding_window": true, "sliding_window": 5}`))
	f.Add([]byte(`{"model_type": "mixtral", "num_attention_heads": 0, "num_key_value_heads": 0}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := ParseConfig("config.json", data, data)
		if err == nil && c.Check() != nil {
			t.Errorf("a configuration that does not pass its own check: %+v", c)
		}
	})
}

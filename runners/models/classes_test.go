package models

import (
	"encoding/json"
	"math"
	"os"
	"strings"
	"testing"
)

// TestClasses: config.json files with keys missing, null, unusual or in two places mean what transformers' classes make of them.
func TestClasses(t *testing.T) {
	data, err := os.ReadFile("testdata/classes.json")
	if err != nil {
		t.Fatal(err)
	}
	type rope struct {
		Frequencies []float64
		Amplitude   float64
	}
	var cases []struct {
		Config     json.RawMessage
		Positions  int
		Visible    []int // by layer, of the last token
		Epsilon    float64
		HeadSize   int `json:"head_size"`
		QueryHeads int `json:"query_heads"`
		KVHeads    int `json:"kv_heads"`
		Biases     []bool
		Rope       rope
		Sliding    *rope `json:"sliding_rope"`
	}
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) == 0 {
		t.Fatal("no cases")
	}
	for _, want := range cases {
		c, err := ParseConfig("config.json", want.Config, nil)
		if err != nil {
			t.Errorf("%s: %v", want.Config, err)
			continue
		}
		fail := func(what string, got, should any) {
			t.Errorf("%s: %s: %v, want %v", want.Config, what, got, should)
		}
		if c.Heads.Query != want.QueryHeads || c.Heads.KV != want.KVHeads || c.Heads.Size != want.HeadSize {
			fail("heads", c.Heads, []int{want.QueryHeads, want.KVHeads, want.HeadSize})
		}
		if c.Epsilon != float32(want.Epsilon) {
			fail("epsilon", c.Epsilon, want.Epsilon)
		}
		if want.Biases != nil && (c.QKVBias != want.Biases[0] || c.OutBias != want.Biases[1]) {
			fail("biases", []bool{c.QKVBias, c.OutBias}, want.Biases)
		}
		for i, visible := range want.Visible {
			got := want.Positions
			if w := c.Windows[i]; w > 0 {
				got = min(w, got)
			}
			if got != visible {
				fail("positions that a layer sees", c.Windows, want.Visible)
				break
			}
		}
		compare := func(what string, r Rope, w rope) {
			r = r.For(want.Positions)
			got := r.Frequencies(c.Heads.Size)
			if len(got) != len(w.Frequencies) {
				fail(what, got, w.Frequencies)
				return
			}
			for i, f := range got {
				if !(math.Abs(float64(f)/w.Frequencies[i]-1) < 2e-6) {
					fail(what, got, w.Frequencies)
					break
				}
			}
			if !(math.Abs(r.amplitude()-w.Amplitude) < 1e-6) {
				fail(what+"'s amplitude", r.amplitude(), w.Amplitude)
			}
		}
		compare("rotation", c.Rope, want.Rope)
		if want.Sliding != nil && c.SlidingRope == nil {
			fail("sliding layers' rotation", "none", *want.Sliding)
		} else if want.Sliding != nil {
			compare("sliding layers' rotation", *c.SlidingRope, *want.Sliding)
		}
	}
	t.Logf("%d files compared", len(cases))
}

// TestRefused: what a file asks for and the family does not compute is an error that names the key and its value.
func TestRefused(t *testing.T) {
	gemma := strings.Replace(slidingHalf, `"layer_types": ["full_attention", "sliding_attention"], `, "", 1)
	qwen2 := strings.Replace(qwen3Like, "qwen3", "qwen2", 1)
	phi3 := strings.Replace(qwen3Like, "qwen3", "phi3", 1)
	for _, c := range []struct{ text, want string }{
		{llama31 + `"is_causal": false}`, "is_causal false"},
		{llama31 + `"use_bidirectional_attention": true}`, "use_bidirectional_attention true"},
		{llama31 + `"rms_norm_eps": null}`, "rms_norm_eps is null"},
		{llama31 + `"rope_theta": null}`, "rope_theta is null"},
		{llama31 + `"layer_types": ["full_attention", "sliding_attention"]}`, `layer_types: layer 1 is "sliding_attention": the family llama has full_attention`},
		{qwen3Like + `"layer_types": ["full_attention", "chunked_attention"]}`, `layer_types: layer 1 is "chunked_attention": the family qwen3 has full_attention, sliding_attention`},
		{qwen3Like + `"layer_types": ["full_attention"]}`, "layer_types has 1 entries for 2 layers"},
		{qwen2 + `"layer_types": ["full_attention", "sliding_attention"]}`, "layer 1 has a sliding window, and sliding_window says of none"},
		{phi3 + `"sliding_window": 0}`, "sliding_window is 0: want null or a number above 0"},
		{phi3 + `"rope_scaling": {"type": "linear", "factor": 2}}`, `rope scaling "linear": the family has default, longrope`},
		{qwen2 + `"rope_local_base_freq": 300}`, "rope_local_base_freq is 300: the family qwen2 has one rotation in all layers"},
		{qwen2 + `"partial_rotary_factor": 0.5}`, "partial_rotary_factor is 0.5: the family qwen2 turns whole heads"},
		{qwen2 + `"rope_parameters": {"partial_rotary_factor": 0.25}}`, "partial_rotary_factor is 0.25: the family qwen2 turns whole heads"},
		{qwen2 + `"rope_parameters": {"full_attention": {}, "sliding_attention": {}}}`, "rope_parameters by kind of layer: the family qwen2 has one rotation in all layers"},
		{strings.Replace(qwen3Like, "qwen3", "qwen3_5_text", 1) + `"hidden_act": "gelu_pytorch_tanh"}`, `hidden_act "gelu_pytorch_tanh": the family has silu`},
		{gemma + `"rope_parameters": {"rope_type": "linear", "factor": 2}}`, "rope_parameters: want full_attention and sliding_attention"},
		{gemma + `"rope_scaling": {"type": "linear", "factor": 2}}`, `rope_scaling: type is "linear": files of the family gemma3_text have rope_type`},
		{gemma + `"rope_scaling": {"rope_type": "linear", "factor": 2}, "rope_parameters": {"full_attention": {}, "sliding_attention": {}}}`, "rope_scaling beside rope_parameters"},
		{gemma + `"rope_scaling": {"rope_type": "yarn", "factor": 2, "truncate": false}}`, "truncate false"},
		{gemma + `"original_max_position_embeddings": 64}`, "original_max_position_embeddings is 64"},
		{`{"model_type": "gemma3", "quantization_config": {"quant_method": "awq"}, "text_config": ` + gemma + `"rope_theta": 1e6}}`, `quant_method "awq"`},
	} {
		if _, err := ParseConfig("config.json", []byte(c.text), nil); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an error with %q", c.text, err, c.want)
		}
	}
}

// TestTiesOfNestedFiles: the output that a file with other models beside the language model shares is said at its top.
func TestTiesOfNestedFiles(t *testing.T) {
	inner := strings.Replace(slidingHalf, "{", `{"tie_word_embeddings": false, `, 1) + `"rope_theta": 1e6}`
	for top, want := range map[string]bool{"": false, `"tie_word_embeddings": true, `: true, `"tie_word_embeddings": false, `: false} {
		c, err := ParseConfig("config.json", []byte(`{"model_type": "gemma3", `+top+`"text_config": `+inner+`}`), nil)
		if err != nil || c.Tied != want {
			t.Errorf("%q: tied %v (%v), want %v", top, c.Tied, err, want)
		}
	}
}

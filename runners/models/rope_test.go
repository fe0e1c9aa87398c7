package models

import (
	"reflect"
	"strings"
	"testing"
)

// slidingHalf is a configuration whose layer 1 has a sliding window.
const slidingHalf = `{"model_type": "qwen2", "num_hidden_layers": 2, "hidden_size": 64, "num_attention_heads": 8, "num_key_value_heads": 2,
 "intermediate_size": 160, "vocab_size": 512, "max_position_embeddings": 4096, "use_sliding_window": true, "sliding_window": 64, "max_window_layers": 1, `

// TestSpellingsOfTwoRotations: full and sliding layers' rotations in the older and the
// newer form mean the same.
func TestSpellingsOfTwoRotations(t *testing.T) {
	full, sliding := Rope{Theta: 1e6, Type: "linear", Factor: 8}, Rope{Theta: 20000, Type: "default"}
	for _, text := range []string{
		`"rope_theta": 1000000.0, "rope_local_base_freq": 20000.0, "rope_scaling": {"factor": 8.0, "rope_type": "linear"}}`,
		`"rope_parameters": {"full_attention": {"factor": 8.0, "rope_theta": 1000000.0, "rope_type": "linear"},
		  "sliding_attention": {"rope_theta": 20000.0, "rope_type": "default"}}}`,
	} {
		c, err := ParseConfig("config.json", []byte(slidingHalf+text), nil)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(c.RopeOf(0), full) || !reflect.DeepEqual(c.RopeOf(1), sliding) {
			t.Errorf("%s: %+v and %+v, want %+v and %+v", text, c.RopeOf(0), c.RopeOf(1), full, sliding)
		}
	}
	c, err := ParseConfig("config.json", []byte(slidingHalf+`"rope_theta": 7000}`), nil)
	if err != nil || c.RopeOf(0).Theta != 7000 || c.RopeOf(1).Theta != 7000 {
		t.Errorf("one base: %+v and %+v (%v)", c.RopeOf(0), c.RopeOf(1), err)
	}
	for text, want := range map[string]string{
		`"rope_local_base_freq": 0}`:                                                                                    "rope_local_base_freq: rope_theta is 0",
		`"rope_parameters": {"sliding_attention": {"rope_theta": 10000.0}}}`:                                            "want both",
		`"rope_parameters": {"full_attention": {}, "sliding_attention": {"rope_type": "linear"}}}`:                      "sliding_attention: rope scaling linear",
		`"rope_parameters": {"full_attention": {"rope_type": "linear"}, "sliding_attention": {"rope_theta": 10000.0}}}`: "rope scaling linear",
	} {
		if _, err := ParseConfig("config.json", []byte(slidingHalf+text), nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

// TestEachLayerHasItsRotation: a sliding layer turns by its own rotation, and a full layer
// by the model's. A window that is never reached leaves the rotation as the only difference.
func TestEachLayerHasItsRotation(t *testing.T) {
	logits := func(theta float64, change map[string]any) []float32 {
		t.Helper()
		config := map[string]any{"rope_theta": theta, "sliding_window": 100}
		for k, v := range change {
			config[k] = v
		}
		m, err := tinyFamily(t, "mistral", config)
		if err != nil {
			t.Fatal(err)
		}
		p, err := m.Prefill(t.Context(), Prompt{IDs: tokens(30)})
		if err != nil {
			t.Fatal(err)
		}
		return p.Logits
	}
	plain := logits(300, nil)
	if err := nearTo(plain, logits(10000, nil)); err == nil {
		t.Error("the base makes no difference: the test shows nothing")
	}
	if got := logits(10000, map[string]any{"rope_local_base_freq": 300}); !reflect.DeepEqual(got, plain) {
		t.Errorf("sliding layers with a base of their own: %v", nearTo(plain, got))
	}
	if got := logits(300, map[string]any{"rope_local_base_freq": 10000, "sliding_window": nil}); !reflect.DeepEqual(got, plain) {
		t.Errorf("full layers beside a sliding layers' base: %v", nearTo(plain, got))
	}
}

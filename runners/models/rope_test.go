package models

import (
	"reflect"
	"strings"
	"testing"
)

// slidingHalf is a configuration whose layer 1 has a sliding window.
const slidingHalf = `{"model_type": "gemma3_text", "num_hidden_layers": 2, "hidden_size": 64, "num_attention_heads": 8, "num_key_value_heads": 2, "head_dim": 8,
 "intermediate_size": 160, "vocab_size": 512, "max_position_embeddings": 4096, "sliding_window": 64, "layer_types": ["full_attention", "sliding_attention"], `

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
	if err != nil || c.RopeOf(0).Theta != 7000 || c.RopeOf(1).Theta != 10000 {
		t.Errorf("one base, the other transformers' default: %+v and %+v (%v)", c.RopeOf(0), c.RopeOf(1), err)
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
	logits := func(full, sliding float64, kind string) []float32 {
		t.Helper()
		m, err := tinyFamily(t, "gemma3_text", map[string]any{"rope_theta": full, "rope_local_base_freq": sliding, "sliding_window": 100,
			"layer_types": []string{kind, kind}})
		if err != nil {
			t.Fatal(err)
		}
		p, err := m.Prefill(t.Context(), Prompt{IDs: tokens(30)})
		if err != nil {
			t.Fatal(err)
		}
		return p.Logits
	}
	const full, sliding = "full_attention", "sliding_attention"
	plain := logits(300, 300, full)
	if err := nearTo(plain, logits(10000, 10000, full)); err == nil {
		t.Error("the base makes no difference: the test shows nothing")
	}
	if got := logits(10000, 300, sliding); !reflect.DeepEqual(got, plain) {
		t.Errorf("sliding layers with a base of their own: %v", nearTo(plain, got))
	}
	if got := logits(300, 10000, full); !reflect.DeepEqual(got, plain) {
		t.Errorf("full layers beside a sliding layers' base: %v", nearTo(plain, got))
	}
}

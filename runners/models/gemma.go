package models

import (
	"errors"
	"fmt"
	"math"
)

// Gemma 2 (arXiv 2408.00118) and Gemma 3 (arXiv 2503.19786). Both multiply embeddings by √width and store the weights of norms
// less 1, have norms behind attention and feed-forward too, and GELU in the gate. Sliding layers stand between full ones.
// Gemma 2 bounds scores and logits softly. Gemma 3 has norms on the heads of q and k, and a rotation of their own in its sliding
// layers; from 4B up its config.json has all of this under text_config, beside a vision model, which is not read. As in
// transformers, Gemma 3's attn_logit_softcapping has no effect.
func init() {
	tensors := map[Role]string{
		AttentionPostNorm: "model.layers.%d.post_attention_layernorm.weight",
		FeedNorm:          "model.layers.%d.pre_feedforward_layernorm.weight",
		FeedPostNorm:      "model.layers.%d.post_feedforward_layernorm.weight",
	}
	sliding := []string{"sliding_attention"}
	Register(Family{Name: "gemma2", Kinds: sliding, Defaults: gemma2Defaults, Tensors: tensors, Architecture: "gemma2",
		Adapt: func(raw RawConfig, c *Config) error {
			c.AttentionCap = float32(orZero(raw.AttentionCap))
			return gemma(raw, c, 2)
		},
		AdaptGGUF: func(r *ggufKeys, c *Config) {
			gemmaGGUF(r, c, 2, 46)
			c.AttentionCap, c.LogitCap = float32(r.float("attn_logit_softcapping", 50)), float32(r.float("final_logit_softcapping", 30))
		}})
	gemma3 := func(raw RawConfig, c *Config) error {
		c.QKNorm = true
		pattern := raw.SlidingPattern
		if pattern == 0 {
			pattern = raw.OwnSlidingPattern
		}
		if pattern == 0 {
			pattern = 6
		}
		return gemma(raw, c, pattern)
	}
	Register(Family{Name: "gemma3_text", Kinds: sliding, TwoRopes: true, Defaults: gemma3Defaults, Tensors: tensors, Architecture: "gemma3", Adapt: gemma3,
		AdaptGGUF: func(r *ggufKeys, c *Config) {
			gemmaGGUF(r, c, 6, 62)
			c.QKNorm = true
			if r.meta.Has(r.prefix + "final_logit_softcapping") {
				c.LogitCap = float32(r.float("final_logit_softcapping", 0))
			}
			if c.SlidingRope == nil {
				c.SlidingRope = &Rope{Theta: 10000, Type: "default"}
			}
		}})
	Register(Family{Name: "gemma3", Kinds: sliding, TwoRopes: true, Defaults: gemma3Defaults, Tensors: tensors, Nested: true, Adapt: gemma3})
}

func orZero(v *float64) float64 {
	if v == nil {
		return 0
	}
	return *v
}

// gemma is what the two have in common. Without layer_types, every pattern-th layer has full attention.
func gemma(raw RawConfig, c *Config, pattern int) error {
	if raw.SlidingWindow == nil || *raw.SlidingWindow < 1 {
		return errors.New("sliding_window: want a number above 0")
	}
	if !(orZero(raw.QueryScalar) > 0) {
		return fmt.Errorf("query_pre_attn_scalar is %v", orZero(raw.QueryScalar))
	}
	if pattern < 1 {
		return fmt.Errorf("sliding_window_pattern is %d", pattern)
	}
	if err := raw.slide(c, everyButNth(pattern)); err != nil {
		return err
	}
	c.QKVBias, c.OutBias = raw.AttentionBias, raw.AttentionBias
	c.UnitNorms, c.PostNorms = true, true
	c.EmbeddingScale, c.RoundedScale = float32(math.Sqrt(float64(c.Width))), true
	c.AttentionScale = float32(1 / math.Sqrt(*raw.QueryScalar))
	c.LogitCap = float32(orZero(raw.LogitCap))
	return nil
}

// gemmaGGUF reads a GGUF file, which holds norms with 1 added. Most keys may be missing. The attention's scale is 1/√d but in
// the 27B size, which is known by its layers: 1/√(width/heads).
func gemmaGGUF(r *ggufKeys, c *Config, pattern, largest int) {
	c.Activation, _ = activationOf("gelu_pytorch_tanh")
	c.PostNorms = true
	c.EmbeddingScale = float32(math.Sqrt(float64(c.Width)))
	switch {
	case r.meta.Has(r.prefix + "attention.scale"):
		c.AttentionScale = float32(r.float("attention.scale", 0))
	case c.Layers == largest && c.Heads.Query > 0:
		c.AttentionScale = float32(1 / math.Sqrt(float64(c.Width)/float64(c.Heads.Query)))
	}
	r.slide(c, pattern)
}

// slide gives layers with a sliding window theirs: those that the file names, or all but every nth.
func (r *ggufKeys) slide(c *Config, pattern int) {
	window, key := r.number("attention.sliding_window"), "attention.sliding_window_pattern"
	if kinds, err := r.meta.Bools(r.prefix + key); err == nil {
		if len(kinds) != c.Layers {
			r.fail(fmt.Errorf("%s%s has %d entries for %d layers", r.prefix, key, len(kinds), c.Layers))
			return
		}
		for i, sliding := range kinds {
			if c.Windows[i] = 0; sliding {
				c.Windows[i] = window
			}
		}
		return
	}
	if pattern = r.optional(key, pattern); pattern < 1 {
		r.fail(fmt.Errorf("%s%s is %d", r.prefix, key, pattern))
		return
	}
	slides := everyButNth(pattern)
	for i := range c.Windows {
		if c.Windows[i] = 0; slides(i) {
			c.Windows[i] = window
		}
	}
}

// gemma2Defaults and gemma3Defaults are what transformers takes for keys that config.json lacks.
func gemma2Defaults() RawConfig {
	return gemmaDefaults(RawConfig{Vocab: 256000, Context: 8192, AttentionCap: new(50.0), LogitCap: new(30.0)})
}

func gemma3Defaults() RawConfig {
	return gemmaDefaults(RawConfig{Vocab: 262208, Context: 131072, RopeTheta: new(1e6), RopeLocalTheta: new(10000.0)})
}

func gemmaDefaults(raw RawConfig) RawConfig {
	raw.Layers, raw.Width, raw.FF, raw.QueryHeads = 26, 2304, 9216, 8
	raw.KVHeads, raw.HeadSize, raw.SlidingWindow = new(4), new(256), new(4096)
	raw.QueryScalar, raw.Tied, raw.GateActivation = new(256.0), true, "gelu_pytorch_tanh"
	return raw
}

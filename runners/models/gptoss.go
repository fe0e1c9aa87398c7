package models

import (
	"fmt"

	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/weights"
)

// gpt-oss (arXiv 2508.10925): sinks in every layer, every second one with a sliding window, a
// mixture with biases whose router takes the softmax among the chosen experts, and a clamped
// activation. Biases on q, k, v, the attention's output, the router and the experts. Its
// rotation is YaRN, whose borders are not rounded.
func init() {
	names := map[Role]string{
		Sinks:  "model.layers.%d.self_attn.sinks",
		Router: "model.layers.%d.mlp.router.weight", RouterBias: "model.layers.%d.mlp.router.bias",
	}
	gguf := map[Role]string{FeedNorm: "blk.%d.post_attention_norm.weight"}
	Register(Family{Name: "gpt_oss", Defaults: gptOSSDefaults, Kinds: []string{"sliding_attention"}, Tensors: names, Expert: gptOSSExpert, Architecture: "gpt-oss", GGUFTensors: gguf, AdaptGGUF: gptOSSFromGGUF, Adapt: func(raw RawConfig, c *Config) error {
		if raw.LocalExperts < 1 {
			return fmt.Errorf("num_local_experts is %d", raw.LocalExperts)
		}
		c.Mixture = Mixture{Experts: raw.LocalExperts, PerToken: raw.PerToken, ExpertFF: raw.FF, RouterBias: true, ExpertsBias: true}
		c.QKVBias, c.OutBias, c.Sinks = raw.AttentionBias, raw.AttentionBias, true
		c.Activation = gptOSSActivation
		if raw.SwiGLUAlpha != nil {
			c.Activation.Alpha = float32(*raw.SwiGLUAlpha)
		}
		if raw.SwiGLULimit != nil {
			c.Activation.Limit = float32(*raw.SwiGLULimit)
		}
		if !(c.Activation.Limit > 0) {
			return fmt.Errorf("swiglu_limit is %v", c.Activation.Limit)
		}
		return slideEveryOther(raw, c)
	}})
}

// gptOSSActivation is that of the published models.
var gptOSSActivation = engine.Activation{Kind: engine.ClampedSwiGLU, Alpha: 1.702, Limit: 7}

// gptOSSDefaults is what transformers takes for keys that config.json lacks.
func gptOSSDefaults() RawConfig {
	return RawConfig{KVHeads: new(8), HeadSize: new(64), Epsilon: new(1e-5), RopeTheta: new(150000.0), SlidingWindow: new(128),
		PerToken: 4, AttentionBias: true, DefaultRope: &RawRope{Type: "yarn", Factor: new(32.0), BetaFast: new(32.0),
			BetaSlow: new(1.0), Truncate: truncate{off: true}, Original: new(4096.0)}}
}

// gptOSSFromGGUF adds what GGUF files do not say.
func gptOSSFromGGUF(r *ggufKeys, c *Config) {
	c.QKVBias, c.OutBias, c.Sinks, c.RouterBias, c.ExpertsBias = true, true, true, true, true
	c.Activation = gptOSSActivation
	c.Rope.Truncate = false
	r.slide(c, 2)
}

// slideEveryOther gives the layers that layer_types says, else every even one, the sliding
// window.
func slideEveryOther(raw RawConfig, c *Config) error {
	return raw.slide(c, func(layer int) bool { return layer%2 == 0 })
}

// gptOSSExpert takes an expert out of the stacks that the safetensors have. gate_up_proj
// (experts, width, 2·ff) and down_proj (experts, ff, width) have the inputs first, and gate
// and up in alternating columns; in MXFP4 the outputs come first.
func gptOSSExpert(f *weights.File, stacks string, c Config, role Role, expert, rows, cols int) (engine.Stored, error) {
	stack, first, step := "down_proj", 0, 1
	if role == Gate || role == GateBias || role == Up || role == UpBias {
		stack, step = "gate_up_proj", 2
		if role == Up || role == UpBias {
			first = 1
		}
	}
	name := stacks + stack
	if role == GateBias || role == UpBias || role == DownBias {
		all, err := f.Weight(name+"_bias", c.Experts, step*cols)
		if err != nil {
			return nil, err
		}
		column := weights.Every(weights.Columns(all, expert, expert+1), first, step)
		return weights.Columns(column, 0, cols), nil
	}
	if f.Has(name + "_blocks") {
		all, err := f.Microscaled(name+"_blocks", name+"_scales", expert, c.Experts, step*rows, cols)
		if err != nil {
			return nil, err
		}
		return weights.Every(all, first, step), nil
	}
	all, err := f.Weight(name, c.Experts, cols, step*rows)
	if err != nil {
		return nil, err
	}
	return weights.Every(weights.Columns(all, expert*cols, (expert+1)*cols), first, step), nil
}

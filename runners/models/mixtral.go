package models

import "fmt"

// Mixtral (arXiv 2401.04088): Mistral with a mixture of feed-forward layers.
func init() {
	tensors := map[Role]string{Router: "model.layers.%d.block_sparse_moe.gate.weight"}
	experts := map[Role]string{
		Gate: "model.layers.%d.block_sparse_moe.experts.%d.w1.weight",
		Up:   "model.layers.%d.block_sparse_moe.experts.%d.w3.weight",
		Down: "model.layers.%d.block_sparse_moe.experts.%d.w2.weight",
	}
	defaults := func() RawConfig {
		return RawConfig{KVHeads: new(8), Epsilon: new(1e-5), RopeTheta: new(1e6), PerToken: 2}
	}
	Register(Family{Name: "mixtral", Defaults: defaults, Tensors: tensors, Experts: experts, Adapt: func(raw RawConfig, c *Config) error {
		if raw.LocalExperts < 1 {
			return fmt.Errorf("num_local_experts is %d", raw.LocalExperts)
		}
		c.Experts, c.PerToken, c.ExpertFF = raw.LocalExperts, raw.PerToken, raw.FF
		return slideEverywhere(raw, c)
	}})
}

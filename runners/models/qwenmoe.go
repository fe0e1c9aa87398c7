package models

import (
	"fmt"
	"slices"

	"github.com/snapbench/snapbench/runners/engine"
)

// Qwen3-MoE (arXiv 2505.09388): Qwen3 with a mixture of feed-forward layers, in which a
// token's shares are the softmax over all experts, divided by the chosen ones' sum if
// config.json says so (norm_topk_prob), as all published files do. Layer l is dense if
// mlp_only_layers names it or decoder_sparse_step does not divide l+1. A sliding window counts in every layer.
func init() {
	Register(Family{Name: "qwen3_moe", Architecture: "qwen3moe", Defaults: func() RawConfig {
		return RawConfig{KVHeads: new(4), SlidingWindow: new(4096), PerToken: 8, ExpertFF: 768}
	}, Adapt: func(raw RawConfig, c *Config) error {
		c.QKNorm, c.QKVBias, c.OutBias = true, raw.AttentionBias, raw.AttentionBias
		c.Experts, c.PerToken, c.ExpertFF = raw.LocalExperts, raw.PerToken, raw.ExpertFF
		if c.Experts == 0 {
			c.Experts = raw.NumExperts
		} else if raw.NumExperts != 0 && raw.NumExperts != c.Experts {
			return fmt.Errorf("num_local_experts is %d, num_experts %d", c.Experts, raw.NumExperts)
		}
		if c.Experts < 1 {
			return fmt.Errorf("num_experts is %d", c.Experts)
		}
		if !raw.NormTopK {
			c.Shares = engine.SharesOfAll
		}
		if err := denseLayers(raw, c); err != nil {
			return err
		}
		if raw.slides() {
			return slideEverywhere(raw, c)
		}
		return nil
	}, AdaptGGUF: func(_ *ggufKeys, c *Config) { c.QKNorm = true }})
}

func denseLayers(raw RawConfig, c *Config) error {
	step := 1
	if raw.SparseStep != nil {
		step = *raw.SparseStep
	}
	if step < 1 {
		return fmt.Errorf("decoder_sparse_step is %d", step)
	}
	dense := make([]bool, c.Layers)
	for i := range dense {
		dense[i] = (i+1)%step != 0
	}
	for _, i := range raw.DenseLayers {
		if i < 0 || i >= c.Layers {
			return fmt.Errorf("mlp_only_layers names layer %d of %d", i, c.Layers)
		}
		dense[i] = true
	}
	if slices.Contains(dense, true) {
		c.Dense = dense
	}
	return nil
}

package models

import "errors"

// Llama 2, 3, 3.1 (arXiv 2302.13971, 2307.09288, 2407.21783), LongChat (linear
// scaling), LWM (a large theta), SmolLM2. config.json says whether attention has
// biases.
func init() {
	Register(Family{Name: "llama", Architecture: "llama", Adapt: func(raw RawConfig, c *Config) error {
		if raw.MLPBias {
			return errors.New("mlp_bias true: feed-forward layers with a bias are not supported")
		}
		c.QKVBias, c.OutBias = raw.AttentionBias, raw.AttentionBias
		return nil
	}})
}

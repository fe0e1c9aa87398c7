package models

// Qwen2 (arXiv 2407.10671) always has biases on q, k and v, and no others. Qwen3
// (arXiv 2505.09388) has RMS norms on each head of q and k, and biases if
// config.json says so. In both, some layers can have a sliding window.
func init() {
	Register(Family{Name: "qwen2", Architecture: "qwen2", Adapt: func(raw RawConfig, c *Config) error {
		c.QKVBias = true
		return slideSomeLayers(raw, c)
	}, AdaptGGUF: func(_ *ggufKeys, c *Config) { c.QKVBias = true }})
	Register(Family{Name: "qwen3", Architecture: "qwen3", Adapt: func(raw RawConfig, c *Config) error {
		c.QKNorm, c.QKVBias, c.OutBias = true, raw.AttentionBias, raw.AttentionBias
		return slideSomeLayers(raw, c)
	}, AdaptGGUF: func(_ *ggufKeys, c *Config) { c.QKNorm = true }})
}

func slideSomeLayers(raw RawConfig, c *Config) error {
	if raw.UseSliding == nil || !*raw.UseSliding || raw.SlidingWindow == nil {
		return nil
	}
	return raw.slide(c, func(layer int) bool { return layer >= raw.MaxWindowLayers })
}

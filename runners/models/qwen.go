package models

// Qwen2 (arXiv 2407.10671) always has biases on q, k and v, and no others. Qwen3
// (arXiv 2505.09388) has RMS norms on each head of q and k, and biases if
// config.json says so. In both, some layers can have a sliding window.
func init() {
	sliding := []string{"sliding_attention"}
	Register(Family{Name: "qwen2", Architecture: "qwen2", Kinds: sliding, Defaults: qwenDefaults, Adapt: func(raw RawConfig, c *Config) error {
		c.QKVBias = true
		return slideSomeLayers(raw, c)
	}, AdaptGGUF: func(_ *ggufKeys, c *Config) { c.QKVBias = true }})
	Register(Family{Name: "qwen3", Architecture: "qwen3", Kinds: sliding, Defaults: func() RawConfig {
		raw := qwenDefaults()
		raw.HeadSize = new(128)
		return raw
	}, Adapt: func(raw RawConfig, c *Config) error {
		c.QKNorm, c.QKVBias, c.OutBias = true, raw.AttentionBias, raw.AttentionBias
		return slideSomeLayers(raw, c)
	}, AdaptGGUF: func(_ *ggufKeys, c *Config) { c.QKNorm = true }})
}

// qwenDefaults is what transformers takes for keys that config.json lacks.
func qwenDefaults() RawConfig {
	return RawConfig{KVHeads: new(32), SlidingWindow: new(4096), MaxWindowLayers: 28}
}

// slides says whether config.json has a sliding window: the number alone does not.
func (raw RawConfig) slides() bool {
	return raw.UseSliding != nil && *raw.UseSliding && raw.SlidingWindow != nil
}

func slideSomeLayers(raw RawConfig, c *Config) error {
	if !raw.slides() {
		raw.SlidingWindow = nil
	}
	return raw.slide(c, func(layer int) bool { return raw.slides() && layer >= raw.MaxWindowLayers })
}

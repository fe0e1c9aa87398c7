package models

// Mistral 7B (arXiv 2310.06825): Llama with a sliding window in its first version,
// without one in later versions. With layer_types it is Ministral: some layers slide. It has no biases, even if config.json
// says so. A file that does not name the window has one of 4,096: null is none.
func init() {
	Register(Family{Name: "mistral", Adapt: slideEverywhere, Kinds: []string{"sliding_attention"}, Defaults: func() RawConfig {
		return RawConfig{KVHeads: new(8), SlidingWindow: new(4096)}
	}})
}

// slideEverywhere gives every layer the sliding window, if there is one, unless layer_types says otherwise.
func slideEverywhere(raw RawConfig, c *Config) error {
	return raw.slide(c, func(int) bool { return raw.SlidingWindow != nil })
}

package models

// Mistral 7B (arXiv 2310.06825): Llama with a sliding window in its first version,
// without one in later versions. It has no biases, even if config.json says so.
func init() { Register(Family{Name: "mistral", Adapt: slideEverywhere}) }

func slideEverywhere(raw RawConfig, c *Config) error {
	if raw.SlidingWindow != nil {
		for i := range c.Windows {
			c.Windows[i] = *raw.SlidingWindow
		}
	}
	return nil
}

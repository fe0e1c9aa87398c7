package models

import "fmt"

// Mixtral (arXiv 2401.04088): Mistral with a mixture of feed-forward layers.
func init() {
	Register(Family{Name: "mixtral", Adapt: func(raw RawConfig, c *Config) error {
		if raw.Experts < 1 {
			return fmt.Errorf("num_local_experts is %d", raw.Experts)
		}
		c.Experts, c.PerToken = raw.Experts, raw.PerToken
		return slideEverywhere(raw, c)
	}})
}

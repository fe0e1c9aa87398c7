package models

import (
	"errors"
	"fmt"

	"github.com/snapbench/snapbench/runners/weights"
)

// ropes returns the rotation of all layers and, where it differs, that of the layers with a
// sliding window. c has the heads and the context. Keys are those of the gguf package's
// constants; lists of divisors are tensors.
func (r *ggufKeys) ropes(f *weights.File, c Config) (all Rope, sliding *Rope, err error) {
	all = Rope{Theta: r.float("rope.freq_base", 10000), Type: "default"}
	if n := r.optional("rope.dimension_count", c.Heads.Size); n != c.Heads.Size {
		if all.Channels = n; n == 0 {
			return all, nil, errors.New("rope.dimension_count is 0")
		}
	}
	if r.meta.Has(r.prefix + "rope.freq_base_swa") {
		sliding = &Rope{Theta: r.float("rope.freq_base_swa", 0), Type: "default", Channels: all.Channels}
	}
	if kind, err := r.meta.String(r.prefix + "rope.scaling.type"); err == nil && kind != "none" {
		all.Type = kind
	}
	list := func(name string) []float32 {
		if !f.Has(name) || err != nil {
			return nil
		}
		t, problem := f.Weight(name, all.channels(c.Heads.Size)/2)
		if problem == nil {
			var values []float32
			if values, problem = t.Floats(); problem == nil {
				return values
			}
		}
		err = problem
		return nil
	}
	all.Divisors = list("rope_freqs.weight")
	all.Short, all.Long = list("rope_factors_short.weight"), list("rope_factors_long.weight")
	if err != nil {
		return all, nil, err
	}
	if all.Short != nil || all.Long != nil {
		all.Type = "longrope" // converters of Phi-3 do not say so
	}
	optional := func(key string, otherwise float64) float64 {
		if !r.meta.Has(r.prefix + key) {
			return otherwise
		}
		return r.float(key, 0)
	}
	for _, key := range []string{"rope.scaling.yarn_ext_factor", "rope.scaling.yarn_attn_factor", "rope.scaling.yarn_log_multiplier"} {
		if r.meta.Has(r.prefix + key) {
			return all, nil, fmt.Errorf("%s%s is not supported", r.prefix, key)
		}
	}
	context := float64(c.Context)
	all.Original = context
	if key := "rope.scaling.original_context_length"; r.meta.Has(r.prefix + key) { // a whole number; some converters write it as another
		if n, err := r.meta.Uint(r.prefix + key); err == nil {
			all.Original = float64(n)
		} else {
			all.Original = r.float(key, 0)
		}
	}
	attention := optional("rope.scaling.attn_factor", 0)
	switch all.Type {
	case "linear":
		all.Factor = optional("rope.scaling.factor", 0)
	case "yarn":
		all.Factor = optional("rope.scaling.factor", context/all.Original)
		all.BetaFast, all.BetaSlow = optional("rope.scaling.yarn_beta_fast", 32), optional("rope.scaling.yarn_beta_slow", 1)
		all.Truncate = true
		if attention > 0 { // here it multiplies what the factor gives
			all.Amplitude = attention * all.amplitude()
		}
	case "longrope":
		all.Factor, all.Amplitude = optional("rope.scaling.factor", context/all.Original), attention
	}
	if r.err != nil {
		return all, nil, r.err
	}
	if sliding != nil {
		if err := sliding.check(c.Heads.Size); err != nil {
			return all, nil, fmt.Errorf("rope.freq_base_swa: %w", err)
		}
	}
	return all, sliding, all.check(c.Heads.Size)
}

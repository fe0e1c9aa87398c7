package models

import (
	"fmt"

	"github.com/snapbench/snapbench/runners/weights"
)

// ropes returns the rotation of all layers and, where it differs, that of the layers with a
// sliding window. c has the heads and the context. Keys are those of the gguf package's
// constants; lists of divisors are tensors.
func (r *ggufKeys) ropes(f *weights.File, c Config) (all Rope, sliding *Rope, err error) {
	all = Rope{Theta: r.float("rope.freq_base", 10000), Type: "default"}
	if all.Channels, err = r.channels("rope.dimension_count", c.Heads.Size); err != nil {
		return all, nil, err
	}
	if r.meta.Has(r.prefix + "rope.freq_base_swa") {
		sliding = &Rope{Theta: r.float("rope.freq_base_swa", 0), Type: "default", Channels: all.Channels}
		if r.meta.Has(r.prefix + "rope.dimension_count_swa") {
			if sliding.Channels, err = r.channels("rope.dimension_count_swa", c.Heads.Size); err != nil {
				return all, nil, err
			}
		}
	}
	optional := func(key string, otherwise float64) float64 {
		if !r.meta.Has(r.prefix + key) {
			return otherwise
		}
		return r.float(key, 0)
	}
	factor := optional("rope.scaling.factor", optional("rope.scale_linear", 0)) // the latter is the older name
	if key := r.prefix + "rope.scaling.type"; r.meta.Has(key) {
		kind, err := r.meta.String(key)
		if err != nil {
			return all, nil, err
		}
		if kind != "none" {
			all.Type = kind
		}
	} else if factor != 0 && factor != 1 {
		all.Type = "linear" // as llama.cpp takes a factor without a type
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
	for _, key := range []string{"rope.scaling.yarn_ext_factor", "rope.scaling.yarn_attn_factor", "rope.scaling.yarn_log_multiplier", "rope.scaling.alpha"} {
		if r.meta.Has(r.prefix + key) {
			return all, nil, fmt.Errorf("%s%s is not supported", r.prefix, key)
		}
	}
	context := float64(c.Context)
	original := context
	if key := "rope.scaling.original_context_length"; r.meta.Has(r.prefix + key) { // a whole number; some converters write it as another
		if n, err := r.meta.Uint(r.prefix + key); err == nil {
			original = float64(n)
		} else {
			original = r.float(key, 0)
		}
	}
	attention := optional("rope.scaling.attn_factor", 0)
	if all.Type != "yarn" && all.Type != "longrope" && attention != 0 && attention != 1 {
		return all, nil, fmt.Errorf("%srope.scaling.attn_factor is %v: it is not supported for the scaling %s", r.prefix, attention, all.Type)
	}
	switch all.Type {
	case "linear":
		all.Factor = factor
	case "yarn":
		all.Original, all.Factor = original, optional("rope.scaling.factor", context/original)
		all.BetaFast, all.BetaSlow = optional("rope.scaling.yarn_beta_fast", 32), optional("rope.scaling.yarn_beta_slow", 1)
		all.Truncate = true
		if attention > 0 { // here it multiplies what the factor gives
			all.Amplitude = attention * all.amplitude()
		}
	case "longrope":
		all.Original, all.Factor, all.Amplitude = original, optional("rope.scaling.factor", context/original), attention
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

// channels is how many channels of heads of d numbers a key says are turned, 0 for all. The rows
// of q and k are interleaved over whole heads in files of the architecture llama.
func (r *ggufKeys) channels(key string, d int) (int, error) {
	n := r.optional(key, d)
	switch {
	case n == d:
		return 0, nil
	case n == 0 || r.prefix == "llama.":
		return 0, fmt.Errorf("%s%s is %d of heads of %d: that is not supported", r.prefix, key, n, d)
	}
	return n, nil
}

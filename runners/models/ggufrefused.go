package models

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// ggufAsks are keys of which a value other than these asks for something that no family here computes. Their names are those of the
// gguf package's constants, without the architecture. Families name the exceptions below.
var ggufAsks = []struct {
	key     string
	neutral []float64 // of a flag: 1 for true
}{
	{"attention.causal", []float64{1}}, {"use_parallel_residual", []float64{0}}, {"expert_weights_norm", []float64{1}},
	{"logit_scale", []float64{0, 1}}, {"residual_scale", []float64{0, 1}}, {"embedding_scale", []float64{0, 1}},
	{"expert_weights_scale", []float64{0, 1}}, {"attention.output_scale", []float64{0, 1}}, {"attention.temperature_scale", []float64{0}},
	{"attention.clamp_kqv", []float64{0}}, {"attention.max_alibi_bias", []float64{0}}, {"router_logit_softcapping", []float64{0}},
	{"attn_logit_softcapping", []float64{0}}, {"final_logit_softcapping", []float64{0}}, {"attention.chunk_size", []float64{0}},
	{"expert_shared_count", []float64{0}}, {"expert_shared_feed_forward_length", []float64{0}}, {"expert_group_count", []float64{0, 1}},
	{"moe_every_n_layers", []float64{0, 1}}, {"nextn_predict_layers", []float64{0}},
	// 1: softmax over all experts, 3: among the chosen ones; divided by their sum they are the same.
	{"expert_gating_func", []float64{0, 1, 3}},
}

// ggufReads are the keys among ggufAsks that an architecture has a use for, and those that transformers' class, too, passes over.
var ggufReads = map[string][]string{
	"gemma2": {"attn_logit_softcapping", "final_logit_softcapping"},
	"gemma3": {"attn_logit_softcapping", "final_logit_softcapping"},
}

// refuse is an error for a key whose value is not computed. c has the heads.
func (r *ggufKeys) refuse(c Config) error {
	architecture := strings.TrimSuffix(r.prefix, ".")
	number := func(key string) (float64, error) {
		if v, err := r.meta.Bool(r.prefix + key); err == nil {
			if v {
				return 1, nil
			}
			return 0, nil
		}
		return r.meta.Float(r.prefix + key)
	}
	for _, ask := range ggufAsks {
		if !r.meta.Has(r.prefix+ask.key) || slices.Contains(ggufReads[architecture], ask.key) {
			continue
		}
		if v, err := number(ask.key); err != nil || !slices.Contains(ask.neutral, v) {
			value, _ := r.meta.Value(r.prefix + ask.key)
			return fmt.Errorf("%s%s is %v: that is not supported in the family %s", r.prefix, ask.key, value, c.Family)
		}
	}
	if key := "attention.value_length"; r.optional(key, c.Heads.Size) != c.Heads.Size {
		return fmt.Errorf("%s%s is %d and heads of keys have %d: that is not supported", r.prefix, key, r.number(key), c.Heads.Size)
	}
	gemma := architecture == "gemma2" || architecture == "gemma3"
	if key := "attention.scale"; !gemma && r.meta.Has(r.prefix+key) {
		if v := r.float(key, 0); v != 0 && math.Abs(v*math.Sqrt(float64(c.Heads.Size))-1) > 1e-5 {
			return fmt.Errorf("%s%s is %v, heads have %d numbers: another scale than 1/√d is not supported in the family %s", r.prefix, key, v, c.Heads.Size, c.Family)
		}
	}
	if key := "attention.sliding_window_pattern"; !gemma && architecture != "gpt-oss" && r.meta.Has(r.prefix+key) {
		value, _ := r.meta.Value(r.prefix + key)
		return fmt.Errorf("%s%s is %v: that is not supported in the family %s", r.prefix, key, value, c.Family)
	}
	return r.err
}

// ggufTensors returns an error if a file has a tensor that is not read, as llama.cpp does: what it is for, the metadata need not
// say. Biases are ggufBiases' matter.
func ggufTensors(names []string, s ggufSource) error {
	c := s.config
	roles := []Role{AttentionNorm, Query, Key, Value, AttentionOutput, FeedNorm}
	if c.Experts == 0 || c.Dense != nil {
		roles = append(roles, Gate, Up, Down)
	}
	if c.Experts > 0 {
		roles = append(roles, Router)
	}
	if c.QKNorm {
		roles = append(roles, QueryNorm, KeyNorm)
	}
	if c.PostNorms {
		roles = append(roles, AttentionPostNorm, FeedPostNorm)
	}
	if c.Sinks {
		roles = append(roles, Sinks)
	}
	known := map[string]bool{"rope_freqs.weight": true, "rope_factors_short.weight": true, "rope_factors_long.weight": true}
	for _, role := range []Role{Embedding, OutputNorm, Output} {
		known[s.name(role, -1)] = true
	}
	kinds := map[string]bool{"attn_rot_embd.weight": true} // the frequencies once more, in old files
	kind := func(name string) string {
		_, rest, _ := strings.Cut(strings.TrimPrefix(name, "blk."), ".")
		return rest
	}
	for _, role := range roles {
		kinds[kind(s.name(role, 0))] = true
	}
	if c.Experts > 0 {
		for _, role := range []Role{Gate, Up, Down} {
			kinds[kind(nameOf(ggufExperts, role, 0))] = true
		}
	}
	for _, name := range names {
		if known[name] || strings.HasSuffix(name, ".bias") {
			continue
		}
		if rest, ok := strings.CutPrefix(name, "blk."); ok {
			number, rest, _ := strings.Cut(rest, ".")
			if layer, err := strconv.Atoi(number); err == nil && (kinds[rest] || layer >= c.Layers) {
				continue
			}
		}
		return fmt.Errorf("tensor %q: a model of the family %s with this tensor is not supported", name, c.Family)
	}
	return nil
}

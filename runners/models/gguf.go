package models

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/weights"
)

var ggufArchitectures = []string{"llama", "qwen2", "qwen3", "qwen3moe"}

// ggufConfig reads the configuration from a GGUF file's metadata.
func ggufConfig(f *weights.File) (Config, error) {
	meta := f.Metadata()
	architecture, err := meta.String("general.architecture")
	if err != nil {
		return Config{}, err
	}
	if !slices.Contains(ggufArchitectures, architecture) {
		return Config{}, fmt.Errorf("%s: architecture %q: have %s", f.Path(), architecture, strings.Join(ggufArchitectures, ", "))
	}
	r := ggufKeys{path: f.Path(), meta: meta, prefix: architecture + "."}
	c := Config{
		Family:  architecture,
		Layers:  r.number("block_count"),
		Width:   r.number("embedding_length"),
		Context: r.number("context_length"),
		Epsilon: float32(r.float("attention.layer_norm_rms_epsilon", 0)),
		Heads:   engine.Heads{Query: r.number("attention.head_count")},
		QKNorm:  architecture == "qwen3" || architecture == "qwen3moe",
		QKVBias: architecture == "qwen2",
		Tied:    !f.Has("output.weight"),
	}
	c.Heads.KV = r.optional("attention.head_count_kv", c.Heads.Query)
	if c.Heads.Query > 0 {
		c.Heads.Size = r.optional("attention.key_length", c.Width/c.Heads.Query)
	}
	if c.Experts = r.optional("expert_count", 0); c.Experts > 0 {
		c.PerToken = r.number("expert_used_count")
		ggufMixture(&r, architecture, &c)
	} else {
		c.FF = r.number("feed_forward_length")
	}
	if r.err != nil {
		return c, r.err
	}
	if c.Rope, c.SlidingRope, err = r.ropes(f, c); err != nil {
		return c, fmt.Errorf("%s: %w", f.Path(), err)
	}
	c.Context = max(c.Context, c.Rope.context())
	if err := ggufBiases(f.Names(), c); err != nil {
		return c, fmt.Errorf("%s: %w", f.Path(), err)
	}
	table, err := f.Tensor("token_embd.weight")
	if err != nil {
		return c, err
	}
	c.Vocab = table.Rows()
	if c.Layers > 0 && c.Layers <= 1<<12 {
		c.Dense = ggufDense(f, c)
		c.Windows = make([]int, c.Layers)
		for i := range c.Windows {
			c.Windows[i] = r.optional("attention.sliding_window", 0)
		}
	}
	for _, key := range []string{"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id"} {
		if id, err := meta.Uint(key); err == nil && !slices.Contains(c.EOS, int32(id)) {
			c.EOS = append(c.EOS, int32(id))
		}
	}
	if r.err != nil {
		return c, r.err
	}
	if err := c.Check(); err != nil {
		return c, fmt.Errorf("%s: %w", f.Path(), err)
	}
	return c, nil
}

// ggufMixture completes the configuration of a mixture.
func ggufMixture(r *ggufKeys, architecture string, c *Config) {
	c.FF = r.optional("feed_forward_length", 0)
	switch architecture {
	case "qwen3moe":
		c.Family = "qwen3_moe"
		c.ExpertFF = r.number("expert_feed_forward_length")
		c.FF = max(c.FF, c.ExpertFF) // no layer has it
	default:
		c.Family = "mixtral"
		c.ExpertFF = c.FF
	}
}

// ggufDense says which layers of a mixture are dense: those without a router. The metadata
// do not say.
func ggufDense(f *weights.File, c Config) []bool {
	dense, some := make([]bool, c.Layers), false
	for i := range dense {
		dense[i] = c.Experts > 0 && !f.Has(nameOf(ggufNames, Router, i)) && f.Has(nameOf(ggufNames, Gate, i))
		some = some || dense[i]
	}
	if !some {
		return nil
	}
	return dense
}

// ggufBiases returns an error if a file has a bias that would not be read. The metadata do
// not say which biases a model has, so every bias in the file is part of the model.
func ggufBiases(names []string, c Config) error {
	for _, name := range names {
		_, kind, _ := strings.Cut(strings.TrimPrefix(name, "blk."), ".")
		known := c.QKVBias && slices.Contains([]string{"attn_q.bias", "attn_k.bias", "attn_v.bias"}, kind)
		if strings.HasSuffix(name, ".bias") && !known {
			return fmt.Errorf("tensor %q: a model of the family %s with this bias is not supported", name, c.Family)
		}
	}
	return nil
}

// ggufKeys reads keys of one architecture and keeps the first error.
type ggufKeys struct {
	path   string
	meta   weights.Metadata
	prefix string
	err    error
}

func (r *ggufKeys) number(key string) int {
	v, err := r.meta.Uint(r.prefix + key)
	if err == nil && v > 1<<30 {
		err = fmt.Errorf("%s: %s%s is %d", r.path, r.prefix, key, v)
	}
	if err != nil && r.err == nil {
		r.err = err
	}
	return int(v)
}

func (r *ggufKeys) optional(key string, otherwise int) int {
	if !r.meta.Has(r.prefix + key) {
		return otherwise
	}
	return r.number(key)
}

func (r *ggufKeys) float(key string, otherwise float64) float64 {
	v, err := r.meta.Float(r.prefix + key)
	if errors.Is(err, weights.ErrAbsent) && otherwise > 0 {
		return otherwise
	}
	if err != nil && r.err == nil {
		r.err = err
	}
	return v
}

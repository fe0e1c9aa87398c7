package models

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/weights"
)

// ggufConfig reads the configuration from a GGUF file's metadata.
func ggufConfig(f *weights.File) (Config, error) {
	meta := f.Metadata()
	architecture, err := meta.String("general.architecture")
	if err != nil {
		return Config{}, err
	}
	family, ok := byArchitecture(architecture)
	if !ok {
		return Config{}, fmt.Errorf("%s: %w", f.Path(), noArchitecture(architecture))
	}
	r := ggufKeys{path: f.Path(), meta: meta, prefix: architecture + "."}
	c := Config{
		Family:  family.Name,
		Layers:  r.number("block_count"),
		Width:   r.number("embedding_length"),
		Context: r.number("context_length"),
		Epsilon: float32(r.float("attention.layer_norm_rms_epsilon", 0)),
		Heads:   engine.Heads{Query: r.number("attention.head_count")},
		Tied:    !f.Has("output.weight"),
	}
	c.Heads.KV = r.optional("attention.head_count_kv", c.Heads.Query)
	if c.Heads.Query > 0 {
		c.Heads.Size = r.optional("attention.key_length", c.Width/c.Heads.Query)
	}
	if c.Experts = r.optional("expert_count", 0); c.Experts > 0 {
		c.PerToken = r.number("expert_used_count")
		c.FF = r.optional("feed_forward_length", 0) // of dense layers, which few mixtures have
		c.ExpertFF = r.optional("expert_feed_forward_length", c.FF)
		c.FF = max(c.FF, c.ExpertFF)
		if family.Name == "llama" {
			c.Family = "mixtral"
		}
	} else {
		c.FF = r.number("feed_forward_length")
	}
	if r.err != nil {
		return c, r.err
	}
	if err := r.refuse(c); err != nil {
		return c, fmt.Errorf("%s: %w", f.Path(), err)
	}
	if c.Rope, c.SlidingRope, err = r.ropes(f, c); err != nil {
		return c, fmt.Errorf("%s: %w", f.Path(), err)
	}
	c.Context = max(c.Context, c.Rope.context())
	if c.Layers > 0 && c.Layers <= 1<<12 {
		c.Windows = make([]int, c.Layers)
		for i := range c.Windows {
			c.Windows[i] = r.optional("attention.sliding_window", 0)
		}
	}
	c.Dense = ggufDense(f, c)
	if family.AdaptGGUF != nil {
		family.AdaptGGUF(&r, &c)
	}
	if err := ggufBiases(f.Names(), c); err != nil {
		return c, fmt.Errorf("%s: %w", f.Path(), err)
	}
	if err := ggufTensors(f.Names(), ggufSource{config: c}); err != nil {
		return c, fmt.Errorf("%s: %w", f.Path(), err)
	}
	table, err := f.Tensor("token_embd.weight")
	if err != nil {
		return c, err
	}
	c.Vocab = table.Rows()
	c.EOS = ggufEnds(meta)
	if r.err != nil {
		return c, r.err
	}
	if err := c.Check(); err != nil {
		return c, fmt.Errorf("%s: %w", f.Path(), err)
	}
	return c, nil
}

// ggufDense says which layers of a mixture are dense: those without a router. The metadata
// do not say.
func ggufDense(f *weights.File, c Config) []bool {
	dense, some := make([]bool, len(c.Windows)), false
	for i := range dense {
		dense[i] = c.Experts > 0 && !f.Has(nameOf(ggufNames, Router, i)) && f.Has(nameOf(ggufNames, Gate, i))
		some = some || dense[i]
	}
	if !some {
		return nil
	}
	return dense
}

// byArchitecture is the family of a GGUF file.
func byArchitecture(architecture string) (Family, bool) {
	for _, f := range families {
		if f.Architecture == architecture && architecture != "" {
			return f, true
		}
	}
	return Family{}, false
}

func architectures() []string {
	var list []string
	for _, f := range families {
		if f.Architecture != "" {
			list = append(list, f.Architecture)
		}
	}
	slices.Sort(list)
	return list
}

// ggufBiases returns an error if a file has a bias that would not be read. The metadata do
// not say which biases a model has, so every bias in the file is part of the model.
func ggufBiases(names []string, c Config) error {
	for _, name := range names {
		_, kind, _ := strings.Cut(strings.TrimPrefix(name, "blk."), ".")
		known := c.QKVBias && slices.Contains([]string{"attn_q.bias", "attn_k.bias", "attn_v.bias"}, kind) ||
			c.OutBias && kind == "attn_output.bias" || c.RouterBias && kind == "ffn_gate_inp.bias" ||
			c.ExpertsBias && slices.Contains([]string{"ffn_gate_exps.bias", "ffn_up_exps.bias", "ffn_down_exps.bias"}, kind)
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

// fail keeps an error, unless there is one.
func (r *ggufKeys) fail(err error) {
	if r.err == nil {
		r.err = fmt.Errorf("%s: %w", r.path, err)
	}
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

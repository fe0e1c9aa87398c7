package models

import (
	"errors"
	"fmt"
)

// Qwen3.5: three of four layers have linear attention, a gated delta net, the others full attention whose output passes a
// gate; the rows of q_proj have each head's queries and then its gates. Norms are stored less 1 but that of linear attention.
// A file has the language model under text_config, beside a vision model, which is not read; three positions turn a part of
// each head, which are one and the same for text. The layers for guessing several tokens at once are not read either.
func init() {
	linear := []string{"linear_attention"}
	Register(Family{Name: "qwen3_5_text", Defaults: qwenLinearDefaults, Adapt: qwenLinear,
		Kinds: linear, PartialRope: true})
	Register(Family{Name: "qwen3_5", Defaults: qwenLinearDefaults, Nested: true, Adapt: qwenLinear, Kinds: linear, PartialRope: true})
}

// RawLinear are the fields of config.json about layers with linear attention.
type RawLinear struct {
	FullInterval int   `json:"full_attention_interval"`
	Kernel       int   `json:"linear_conv_kernel_dim"`
	KeySize      int   `json:"linear_key_head_dim"`
	ValueSize    int   `json:"linear_value_head_dim"`
	KeyHeads     int   `json:"linear_num_key_heads"`
	ValueHeads   int   `json:"linear_num_value_heads"`
	OutputGate   *bool `json:"attn_output_gate"`
}

// qwenLinearDefaults is what config.json may lack.
func qwenLinearDefaults() RawConfig {
	return RawConfig{KVHeads: new(4), HeadSize: new(256), Partial: new(0.25), RawLinear: RawLinear{FullInterval: 4, Kernel: 4, KeySize: 128, ValueSize: 128, KeyHeads: 16, ValueHeads: 32}}
}

func qwenLinear(raw RawConfig, c *Config) error {
	if raw.AttentionBias {
		return errors.New("attention_bias true is not supported beside a gate of attention's output")
	}
	if raw.OutputGate != nil && !*raw.OutputGate {
		return errors.New("attn_output_gate false is not supported")
	}
	if raw.Activation != "" && raw.Activation != "silu" { // linear attention has it too
		return fmt.Errorf("hidden_act %q: the family has silu", raw.Activation)
	}
	if raw.FullInterval < 1 {
		return fmt.Errorf("full_attention_interval is %d", raw.FullInterval)
	}
	linear, err := raw.layersOf("linear_attention", c.Layers, everyButNth(raw.FullInterval))
	if err != nil {
		return err
	}
	c.Linear = Linear{Layers: linear, KeyHeads: raw.RawLinear.KeyHeads, ValueHeads: raw.ValueHeads,
		KeySize: raw.KeySize, ValueSize: raw.ValueSize, Kernel: raw.Kernel}
	if c.Linear.Count() == 0 {
		c.Linear = Linear{}
	}
	c.QKNorm, c.UnitNorms, c.OutGate = true, true, true
	return nil
}

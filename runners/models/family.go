package models

import (
	"maps"
	"slices"

	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/weights"
)

// Family is a series of models with the same architecture.
type Family struct {
	Name string
	// Adapt completes the configuration from the fields of config.json that are
	// specific to this family.
	Adapt func(raw RawConfig, c *Config) error
	// Defaults, unless it is nil, has what config.json may lack.
	Defaults func() RawConfig
	// Nested: the fields are under text_config, beside those of what is not a language model.
	Nested bool
	// Kinds are those of layer_types besides full_attention.
	Kinds []string
	// PartialRope: partial_rotary_factor counts. TwoRopes: layers with a sliding window have a rotation of their own.
	PartialRope, TwoRopes bool
	// Tensors are the names in safetensors that differ from the other families'; Experts, unless
	// it is nil, are those of experts' tensors, instead of hubExperts.
	Tensors, Experts map[Role]string
	// Expert, unless it is nil, returns a tensor of an expert where the safetensors have those of
	// all experts in one. stacks is what the layer's tensors of experts begin with.
	Expert func(f *weights.File, stacks string, c Config, role Role, expert, rows, cols int) (engine.Stored, error)

	// Fused are roles whose rows are one tensor, in this order: the names of each are the same.
	Fused [][]Role

	// Architecture is the family's name in GGUF files, empty where it has none.
	Architecture string
	// GGUFTensors are the names in GGUF files that differ from the other families'.
	GGUFTensors map[Role]string
	// AdaptGGUF completes the configuration from a GGUF file's metadata.
	AdaptGGUF func(r *ggufKeys, c *Config)
}

// defaults is what transformers' class of the family takes for keys that config.json lacks. A key that is null is not missing.
func (f Family) defaults() RawConfig {
	var raw RawConfig
	if f.Defaults != nil {
		raw = f.Defaults()
	}
	if raw.Epsilon == nil {
		raw.Epsilon = new(1e-6)
	}
	if raw.RopeTheta == nil {
		raw.RopeTheta = new(10000.0)
	}
	return raw
}

var families = map[string]Family{}

// Register adds a family under its model_type. It is called from init.
func Register(f Family) { families[f.Name] = f }

// Names lists the registered families, sorted.
func Names() []string {
	return slices.Sorted(maps.Keys(families))
}

func findFamily(name string) (Family, error) {
	f, ok := families[name]
	if !ok {
		return f, noFamily(name)
	}
	return f, nil
}

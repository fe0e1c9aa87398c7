package models

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// refused names what config.json asks for and the family does not compute. (transformers' class may pass over it; what the
// model was made for is then not known.)
func (raw RawConfig) refused(f Family) error {
	if raw.Bidirectional != nil && *raw.Bidirectional {
		return errors.New("use_bidirectional_attention true: an encoder is not supported")
	}
	if raw.Causal != nil && !*raw.Causal {
		return errors.New("is_causal false: an encoder is not supported")
	}
	kinds := append([]string{"full_attention"}, f.Kinds...)
	for i, is := range raw.LayerTypes {
		if !slices.Contains(kinds, is) {
			return fmt.Errorf("layer_types: layer %d is %q: the family %s has %s", i, is, f.Name, strings.Join(kinds, ", "))
		}
	}
	if n := len(raw.LayerTypes); n > 0 && n != raw.Layers {
		return fmt.Errorf("layer_types has %d entries for %d layers", n, raw.Layers)
	}
	if raw.RopeLocalTheta != nil && !f.TwoRopes {
		return fmt.Errorf("rope_local_base_freq is %v: the family %s has one rotation in all layers", *raw.RopeLocalTheta, f.Name)
	}
	if raw.Original != nil && f.TwoRopes {
		return fmt.Errorf("original_max_position_embeddings is %v: the family %s has it in rope_scaling", *raw.Original, f.Name)
	}
	return raw.refusedRopes(f)
}

func (raw RawConfig) refusedRopes(f Family) error {
	parts := []*float64{raw.Partial}
	for _, s := range []*RawRope{raw.RopeScaling, raw.RopeParameters} {
		if s == nil {
			continue
		}
		nested := s.Full != nil || s.Sliding != nil
		if nested && !f.TwoRopes {
			return fmt.Errorf("rope_parameters by kind of layer: the family %s has one rotation in all layers", f.Name)
		}
		if nested && raw.RopeScaling != nil && !raw.RopeScaling.empty() {
			return errors.New("rope_scaling beside rope_parameters by kind of layer: have one of them")
		}
		if f.TwoRopes && s.OlderType != "" && s.Type == "" && s.OlderType != "default" {
			return fmt.Errorf("rope_scaling: type is %q: files of the family %s have rope_type", s.OlderType, f.Name)
		}
		if s == raw.RopeParameters && f.TwoRopes && !nested && !s.empty() {
			return errors.New("rope_parameters: want full_attention and sliding_attention, each with its own")
		}
		for _, part := range []*RawRope{s, s.Full, s.Sliding} {
			if f.TwoRopes && part != nil && part.Truncate.off {
				return fmt.Errorf("rope scaling: truncate false: transformers does not obey it in the family %s", f.Name)
			}
		}
		parts = append(parts, s.Partial)
	}
	for _, part := range parts {
		if part != nil && *part != 1 && !f.PartialRope {
			return fmt.Errorf("partial_rotary_factor is %v: the family %s turns whole heads", *part, f.Name)
		}
	}
	return nil
}

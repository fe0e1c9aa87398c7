package models

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
)

// RawRope is the rotation's part of config.json, in either form. The newer one may have
// a part for each kind of layer.
type RawRope struct {
	Theta           *float64  `json:"rope_theta"`
	Type            string    `json:"rope_type"`
	OlderType       string    `json:"type"`
	Factor          *float64  `json:"factor"`
	LowFactor       float64   `json:"low_freq_factor"`
	HighFactor      float64   `json:"high_freq_factor"`
	Original        *float64  `json:"original_max_position_embeddings"`
	BetaFast        *float64  `json:"beta_fast"`
	BetaSlow        *float64  `json:"beta_slow"`
	Truncate        truncate  `json:"truncate"`
	AttentionFactor *float64  `json:"attention_factor"`
	MScale          float64   `json:"mscale"`
	MScaleAll       float64   `json:"mscale_all_dim"`
	Short           []float32 `json:"short_factor"`
	Long            []float32 `json:"long_factor"`
	Partial         *float64  `json:"partial_rotary_factor"`

	Full    *RawRope `json:"full_attention"`
	Sliding *RawRope `json:"sliding_attention"`
}

// truncate is a flag that is set where it is missing, and not where it is null, as transformers has it.
type truncate struct{ off bool }

func (t *truncate) UnmarshalJSON(data []byte) error {
	var on *bool
	err := json.Unmarshal(data, &on)
	t.off = on == nil || !*on
	return err
}

// empty says that nothing is set: such a part of config.json counts as missing.
func (s *RawRope) empty() bool { return reflect.ValueOf(*s).IsZero() }

// ropes returns the rotation of all layers' heads of d numbers and, where it differs, that of
// the layers with a sliding window: in the older form rope_local_base_freq, which is never
// scaled, in the newer one the part of rope_parameters for these layers.
func (raw RawConfig) ropes(d int) (all Rope, sliding *Rope, err error) {
	s := raw.RopeScaling // where both are there it counts
	if s == nil || s.empty() {
		s = raw.RopeParameters
	}
	if s == nil {
		s = raw.DefaultRope
	}
	if s == nil {
		s = &RawRope{}
	}
	if raw.RopeTheta == nil {
		return all, nil, errors.New("rope_theta is null")
	}
	theta := *raw.RopeTheta
	if s.Full != nil || s.Sliding != nil {
		if s.Full == nil || s.Sliding == nil {
			return all, nil, errors.New("rope_parameters by kind of layer: want both full_attention and sliding_attention")
		}
		one, err := raw.rope(*s.Sliding, theta, d)
		if err != nil {
			return all, nil, fmt.Errorf("sliding_attention: %w", err)
		}
		sliding, s = &one, s.Full
	} else if raw.RopeLocalTheta != nil {
		one, err := raw.rope(RawRope{Partial: s.Partial}, *raw.RopeLocalTheta, d)
		if err != nil {
			return all, nil, fmt.Errorf("rope_local_base_freq: %w", err)
		}
		sliding = &one
	}
	all, err = raw.rope(*s, theta, d)
	return all, sliding, err
}

// rope is the rotation that s describes. What it leaves out is as in transformers.
func (raw RawConfig) rope(s RawRope, theta float64, d int) (Rope, error) {
	or := func(values ...*float64) float64 {
		for _, v := range values {
			if v != nil {
				return *v
			}
		}
		return 0
	}
	context := float64(raw.Context)
	original := or(raw.Original, s.Original, &context) // the one at the top prevails
	r := Rope{Theta: or(s.Theta, &theta), Type: s.Type, Low: s.LowFactor, High: s.HighFactor}
	if r.Type == "" {
		r.Type = s.OlderType
	}
	if raw.OnlyLongrope && r.Type == "yarn" {
		r.Type = "longrope"
	}
	if raw.OnlyLongrope && !slices.Contains([]string{"", "default", "longrope", "su"}, r.Type) {
		return r, fmt.Errorf("rope scaling %q: the family has default, longrope", r.Type)
	}
	if part := or(s.Partial, raw.Partial); part != 0 && part != 1 {
		if !(part > 0 && part < 1) {
			return r, fmt.Errorf("partial_rotary_factor is %v", part)
		}
		if r.Channels = int(float64(d) * part); r.Channels < 2 {
			return r, fmt.Errorf("partial_rotary_factor %v of heads of %d leaves no pair to turn", part, d)
		}
	}
	if s.AttentionFactor != nil {
		if r.Amplitude = *s.AttentionFactor; !(r.Amplitude > 0) {
			return r, fmt.Errorf("rope scaling %s: attention_factor is %v", r.Type, r.Amplitude)
		}
	}
	switch r.Type {
	case "", "default":
		r.Type, r.Amplitude = "default", 0
	case "linear":
		r.Factor, r.Amplitude = or(s.Factor), 0
	case "llama3":
		r.Factor, r.Original, r.Amplitude = or(s.Factor), original, 0
	case "yarn":
		fast, slow := 32.0, 1.0
		r.Original = original
		inferred := context / r.Original
		r.Factor = or(s.Factor, &inferred)
		r.BetaFast, r.BetaSlow = or(s.BetaFast, &fast), or(s.BetaSlow, &slow)
		r.Truncate = !s.Truncate.off
		r.MScale, r.MScaleAll = s.MScale, s.MScaleAll
	case "longrope", "su": // Phi-3's first files say su
		r.Type = "longrope"
		r.Original = original
		inferred := context / r.Original
		r.Factor = or(s.Factor, &inferred)
		r.Short, r.Long = s.Short, s.Long
	}
	return r, r.check(d)
}

package models

import (
	"errors"
	"fmt"
	"math"
)

// Rope is the rotation of queries and keys by their positions.
type Rope struct {
	Theta  float64
	Type   string // "default", "linear", "llama3"
	Factor float64
	// For "llama3": the wavelengths that are stretched, see Frequencies.
	Low, High, OriginalMax float64
	// Divisors, unless it is nil, has a divisor for each frequency. (GGUF files of
	// Llama 3.1 store llama3's scaling in this form.)
	Divisors []float32
}

// ropes returns the rotation of all layers and, where it differs, that of the layers
// with a sliding window: in the older form rope_local_base_freq, which is never scaled,
// in the newer one the part of rope_parameters for these layers.
func (raw RawConfig) ropes() (all Rope, sliding *Rope, err error) {
	s := raw.RopeParameters
	if s == nil {
		s = raw.RopeScaling
	}
	theta := 10000.0
	if raw.RopeTheta != nil {
		theta = *raw.RopeTheta
	}
	if s != nil && (s.Full != nil || s.Sliding != nil) {
		if s.Full == nil || s.Sliding == nil {
			return all, nil, errors.New("rope_parameters by kind of layer: want both full_attention and sliding_attention")
		}
		one, err := s.Sliding.rope(theta)
		if err != nil {
			return all, nil, fmt.Errorf("sliding_attention: %w", err)
		}
		sliding, s = &one, s.Full
	} else if raw.RopeLocalTheta != nil {
		one, err := (*RawRope)(nil).rope(*raw.RopeLocalTheta)
		if err != nil {
			return all, nil, fmt.Errorf("rope_local_base_freq: %w", err)
		}
		sliding = &one
	}
	all, err = s.rope(theta)
	return all, sliding, err
}

// rope is the rotation that s describes, nil for nothing but a base.
func (s *RawRope) rope(theta float64) (Rope, error) {
	r := Rope{Theta: theta, Type: "default"}
	if s != nil {
		if s.Theta != nil {
			r.Theta = *s.Theta
		}
		r.Type, r.Factor = s.Type, s.Factor
		if r.Type == "" {
			r.Type = s.OlderType
		}
		if r.Type == "" {
			r.Type = "default"
		}
		r.Low, r.High, r.OriginalMax = s.LowFactor, s.HighFactor, s.OriginalMax
	}
	return r, r.check()
}

func (r Rope) check() error {
	if !(r.Theta > 1) || math.IsInf(r.Theta, 0) {
		return fmt.Errorf("rope_theta is %v", r.Theta)
	}
	switch r.Type {
	case "default":
	case "linear":
		if !(r.Factor >= 1) {
			return fmt.Errorf("rope scaling linear: factor is %v", r.Factor)
		}
	case "llama3":
		if !(r.Factor >= 1 && r.Low > 0 && r.High > r.Low && r.OriginalMax > 0) {
			return errors.New("rope scaling llama3 needs factor, low_freq_factor, high_freq_factor and original_max_position_embeddings")
		}
	default:
		return fmt.Errorf("rope scaling %q: have default, linear, llama3", r.Type)
	}
	return nil
}

// Frequencies returns θ^(-2i/d) for i < d/2, scaled. The type linear divides all by
// the factor. The type llama3 (Llama 3.1) divides those with a wavelength above
// originalMax/low, keeps those below originalMax/high, and interpolates between.
func (r Rope) Frequencies(d int) []float32 {
	f := make([]float32, d/2)
	for i := range f {
		// Round to float32 at the same steps as torch, so that large angles agree.
		power := float32(2*i) / float32(d)
		v := 1 / float32(math.Pow(r.Theta, float64(power)))
		switch r.Type {
		case "linear":
			v /= float32(r.Factor)
		case "llama3":
			v = r.llama3(v)
		}
		if r.Divisors != nil {
			v /= r.Divisors[i]
		}
		f[i] = v
	}
	return f
}

func (r Rope) llama3(f float32) float32 {
	wavelength := 2 * math.Pi / float64(f)
	switch {
	case wavelength < r.OriginalMax/r.High:
		return f
	case wavelength > r.OriginalMax/r.Low:
		return f / float32(r.Factor)
	}
	smooth := (r.OriginalMax/wavelength - r.Low) / (r.High - r.Low)
	return float32((1-smooth)*float64(f)/r.Factor + smooth*float64(f))
}

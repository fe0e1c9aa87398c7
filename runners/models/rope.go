package models

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/snapbench/snapbench/runners/engine"
)

// Rope is the rotation of queries and keys by their positions.
type Rope struct {
	Theta    float64
	Channels int    // of a head that are turned, its first ones; 0: all
	Type     string // of scaling: one of ropeTypes
	Factor   float64
	// Original is the context before it was scaled, in positions: for "llama3", "yarn" and
	// "longrope".
	Original float64
	// Amplitude multiplies cosines and sines; 0: what the type's formula gives.
	Amplitude float64

	// For "llama3": the wavelengths that are stretched, see llama3.
	Low, High float64
	// For "yarn": the turns over the original context above which a pair keeps its
	// frequency, and below which it is slowed down by the factor. Where Truncate is set, the
	// pairs at which that happens are rounded to whole ones.
	BetaFast, BetaSlow float64
	Truncate           bool
	// For "yarn" without Amplitude: DeepSeek's two scales of the amplitude, 0: none.
	MScale, MScaleAll float64
	// For "longrope": a divisor for each frequency, of prompts up to Original and of longer ones.
	Short, Long []float32
	// Divisors, unless it is nil, has a divisor for each frequency. (GGUF files of
	// Llama 3.1 store llama3's scaling in this form.)
	Divisors []float32
}

var ropeTypes = []string{"default", "linear", "llama3", "longrope", "yarn"}

// check returns an error for a rotation of heads of d numbers that cannot be computed.
func (r Rope) check(d int) error {
	if !(r.Theta > 1) || math.IsInf(r.Theta, 0) {
		return fmt.Errorf("rope_theta is %v", r.Theta)
	}
	if r.Channels < 0 || r.Channels > d || r.Channels%2 != 0 {
		return fmt.Errorf("the rotation turns %d channels of heads of %d: want an even number of them", r.Channels, d)
	}
	if !(r.Amplitude >= 0) || math.IsInf(r.Amplitude, 0) {
		return fmt.Errorf("rope scaling %s: attention_factor is %v", r.Type, r.Amplitude)
	}
	pairs := r.channels(d) / 2
	if r.Divisors != nil && len(r.Divisors) != pairs {
		return fmt.Errorf("rope scaling %s: %d divisors for %d frequencies", r.Type, len(r.Divisors), pairs)
	}
	switch r.Type {
	case "default":
	case "linear":
		if !(r.Factor >= 1) {
			return fmt.Errorf("rope scaling linear: factor is %v", r.Factor)
		}
	case "llama3":
		if !(r.Factor >= 1 && r.Low > 0 && r.High > r.Low && r.Original > 0) {
			return errors.New("rope scaling llama3 needs factor, low_freq_factor, high_freq_factor and original_max_position_embeddings")
		}
	case "yarn":
		switch {
		case !(r.Factor >= 1):
			return fmt.Errorf("rope scaling yarn: factor is %v", r.Factor)
		case !(r.Original >= 1):
			return fmt.Errorf("rope scaling yarn: original_max_position_embeddings is %v", r.Original)
		case !(r.BetaSlow > 0 && r.BetaFast >= r.BetaSlow):
			return fmt.Errorf("rope scaling yarn: beta_fast is %v and beta_slow %v", r.BetaFast, r.BetaSlow)
		case !(r.MScale >= 0 && r.MScaleAll >= 0):
			return fmt.Errorf("rope scaling yarn: mscale is %v and mscale_all_dim %v", r.MScale, r.MScaleAll)
		}
	case "longrope":
		if !(r.Original > 1) {
			return fmt.Errorf("rope scaling longrope: original_max_position_embeddings is %v", r.Original)
		}
		if err := checkDivisors("short_factor", r.Short, pairs); err != nil {
			return err
		}
		return checkDivisors("long_factor", r.Long, pairs)
	default:
		return fmt.Errorf("rope scaling %q: have %s", r.Type, strings.Join(ropeTypes, ", "))
	}
	return nil
}

func checkDivisors(name string, list []float32, pairs int) error {
	if len(list) != pairs {
		return fmt.Errorf("rope scaling longrope: %s has %d numbers, heads have %d pairs that turn", name, len(list), pairs)
	}
	for i, f := range list {
		if !(f > 0) || math.IsInf(float64(f), 0) {
			return fmt.Errorf("rope scaling longrope: %s[%d] is %v", name, i, f)
		}
	}
	return nil
}

// channels is how many of a head's d numbers are turned.
func (r Rope) channels(d int) int {
	if r.Channels > 0 {
		return r.Channels
	}
	return d
}

// context is the number of positions that the scaling was made for, 0 where it does not say.
func (r Rope) context() int {
	if r.Type != "yarn" {
		return 0
	}
	return int(min(r.Factor*r.Original, 1<<31))
}

// changes returns the position from which tokens that are read one by one are turned by
// other frequencies, 0 for a rotation without such a position.
func (r Rope) changes() int {
	if r.Type != "longrope" || slices.Equal(r.Short, r.Long) {
		return 0
	}
	return int(min(r.Original, 1<<31))
}

// Crosses says whether, behind a prompt of n tokens, tokens that are read one by one at positions
// below end reach one from which they are turned by other frequencies than the prompt was
// (longrope), and which that is.
func (c Config) Crosses(n, end int) (from int, yes bool) {
	from = c.Rope.changes()
	return from, from > 0 && n <= from && end > from
}

// For is the rotation of a whole prompt of n tokens: longrope has a list of divisors for
// prompts that fit the original context, and one for all positions of longer ones. Unlike the
// rotation itself, it is the same at all positions.
func (r Rope) For(n int) Rope {
	if r.Type == "longrope" {
		if n > r.changes() {
			r.Short = r.Long
		} else {
			r.Long = r.Short
		}
	}
	return r
}

// Rotation is what devices turn heads of d numbers by. Where tokens are read one by one, as
// transformers does behind a prompt, longrope changes from one list to the other at the
// original context's end.
func (r Rope) Rotation(d int) engine.Rotation {
	e := engine.Rotation{Frequencies: r.Frequencies(d), Scale: float32(r.amplitude())}
	if from := r.changes(); from > 0 {
		long := r
		long.Short = r.Long
		e.Later, e.From = long.Frequencies(d), from
	}
	return e
}

// Frequencies returns the frequencies of the pairs of heads of d numbers, θ^(-2i/r) scaled,
// where r channels are turned. Numbers are rounded to float32 where torch rounds them, so that
// large angles agree. Those of longrope are of the first positions: see [Rope.For].
func (r Rope) Frequencies(d int) []float32 {
	d = r.channels(d)
	f := make([]float32, d/2)
	var yarn func(int, float32) float32
	if r.Type == "yarn" {
		yarn = r.yarn(d)
	}
	for i := range f {
		power := float32(math.Pow(r.Theta, float64(float32(2*i)/float32(d))))
		v := 1 / power
		switch r.Type {
		case "linear":
			v /= float32(r.Factor)
		case "llama3":
			v = r.llama3(v)
		case "yarn":
			v = yarn(i, power)
		case "longrope":
			v = 1 / float32(r.Short[i]*power)
		}
		if r.Divisors != nil {
			v /= r.Divisors[i]
		}
		f[i] = v
	}
	return f
}

// llama3 (Llama 3.1) divides the frequencies with a wavelength above original/low, keeps those
// below original/high, and interpolates between.
func (r Rope) llama3(f float32) float32 {
	wavelength := 2 * math.Pi / float64(f)
	switch {
	case wavelength < r.Original/r.High:
		return f
	case wavelength > r.Original/r.Low:
		return f / float32(r.Factor)
	}
	smooth := (r.Original/wavelength - r.Low) / (r.High - r.Low)
	return float32((1-smooth)*float64(f)/r.Factor + smooth*float64(f))
}

// yarn (arXiv 2309.00071, section 3.2) keeps the frequency of pairs that turn often within the
// original context, divides that of pairs that turn seldom by the factor, and interpolates
// between. The result takes a pair and the inverse of its frequency.
func (r Rope) yarn(d int) func(pair int, power float32) float32 {
	// The pair that turns so many times within the original context.
	pair := func(turns float64) float64 {
		return float64(d) * math.Log(r.Original/(turns*2*math.Pi)) / (2 * math.Log(r.Theta))
	}
	low, high := pair(r.BetaFast), pair(r.BetaSlow)
	if r.Truncate {
		low, high = math.Floor(low), math.Ceil(high)
	}
	low, high = max(low, 0), min(high, float64(d-1))
	if low == high {
		high += 0.001
	}
	return func(i int, power float32) float32 {
		share := min(max(float32(float32(i)-float32(low))/float32(high-low), 0), 1)
		kept := 1 - share
		// Conversions keep compilers from fusing a product with the sum.
		return float32(1/float32(float32(r.Factor)*power)*(1-kept)) + float32(1/power*kept)
	}
}

// amplitude is what cosines and sines are multiplied by.
func (r Rope) amplitude() float64 {
	ramp := func(scale float64) float64 { // YaRN, section 3.4
		if r.Factor <= 1 {
			return 1
		}
		return 0.1*scale*math.Log(r.Factor) + 1
	}
	switch {
	case r.Amplitude > 0:
		return r.Amplitude
	case r.Type == "yarn" && r.MScale > 0 && r.MScaleAll > 0:
		return ramp(r.MScale) / ramp(r.MScaleAll)
	case r.Type == "yarn":
		return ramp(1)
	case r.Type == "longrope" && r.Factor > 1: // LongRoPE, arXiv 2402.13753
		return math.Sqrt(1 + math.Log(r.Factor)/math.Log(r.Original))
	}
	return 1
}

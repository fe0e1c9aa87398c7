package gate

import (
	"fmt"
	"maps"
)

// Flags are limits as a command line gives them; what is empty or nil was not given.
type Flags struct {
	MaxDrop, MaxPeak, About            string
	Across                             []string
	MaxSlowdown, MaxKLRise, Confidence *float64
}

// Over puts the flags over the limits of a file, or over none. Its errors name flags.
func (f Flags) Over(l Limits) (Limits, error) {
	l.fromFile = maps.Clone(l.fromFile)
	given := func(key string) { delete(l.fromFile, key) }
	if f.MaxDrop != "" {
		limit, err := ParseLimit(f.MaxDrop)
		if err != nil {
			return l, fmt.Errorf("--max-drop: %w", err)
		}
		l.MaxDrop = &limit
	}
	if f.MaxPeak != "" {
		size, err := ParseSize(f.MaxPeak)
		if err != nil {
			return l, fmt.Errorf("--max-peak: %w", err)
		}
		l.MaxPeak = &size
		given("max_peak")
	}
	if f.About != "" {
		about, err := ParseAbout(f.About)
		if err != nil {
			return l, fmt.Errorf("--about: %w", err)
		}
		l.About = about
	}
	if len(f.Across) > 0 {
		across, err := ParseAcross(f.Across...)
		if err != nil {
			return l, fmt.Errorf("--%w", err)
		}
		l.Across = across
		given("across")
	}
	if f.MaxSlowdown != nil {
		l.MaxSlowdown = f.MaxSlowdown
		given("max_slowdown")
	}
	if f.MaxKLRise != nil {
		l.MaxKLRise = f.MaxKLRise
		given("max_kl_rise")
	}
	if f.Confidence != nil {
		if *f.Confidence == 0 { // Limits would take it for the default
			return l, fmt.Errorf("--confidence 0: want 0.5 to 0.9999, such as 0.95")
		}
		l.Confidence = *f.Confidence
		given("confidence")
	}
	return l, l.Check()
}

package gate

import (
	"fmt"

	"github.com/snapbench/snapbench/inputs/lookup"
)

// About is the question that a gate answers.
//
// AboutSet asks about these samples: did the change cost more than the limit on them? The drop is then no estimate of
// anything, so it is held to the limit as it is, and where no answer changed the verdict is a pass whatever the number of
// samples. AboutPopulation asks about all the prompts that these are a sample of. The drop is an estimate then, and passes
// or fails only where an exact bound, or the bootstrap's, is on one side of the limit.
type About int

// The zero value is the question of a CI job.
const (
	AboutSet About = iota
	AboutPopulation
)

var abouts = [...]string{"set", "population"}

func (a About) String() string { return abouts[a] }

// MarshalText makes the question a word in JSON.
func (a About) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// ParseAbout reads "set" or "population".
func ParseAbout(s string) (About, error) {
	for i, name := range abouts {
		if s == name {
			return About(i), nil
		}
	}
	return 0, fmt.Errorf("%q is no question: %shave set (these samples) and population (all prompts of their kind)", s, lookup.Offer(s, abouts[:]))
}

// UnmarshalYAML reads the word.
func (a *About) UnmarshalYAML(b []byte) error {
	s, err := scalar(b)
	if err != nil {
		return err
	}
	if *a, err = ParseAbout(s); err != nil {
		return fmt.Errorf("about: %w", err)
	}
	return nil
}

// words name the question in a verdict.
func (a About) words() string {
	if a == AboutSet {
		return "about these samples"
	}
	return "about all prompts of their kind"
}

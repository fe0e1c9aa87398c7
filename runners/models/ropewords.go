package models

import (
	"fmt"
	"strings"
)

// Rotation says how the model turns queries and keys.
func (c Config) Rotation() string {
	text := c.Rope.describe(c.Heads.Size)
	if c.SlidingRope != nil {
		text += "; layers with a sliding window: " + c.SlidingRope.describe(c.Heads.Size)
	}
	return text
}

// describe is a rotation of heads of d numbers in words.
func (r Rope) describe(d int) string {
	words := []string{fmt.Sprintf("theta %g", r.Theta), "scaling " + r.Type}
	if r.Factor > 0 && r.Type != "longrope" {
		words = append(words, fmt.Sprintf("factor %g", r.Factor))
	}
	if r.Original > 0 {
		words = append(words, fmt.Sprintf("original context %.0f", r.Original))
	}
	if a := r.amplitude(); a != 1 {
		words = append(words, fmt.Sprintf("amplitude %.4f", a))
	}
	if from := r.changes(); from > 0 {
		words = append(words, fmt.Sprintf("other frequencies for prompts above %d tokens and for tokens decoded from there on", from))
	}
	if n := r.channels(d); n < d {
		words = append(words, fmt.Sprintf("%d of %d channels", n, d))
	}
	return strings.Join(words, ", ")
}

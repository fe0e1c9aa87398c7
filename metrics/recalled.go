package metrics

import (
	"fmt"

	"github.com/snapbench/snapbench/metrics/internal/pystr"
)

func init() {
	Register(Scorer{
		Name: "recalled", Version: 1,
		About: "share of the value's characters that are right before the first wrong one",
		Definition: "How many of the answer's characters are right before the first wrong one, as a share of its length. " +
			"One answer has to be at the start of the prediction, white space aside; of several each counts at its " +
			"best place, and the score is their mean.",
		Example: Example{"1234999", Reference{Answers: []string{"1234567"}}, 4.0 / 7},
		Score:   scoreRecalled,
	})
}

// scoreRecalled measures how much of a value survived the compressed cache; the
// metric exact is all or nothing. The prompt begins the answer for the model, so
// a single value must be at the start of the prediction, after any white space.
// Several values may come in any order: each is matched at its best place, and the
// score is their mean.
func scoreRecalled(prediction string, ref Reference) (float64, error) {
	if len(ref.Answers) == 0 {
		return 0, ErrNoAnswers
	}
	text := []rune(pystr.LeftStrip(prediction))
	sum := 0.0
	for _, answer := range ref.Answers {
		value := []rune(answer)
		if len(value) == 0 {
			return 0, fmt.Errorf("metrics: an empty value among the answers %q can't be recalled", ref.Answers)
		}
		var right int
		if len(ref.Answers) == 1 {
			right = commonPrefix(text, value)
		} else {
			right = longestPrefixWithin(text, value)
		}
		sum += float64(right) / float64(len(value))
	}
	return sum / float64(len(ref.Answers)), nil
}

// commonPrefix counts the characters that a and b have in common at the start.
func commonPrefix(a, b []rune) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// longestPrefixWithin is the length of the longest prefix of value that occurs
// anywhere in text: the furthest state that the automaton of Knuth, Morris and
// Pratt for value reaches over text.
func longestPrefixWithin(text, value []rune) int {
	border := make([]int, len(value)) // longest proper border of value[:i+1]
	for i, n := 1, 0; i < len(value); i++ {
		for n > 0 && value[i] != value[n] {
			n = border[n-1]
		}
		if value[i] == value[n] {
			n++
		}
		border[i] = n
	}
	best, n := 0, 0
	for _, r := range text {
		for n > 0 && value[n] != r {
			n = border[n-1]
		}
		if value[n] == r {
			n++
		}
		if n == len(value) {
			return n
		}
		best = max(best, n)
	}
	return best
}

package metrics

import (
	"strings"

	"github.com/snapbench/snapbench/metrics/internal/pystr"
)

// RULER's two string matches, after RULER's own post-processing of the
// prediction. A RULER score is [Points] over the samples.
func init() {
	Register(Scorer{
		Name: "ruler_all", Version: 1,
		About: "share of the answers that the prediction contains, letter case aside (RULER, all tasks but qa)",
		Definition: "The share of the answers that occur in the prediction, letter case aside, also inside of words. " +
			"White space around it and control characters in it do not count.",
		Example: Example{"12 and 15", Reference{Answers: []string{"12", "34"}}, 0.5},
		Score: func(prediction string, ref Reference) (float64, error) {
			if len(ref.Answers) == 0 {
				return 0, ErrNoAnswers
			}
			return float64(rulerFound(prediction, ref.Answers)) / float64(len(ref.Answers)), nil
		},
	})
	Register(Scorer{
		Name: "ruler_part", Version: 1,
		About:      "1 if the prediction contains any of the answers, letter case aside (RULER, qa)",
		Definition: "1 if any of the answers occurs in the prediction, as ruler_all finds them, else 0.",
		Example:    Example{"12 and 15", Reference{Answers: []string{"12", "34"}}, 1},
		Score: func(prediction string, ref Reference) (float64, error) {
			if len(ref.Answers) == 0 {
				return 0, ErrNoAnswers
			}
			if rulerFound(prediction, ref.Answers) > 0 {
				return 1, nil
			}
			return 0, nil
		},
	})
}

// rulerFound counts the answers that occur in the prediction, also inside of
// words. Lower case is Python's, where Σ depends on its place in the word.
func rulerFound(prediction string, answers []string) int {
	text := pystr.Lower(rulerText(prediction))
	found := 0
	for _, answer := range answers {
		if strings.Contains(text, pystr.Lower(answer)) {
			found++
		}
	}
	return found
}

// rulerText is RULER's post-processing: strip white space, turn control
// characters into newlines, and strip white space again.
func rulerText(prediction string) string {
	return pystr.Strip(strings.Map(func(r rune) rune {
		if r < 0x20 {
			return '\n'
		}
		return r
	}, pystr.Strip(prediction)))
}

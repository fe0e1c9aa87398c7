package metrics

import (
	"strings"

	"github.com/snapbench/snapbench/metrics/internal/pystr"
)

// RULER's two string matches, after RULER's own post-processing of the prediction, and after that
// of NVIDIA/kvpress. A RULER score is [Points] over the samples.
func init() {
	for _, port := range []struct {
		suffix, by, controls string
		control              rune // in place of a control character; negative: nothing
	}{
		{"", "RULER", "White space around it and control characters in it do not count.", '\n'},
		{"_kvpress", "RULER as kvpress grades", "White space around it does not count; control characters, such as newlines, are deleted from it, but not from the answers.", -1},
	} {
		Register(Scorer{
			Name: "ruler_all" + port.suffix, Version: 1,
			About: "share of the answers that the prediction contains, letter case aside (" + port.by + ", all tasks but qa)",
			Definition: "The share of the answers that occur in the prediction, letter case aside, also inside of words. " +
				port.controls,
			Example: Example{"12 and 15", Reference{Answers: []string{"12", "34"}}, 0.5},
			Score: func(prediction string, ref Reference) (float64, error) {
				if len(ref.Answers) == 0 {
					return 0, ErrNoAnswers
				}
				return float64(rulerFound(rulerText(prediction, port.control), ref.Answers)) / float64(len(ref.Answers)), nil
			},
		})
		Register(Scorer{
			Name: "ruler_part" + port.suffix, Version: 1,
			About:      "1 if the prediction contains any of the answers, letter case aside (" + port.by + ", qa)",
			Definition: "1 if any of the answers occurs in the prediction, as ruler_all" + port.suffix + " finds them, else 0.",
			Example:    Example{"12 and 15", Reference{Answers: []string{"12", "34"}}, 1},
			Score: func(prediction string, ref Reference) (float64, error) {
				if len(ref.Answers) == 0 {
					return 0, ErrNoAnswers
				}
				if rulerFound(rulerText(prediction, port.control), ref.Answers) > 0 {
					return 1, nil
				}
				return 0, nil
			},
		})
	}
}

// rulerFound counts the answers that occur in a text, also inside of words. Lower case is
// Python's, where Σ depends on its place in the word.
func rulerFound(text string, answers []string) int {
	text = pystr.Lower(text)
	found := 0
	for _, answer := range answers {
		if strings.Contains(text, pystr.Lower(answer)) {
			found++
		}
	}
	return found
}

// rulerText is the post-processing: strip white space, put control in place of control
// characters, and strip white space again.
func rulerText(prediction string, control rune) string {
	return pystr.Strip(strings.Map(func(r rune) rune {
		if r < 0x20 {
			return control
		}
		return r
	}, pystr.Strip(prediction)))
}

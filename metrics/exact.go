package metrics

import (
	"slices"

	"github.com/snapbench/snapbench/metrics/internal/pystr"
)

// Version 1 of exact was what contains is now.
func init() {
	Register(Scorer{
		Name: "exact", Version: 2,
		About: "1 if the prediction is one of the answers, else 0",
		Definition: "1 if the prediction is one of the answers, character by character, letter case included; white space " +
			"before and after it does not count. Else 0.",
		Example: Example{" Paris\n", Reference{Answers: []string{"Paris", "Paris, France"}}, 1},
		Score: func(prediction string, ref Reference) (float64, error) {
			if len(ref.Answers) == 0 {
				return 0, ErrNoAnswers
			}
			text := pystr.Strip(prediction)
			if text != "" && slices.ContainsFunc(ref.Answers, func(answer string) bool { return pystr.Strip(answer) == text }) {
				return 1, nil
			}
			return 0, nil
		},
	})
}

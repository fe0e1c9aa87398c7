package metrics

import (
	"fmt"
	"slices"
	"strings"
)

func init() {
	Register(Scorer{
		Name: "contains", Version: 1, Was: "exact/1",
		About: "1 if every value is in the prediction, else 0",
		Definition: "1 if every answer occurs in the prediction, letter case included, also inside of words, whatever " +
			"else the prediction says. Else 0. It was named exact until exact came to mean what it says.",
		Example: Example{"It is 5026494.", Reference{Answers: []string{"5026494"}}, 1},
		Score: func(prediction string, ref Reference) (float64, error) {
			if len(ref.Answers) == 0 {
				return 0, ErrNoAnswers
			}
			if slices.Contains(ref.Answers, "") { // every prediction contains it
				return 0, fmt.Errorf("metrics: an empty value among the answers %q can't be found", ref.Answers)
			}
			for _, value := range ref.Answers {
				if !strings.Contains(prediction, value) {
					return 0, nil
				}
			}
			return 1, nil
		},
	})
}

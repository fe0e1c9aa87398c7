package metrics

import (
	"fmt"
	"slices"
	"strings"
)

func init() {
	Register(Scorer{
		Name: "exact", Version: 1,
		About: "1 if every value is in the prediction, else 0",
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

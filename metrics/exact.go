package metrics

import "strings"

func init() {
	Register(Scorer{
		Name: "exact", Version: 1,
		About: "1 if every value is in the prediction, else 0",
		Score: func(prediction string, ref Reference) (float64, error) {
			if len(ref.Answers) == 0 {
				return 0, ErrNoAnswers
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

package metrics

import "github.com/snapbench/snapbench/metrics/internal/pystr"

func init() {
	Register(Scorer{
		Name: "longeval_lines", Version: 1,
		About: "1 if the last number of the prediction is the answer (LongEval's lines)",
		Definition: "1 if the last run of digits, of any script, is the answer as a whole number: 007 is 7, and 12,345 is 345. The best " +
			"answer counts.",
		Example: Example{"The content of line 7 is <24971>.", Reference{Answers: []string{"24971"}}, 1},
		Score: bestAnswer(never(func(prediction, answer string) float64 {
			value, _ := lastNumber(prediction)
			label, ok := pystr.Int(answer)
			return truth(ok && value == label)
		})),
		Raises: func(prediction string, _ Reference) string {
			if _, ok := lastNumber(prediction); !ok {
				return "ValueError"
			}
			return ""
		},
	})
}

// lastNumber is the last run of digits as a whole number, -1 without any, as in the original.
// ok is false where Python's int does not take it.
func lastNumber(prediction string) (number string, ok bool) {
	runs := pystr.DigitRuns(prediction)
	if len(runs) == 0 {
		return "-1", true
	}
	return pystr.Int(runs[len(runs)-1])
}

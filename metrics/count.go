package metrics

import "github.com/snapbench/snapbench/metrics/internal/pystr"

func init() {
	Register(Scorer{
		Name: "count", Version: 1,
		About: "share of the numbers in the prediction that are the answer",
		Definition: "The share of the numbers in the prediction that are the answer, digit by digit: 05 is not 5. Without " +
			"a number it is 0. The best answer counts.",
		Example: Example{"7 passages, of 30", Reference{Answers: []string{"7"}}, 0.5},
		Score:   bestAnswer(never(numberShare)),
	})
}

// numberShare is the share of the prediction's digit runs that equal number as
// strings: "05" is not "5". It is 0 if the prediction has no digits.
func numberShare(prediction, number string) float64 {
	runs := pystr.DigitRuns(prediction)
	if len(runs) == 0 {
		return 0
	}
	right := 0
	for _, run := range runs {
		if run == number {
			right++
		}
	}
	return float64(right) / float64(len(runs))
}

package metrics

import "strings"

func init() {
	Register(Scorer{
		Name: "mrcr", Version: 1,
		About: "similarity with the answer by difflib's ratio, 0 without the text that it must begin with (MRCR)",
		Definition: "0 unless the prediction begins with the class, the random text that the question asks to prepend, exactly. Else " +
			"the ratio of Python's difflib of prediction and answer, both without that text. Of an answer of 200 " +
			"characters or more, those that occur in it more than n/100 + 1 times match nothing by themselves, so ratios of long " +
			"texts look odd. The best answer counts.",
		Example: Example{"x7Qa tapir", Reference{Answers: []string{"x7Qa tapirs"}, Classes: []string{"x7Qa"}}, 0.923},
		Score: func(prediction string, ref Reference) (float64, error) {
			begin := ""
			if len(ref.Classes) > 0 {
				begin = ref.Classes[0]
			}
			return bestAnswer(never(func(prediction, answer string) float64 {
				rest, ok := strings.CutPrefix(prediction, begin)
				if !ok || prediction == "" {
					return 0
				}
				return difflibRatio([]rune(rest), []rune(strings.TrimPrefix(answer, begin)))
			}))(prediction, ref)
		},
	})
}

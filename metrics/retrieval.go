package metrics

import (
	"fmt"
	"strings"

	"github.com/snapbench/snapbench/metrics/internal/pystr"
)

func init() {
	Register(Scorer{
		Name: "retrieval", Version: 1,
		About: "share of the numbers in the prediction that are the N of the answer's \"Paragraph N\"",
		Definition: "The share of the numbers in the prediction that are the N of an answer \"Paragraph N\". The best " +
			"answer counts.",
		Example: Example{"Paragraph 12, or 3", Reference{Answers: []string{"Paragraph 12"}}, 0.5},
		Score: bestAnswer(func(prediction, answer string) (float64, error) {
			return retrieval(prediction, answer, "Paragraph ")
		}),
	})
	Register(Scorer{
		Name: "retrieval_zh", Version: 1,
		About:      "share of the numbers in the prediction that are the N of the answer's \"段落N\"",
		Definition: "As retrieval, for answers \"段落N\".",
		Example:    Example{"段落12", Reference{Answers: []string{"段落12"}}, 1},
		Score: bestAnswer(func(prediction, answer string) (float64, error) {
			return retrieval(prediction, answer, "段落")
		}),
	})
}

func retrieval(prediction, answer, label string) (float64, error) {
	for rest := answer; ; {
		_, after, found := strings.Cut(rest, label)
		if !found {
			return 0, fmt.Errorf("metrics: the answer %q has no number after %q", answer, label)
		}
		if number := pystr.LeadingDigits(after); number != "" {
			return numberShare(prediction, number), nil
		}
		rest = after
	}
}

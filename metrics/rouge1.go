package metrics

import (
	"strings"

	"github.com/snapbench/snapbench/metrics/internal/porter"
	"github.com/snapbench/snapbench/metrics/internal/pystr"
)

// Published needle grids show ROUGE-1 between the needle and the prediction:
// recall or F by the Python package rouge_score 0.1.2 with its stemmer on, times
// 10 or 100. The target is the whole needle sentence if the reference has it;
// else the best of the answers counts.
func init() {
	Register(Scorer{
		Name: "rouge1_r", Version: 1,
		About: "ROUGE-1 recall of the needle's words, stemmed, as published needle grids have it",
		Definition: "The share of the words of the hidden sentence, stemmed, that the prediction has; where nothing was " +
			"hidden, of the best answer. As the Python package rouge_score 0.1.2 computes it.",
		Example: Example{"eating a sandwich", Reference{Answers: []string{"eat a sandwich in the park"}}, 0.5},
		Score: scoreRouge1(func(common, target, prediction int) float64 {
			return float64(common) / float64(max(target, 1))
		}),
	})
	Register(Scorer{
		Name: "rouge1_f", Version: 1,
		About: "ROUGE-1 F over the needle's words, stemmed, as published needle grids have it",
		Definition: "As rouge1_r, with the share of the prediction's words that the sentence has: the harmonic mean of " +
			"the two.",
		Example: Example{"eating a sandwich", Reference{Answers: []string{"eat a sandwich in the park"}}, 2.0 / 3},
		Score: scoreRouge1(func(common, target, prediction int) float64 {
			if common == 0 {
				return 0
			}
			p := float64(common) / float64(prediction)
			r := float64(common) / float64(target)
			return 2 * p * r / (p + r)
		}),
	})
}

// scoreRouge1 makes a scorer from a measure over three counts of tokens: common
// to both texts, in the target, in the prediction.
func scoreRouge1(measure func(common, target, prediction int) float64) func(string, Reference) (float64, error) {
	compare := bestAnswer(never(func(prediction, target string) float64 {
		p, t := rougeTokens(prediction), rougeTokens(target)
		return measure(overlap(p, t), len(t), len(p))
	}))
	return func(prediction string, ref Reference) (float64, error) {
		if ref.Needle != "" {
			ref.Answers = []string{ref.Needle}
		}
		return compare(prediction, ref)
	}
}

// rougeTokens are the runs of ASCII letters and digits of the lower-cased text.
// Those of more than three characters are stemmed.
func rougeTokens(text string) []string {
	tokens := strings.FieldsFunc(pystr.Lower(text), func(r rune) bool {
		return (r < 'a' || 'z' < r) && (r < '0' || '9' < r)
	})
	for i, token := range tokens {
		if len(token) > 3 {
			tokens[i] = porter.Stem(token)
		}
	}
	return tokens
}

package metrics

import (
	"github.com/snapbench/snapbench/metrics/internal/pystr"
)

func init() {
	Register(Scorer{
		Name: "qa_f1", Version: 1,
		About: "F1 over the words of prediction and answer, as SQuAD and LongBench grade questions",
		Definition: "Both texts are lower-cased, lose punctuation and the words a, an and the, and are split into words. " +
			"The score is the harmonic mean of precision and recall over the words, each as often as it occurs. " +
			"The best answer counts.",
		Example: Example{"It was the red house.", Reference{Answers: []string{"a red house"}}, 2.0 / 3},
		Score:   bestAnswer(never(qaF1)),
	})
}

// qaF1 is the F1 of the normalised words of both texts as multisets.
func qaF1(prediction, answer string) float64 {
	return multisetF1(pystr.Fields(normalizeAnswer(prediction)), pystr.Fields(normalizeAnswer(answer)))
}

// normalizeAnswer lower-cases, drops ASCII punctuation and then replaces articles
// by spaces. The order matters: "a.m." becomes "am", which has no article. The
// caller splits at white space.
func normalizeAnswer(s string) string {
	s = pystr.Drop(pystr.Lower(s), pystr.IsASCIIPunct)
	return pystr.ReplaceWords(s, " ", func(word string) bool {
		return word == "a" || word == "an" || word == "the"
	})
}

// multisetF1 is the harmonic mean of the precision and recall of tokens, each
// counted as often as it occurs in both lists. Without a common token it is 0,
// also for two empty lists.
func multisetF1(prediction, answer []string) float64 {
	same := overlap(prediction, answer)
	if same == 0 {
		return 0
	}
	precision := float64(same) / float64(len(prediction))
	recall := float64(same) / float64(len(answer))
	return 2 * precision * recall / (precision + recall)
}

// overlap is the size of the intersection of two multisets of words.
func overlap(a, b []string) int {
	left := make(map[string]int, len(a))
	for _, word := range a {
		left[word]++
	}
	same := 0
	for _, word := range b {
		if left[word] > 0 {
			left[word]--
			same++
		}
	}
	return same
}

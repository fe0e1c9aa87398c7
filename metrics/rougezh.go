package metrics

import "strings"

func init() {
	Register(Scorer{
		Name: "rouge_zh", Version: 1,
		About:      "summary-level ROUGE-L over the Chinese words that jieba cuts",
		Definition: "As rouge_l, over the words that jieba cuts the texts into. It needs jieba's dictionary (--jieba).",
		Example:    Example{"窗口", Reference{Answers: []string{"窗口"}}, 1},
		Score: bestAnswer(func(prediction, answer string) (float64, error) {
			s, err := openSegmenter()
			if err != nil {
				return 0, err
			}
			// Only an ASCII full stop separates sentences; the Chinese one is a word.
			return rougeL(strings.Join(s.Cut(prediction), " "), strings.Join(s.Cut(answer), " ")), nil
		}),
		Ready: segmenterReady,
	})
}

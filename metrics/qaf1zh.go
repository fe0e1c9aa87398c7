package metrics

import (
	"strings"

	"github.com/snapbench/snapbench/metrics/internal/pystr"
)

func init() {
	Register(Scorer{
		Name: "qa_f1_zh", Version: 1,
		About:      "F1 over the Chinese words of prediction and answer, cut as jieba does",
		Definition: "As qa_f1, over the words that jieba cuts the texts into. It needs jieba's dictionary (--jieba).",
		Example:    Example{"窗口", Reference{Answers: []string{"窗口"}}, 1},
		Score: bestAnswer(func(prediction, answer string) (float64, error) {
			s, err := openSegmenter()
			if err != nil {
				return 0, err
			}
			return multisetF1(normalizeWords(s.Cut(prediction)), normalizeWords(s.Cut(answer))), nil
		}),
		Ready: segmenterReady,
	})
}

// chineseMarks is the punctuation that LongBench drops in Chinese besides ASCII's.
const chineseMarks = "！？｡。＂＃＄％＆＇（）＊＋，－／：；＜＝＞＠［＼］＾＿｀｛｜｝～｟｠｢｣､、〃》「」『』【】〔〕〖〗〘〙〚〛〜〝〞〟〰〾〿–—‘’‛“”„‟…‧﹏."

// normalizeWords lower-cases each word and drops its punctuation and white space;
// it drops words that become empty. The text was cut before, so punctuation
// still separates words.
func normalizeWords(words []string) []string {
	var kept []string
	for _, word := range words {
		word = pystr.Drop(pystr.Lower(word), func(r rune) bool {
			return pystr.IsASCIIPunct(r) || strings.ContainsRune(chineseMarks, r) || pystr.IsSpace(r)
		})
		if word != "" {
			kept = append(kept, word)
		}
	}
	return kept
}

package metrics

import (
	"regexp"
	"strings"

	"github.com/snapbench/snapbench/metrics/internal/pystr"
)

func init() {
	Register(Scorer{
		Name: "lost_in_the_middle", Version: 1,
		About:      "1 if the prediction contains the answer, letter case aside (lost-in-the-middle's key-value pairs)",
		Definition: "1 if the answer occurs in the prediction, both in lower case, also inside of words. The best answer counts.",
		Example:    Example{"It is 62B8A158.", Reference{Answers: []string{"62b8a158"}}, 1},
		Score: bestAnswer(never(func(prediction, answer string) float64 {
			return truth(strings.Contains(pystr.Lower(prediction), pystr.Lower(answer)))
		})),
	})
	Register(Scorer{
		Name: "helmet_json_kv", Version: 1,
		About: "1 if the prediction contains the answer after SQuAD's normalisation (HELMET's key-value pairs)",
		Definition: "Prediction and answer are lower-cased and lose punctuation, hyphens included, the words a, an and the, and white space but for " +
			"single spaces; the score is 1 if the answer occurs in the prediction, also inside of words, or in what " +
			"the prediction's line says after \"Corresponding value:\". The best answer counts.",
		Example: Example{"Corresponding value: 62b8a158158b", Reference{Answers: []string{"62b8a158-158b"}}, 1},
		Score: bestAnswer(never(func(prediction, answer string) float64 {
			value := squadText(answer)
			return truth(strings.Contains(squadText(prediction), value) || strings.Contains(squadText(helmetParsed(prediction)), value))
		})),
	})
}

// squadText is normalizeAnswer with single spaces between words.
func squadText(s string) string { return strings.Join(pystr.Fields(normalizeAnswer(s)), " ") }

var (
	// Python's IGNORECASE takes ſ for s, and ı and İ for i.
	helmetLabel = `(?i:corre[sſ]pond[iıİ]ng value:)`
	helmetAfter = regexp.MustCompile(helmetLabel + `(.*)`)
	helmetFirst = regexp.MustCompile(`^` + helmetLabel)
)

// helmetParsed is what HELMET reads out of a prediction: what the line says after the first
// "corresponding value:", else the first line. A label that is repeated there goes.
func helmetParsed(prediction string) string {
	line, _, _ := strings.Cut(prediction, "\n")
	if m := helmetAfter.FindStringSubmatch(prediction); m != nil {
		line = m[1]
	}
	line = pystr.Strip(line)
	return pystr.Strip(line[len(helmetFirst.FindString(line)):])
}

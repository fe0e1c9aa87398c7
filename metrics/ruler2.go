package metrics

import (
	"regexp"
	"strings"

	"github.com/snapbench/snapbench/metrics/internal/pystr"
)

// The scores of RULER v2 (NeMo-Skills, eval_ruler2 and eval_mcq): what was to be copied counts by
// its words, so that a copy with one wrong word of eight scores 7/8.
func init() {
	const definition = "What follows the last </think>, and of that what follows the last \"Answer:\", is compared in lower case: an " +
		"answer that occurs there scores 1, else 1 less the edit distance of the words over the answer's number of words, at least 0."
	for _, m := range []struct {
		name, about, more string
		score             func(prediction string, answers []string) float64
		example           Example
	}{
		{
			"ruler2_all", "mean over the answers of how much of each the prediction copies (RULER v2)", " The score is the mean over the answers.",
			func(prediction string, answers []string) float64 {
				return copiedMean(copiedText(prediction), answers)
			},
			Example{"green river stone", Reference{Answers: []string{"green river stones", "stone"}}, (2.0/3 + 1) / 2},
		},
		{
			"ruler2_part", "the best over the answers of how much the prediction copies, documents left out (RULER v2, qa)",
			" What the prediction copied of documents, from \"Document 7:\" to a blank line, is left out. The best answer counts.",
			func(prediction string, answers []string) float64 {
				text := copiedDocument.ReplaceAllString(copiedText(prediction), "")
				best := 0.0
				for _, a := range answers {
					best = max(best, copied(text, a))
				}
				return best
			},
			Example{"Document 7:\nblue\n\nred", Reference{Answers: []string{"blue", "red"}}, 1},
		},
		{
			"ruler2_2steps", "ruler2_all of the prediction's last paragraph (RULER v2, mv_niah_medium)",
			" Only what follows the last blank line is compared; the score is the mean over the answers.",
			func(prediction string, answers []string) float64 {
				text := copiedText(prediction)
				if i := strings.LastIndex(text, "\n\n"); i >= 0 {
					text = text[i+2:]
				}
				return copiedMean(text, answers)
			},
			Example{"one\n\ntwo", Reference{Answers: []string{"two"}}, 1},
		},
	} {
		Register(Scorer{
			Name: m.name, Version: 1, About: m.about, Definition: definition + m.more, Example: m.example,
			Score: func(prediction string, ref Reference) (float64, error) {
				if len(ref.Answers) == 0 {
					return 0, ErrNoAnswers
				}
				return m.score(prediction, ref.Answers), nil
			},
		})
	}
	Register(Scorer{
		Name: "ruler2_choice", Version: 1,
		About: "1 if the letter that the prediction chooses is the answer (RULER v2, multiple choice)",
		Definition: `The letter is what stands in the last \boxed{}; where that is longer, the last of A to J in it that stands alone; ` +
			`without a box, the last "Answer: X". 1 if it is the answer, letter case included, else 0. The best answer counts.`,
		Example: Example{`So it is \boxed{C. copper}.`, Reference{Answers: []string{"C"}}, 1},
		Score: bestAnswer(never(func(prediction, answer string) float64 {
			letter, ok := chosenLetter(prediction)
			return truth(ok && letter == answer)
		})),
	})
}

// copiedDocument is a document that an answer repeats.
var copiedDocument = regexp.MustCompile(`(?s)Document \p{Nd}+:.*?\n\n`)

// copiedText is the part of a prediction that is compared.
func copiedText(prediction string) string {
	for _, cue := range []string{"</think>", "Answer:"} {
		if i := strings.LastIndex(prediction, cue); i >= 0 {
			prediction = prediction[i+len(cue):]
		}
	}
	return prediction
}

func copiedMean(text string, answers []string) float64 {
	sum := 0.0
	for _, a := range answers {
		sum += copied(text, a)
	}
	return sum / float64(len(answers))
}

// copied says how much of answer is in text, 0 to 1.
func copied(text, answer string) float64 {
	text, answer = pystr.Lower(text), pystr.Lower(answer)
	if strings.Contains(text, answer) {
		return 1
	}
	words := pystr.Fields(answer)
	if len(words) == 0 {
		return 0
	}
	return max(0, 1-float64(editDistance(pystr.Fields(text), words))/float64(len(words)))
}

// editDistance is Levenshtein's distance of two lists of words.
func editDistance(a, b []string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i, word := range a {
		before := row[0]
		row[0] = i + 1
		for j, other := range b {
			change := before
			if word != other {
				change++
			}
			before = row[j+1]
			row[j+1] = min(change, before+1, row[j]+1)
		}
	}
	return row[len(b)]
}

var answerLetter = regexp.MustCompile(`(?i)[*_]{0,2}answer[*_]{0,2}[` + pystr.SpaceClass + `]*:[` + pystr.SpaceClass + `*_]{0,2}[` + pystr.SpaceClass + `]*([a-z])`)

// chosenLetter is the choice that a prediction names.
func chosenLetter(prediction string) (letter string, ok bool) {
	if content, boxed := lastBox(prediction); boxed {
		if len([]rune(content)) > 1 {
			alone := ""
			pystr.ReplaceWords(content, "", func(word string) bool {
				if len(word) == 1 && 'A' <= word[0] && word[0] <= 'J' {
					alone = word
				}
				return false
			})
			if alone != "" {
				return alone, true
			}
		}
		return content, true
	}
	for _, m := range answerLetter.FindAllStringSubmatchIndex(prediction, -1) {
		if rest := prediction[m[3]:]; rest == "" || !isASCIIWord(rest[0]) {
			letter, ok = prediction[m[2]:m[3]], true
		}
	}
	return letter, ok
}

// lastBox is the content of the last \boxed{}, braces within it matched.
func lastBox(text string) (content string, ok bool) {
	const box = `\boxed`
	i := strings.LastIndex(text, box)
	if i < 0 || !strings.HasPrefix(text[i+len(box):], "{") {
		return "", false
	}
	content, depth := text[i+len(box)+1:], 1
	for k := range len(content) {
		switch content[k] {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return content[:k], true
			}
		}
	}
	return "", false
}

func isASCIIWord(b byte) bool {
	return '0' <= b && b <= '9' || 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z'
}

package metrics

import (
	"math"
	"strings"

	"github.com/pmezard/go-difflib/difflib"
)

// Two definitions of similarity go by one name: the library that the original
// calls uses Levenshtein's ratio if a faster package is installed, and difflib's
// if it is not. They differ by 1 to 3 points on LongBench's code sets, so each
// has its own scorer.
func init() {
	Register(Scorer{
		Name: "code_sim", Version: 2,
		About: "similarity of the first line of code with the answer, by Levenshtein's ratio",
		Definition: "Of the prediction the first line that has no back quote, # or // is taken. Its similarity with an " +
			"answer is 1 - d/(a+b): d is the fewest insertions and deletions of characters that make one of the " +
			"other, a and b their lengths; rounded to hundredths. The best answer counts.",
		Example: Example{"return x + 1", Reference{Answers: []string{"return x + 2"}}, 0.92},
		Score: bestAnswer(never(func(prediction, answer string) float64 {
			return similarity(firstCodeLine(prediction), answer, levenshteinRatio)
		})),
	})
	Register(Scorer{
		Name: "code_sim_difflib", Version: 1,
		About: "similarity of the first line of code with the answer, by difflib's ratio",
		Definition: "As code_sim, with the ratio of Python's difflib in place of Levenshtein's, which published scores " +
			"have where the faster library was not installed.",
		Example: Example{"return x + 1", Reference{Answers: []string{"return x + 2"}}, 0.92},
		Score: bestAnswer(never(func(prediction, answer string) float64 {
			return similarity(firstCodeLine(prediction), answer, difflibRatio)
		})),
	})
}

// firstCodeLine is the first line that looks like code: one without a back
// quote, # or //. Newlines at the start are dropped first, so an empty line
// counts only after another line. If no line looks like code, it is "".
func firstCodeLine(prediction string) string {
	for line := range strings.SplitSeq(strings.TrimLeft(prediction, "\n"), "\n") {
		if !strings.ContainsAny(line, "`#") && !strings.Contains(line, "//") {
			return line
		}
	}
	return ""
}

// similarity is the ratio rounded to hundredths, halves to even. Equal texts
// give 1, even when both are empty; one empty text gives 0.
func similarity(a, b string, ratio func(a, b []rune) float64) float64 {
	switch {
	case a == b:
		return 1
	case a == "" || b == "":
		return 0
	}
	return math.RoundToEven(100*ratio([]rune(a), []rune(b))) / 100
}

// levenshteinRatio is 1 − d/(len(a)+len(b)) over characters, d being the fewest
// insertions and deletions that turn a into b. It subtracts last, as the library
// behind published scores does: 2·LCS/(len(a)+len(b)) is the same number but
// rounds to another double, which matters at half a hundredth.
func levenshteinRatio(a, b []rune) float64 {
	total := len(a) + len(b)
	edits := total - 2*lcsLength(a, b)
	return 1 - float64(edits)/float64(total)
}

// lcsLength is the length of the longest common subsequence, in one row of
// memory.
func lcsLength(a, b []rune) int {
	row := make([]int, len(b)+1)
	for _, x := range a {
		diagonal := 0 // the cell above and to the left
		for j, y := range b {
			above := row[j+1]
			if x == y {
				row[j+1] = diagonal + 1
			} else {
				row[j+1] = max(above, row[j])
			}
			diagonal = above
		}
	}
	return row[len(b)]
}

// difflibRatio is the ratio of Python's difflib.SequenceMatcher(None, a, b)
// (Ratcliff and Obershelp). It is not symmetric, and it ignores characters that
// are frequent in a long b.
func difflibRatio(a, b []rune) float64 {
	return difflib.NewMatcher(characters(a), characters(b)).Ratio()
}

func characters(text []rune) []string {
	split := make([]string, len(text))
	for i, r := range text {
		split[i] = string(r)
	}
	return split
}

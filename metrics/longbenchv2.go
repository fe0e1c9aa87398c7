package metrics

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

func init() {
	Register(Scorer{
		Name: "longbench_v2", Version: 1,
		About: "1 if the letter that \"The correct answer is\" names is the answer, else 0 (LongBench v2)",
		Definition: "The letter, A to D, of the first \"The correct answer is (A)\" in the prediction, else that of the first \"The " +
			"correct answer is A\", stars aside. 1 if it is one of the answers, else 0; without a letter 0. Letter case and " +
			"every space count.",
		Example: Example{"**The correct answer is (B)**, since A is not.", Reference{Answers: []string{"B"}}, 1},
		Score: bestAnswer(never(func(prediction, answer string) float64 {
			if letter := LongBenchV2Letter(prediction); letter != "" && letter == answer {
				return 1
			}
			return 0
		})),
	})
	Register(Scorer{
		Name: "longbench_v2_kvpress", Version: 1,
		About: "1 if \"The correct answer is\" with the answer behind it is in the prediction, else 0 (LongBench v2 by kvpress)",
		Definition: "1 if the prediction contains \"The correct answer is (A)\" or \"The correct answer is A\", A being an answer, stars " +
			"aside, else 0. So one that names two letters is right, and \"The correct answer is Apple\" for A is, too.",
		Example: Example{"The correct answer is Both", Reference{Answers: []string{"B"}}, 1},
		Score: bestAnswer(never(func(prediction, answer string) float64 {
			text := withoutStars(prediction)
			if strings.Contains(text, "The correct answer is ("+answer+")") || strings.Contains(text, "The correct answer is "+answer) {
				return 1
			}
			return 0
		})),
	})
}

var (
	longBenchV2Bracket = regexp.MustCompile(`The correct answer is \(([A-D])\)`)
	longBenchV2Bare    = regexp.MustCompile(`The correct answer is ([A-D])`)
)

// LongBenchV2Letter is the letter that a prediction gives as its answer, "" where it gives none.
func LongBenchV2Letter(prediction string) string {
	text := withoutStars(prediction)
	for _, pattern := range []*regexp.Regexp{longBenchV2Bracket, longBenchV2Bare} {
		if found := pattern.FindStringSubmatch(text); found != nil {
			return found[1]
		}
	}
	return ""
}

// withoutStars drops Markdown's emphasis, which also stands inside of the brackets.
func withoutStars(text string) string { return strings.ReplaceAll(text, "*", "") }

// LongBenchV2Columns are the classes of LongBench v2's table: all rows, by difficulty, by length.
var LongBenchV2Columns = []string{"overall", "easy", "hard", "short", "medium", "long"}

// LongBenchV2Row is what the table knows of a graded row.
type LongBenchV2Row struct {
	Difficulty, Length string // easy or hard; short, medium or long
	Answer, Letter     string // the letter is "" where the prediction gave none
}

// Score is 1 for the right letter. For no letter it is 0, or compensated a quarter, chance among four.
func (r LongBenchV2Row) Score(compensated bool) float64 {
	switch {
	case r.Letter == "" && compensated:
		return 0.25
	case r.Letter != "" && r.Letter == r.Answer:
		return 1
	}
	return 0
}

// LongBenchV2Table returns a cell for each of LongBenchV2Columns: the points, 0 to 100 with one decimal as the
// benchmark prints them, and the rows. A class without rows, at which the original stops, has no points.
func LongBenchV2Table(rows []LongBenchV2Row, compensated bool) (points []*float64, counts []int, err error) {
	sums := make([]float64, len(LongBenchV2Columns))
	counts = make([]int, len(LongBenchV2Columns))
	for _, r := range rows {
		difficulty, length := slices.Index(LongBenchV2Columns[:3], r.Difficulty), slices.Index(LongBenchV2Columns, r.Length)
		if difficulty < 1 || length < 3 {
			return nil, nil, fmt.Errorf("difficulty %q, length %q: want easy or hard, and short, medium or long", r.Difficulty, r.Length)
		}
		for _, k := range []int{0, difficulty, length} {
			sums[k] += r.Score(compensated)
			counts[k]++
		}
	}
	points = make([]*float64, len(sums))
	for k, n := range counts {
		if n > 0 {
			p := Round1(100 * sums[k] / float64(n))
			points[k] = &p
		}
	}
	return points, counts, nil
}

// Round1 rounds to one decimal by the exact binary value, as Python's round does.
func Round1(x float64) float64 {
	r, err := strconv.ParseFloat(strconv.FormatFloat(x, 'f', 1, 64), 64)
	if err != nil {
		panic(fmt.Sprintf("metrics: Round1(%v): %v", x, err)) // FormatFloat's output always parses
	}
	return r
}

package metrics

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	"github.com/snapbench/snapbench/metrics/internal/pystr"
)

func init() {
	Register(Scorer{
		Name: "scbench_vt", Version: 1,
		About: "share of the answers that the prediction contains, letter case aside, to hundredths (SCBench, vt)",
		Definition: "The share of the answers that occur in the prediction, letter case aside, also inside of words, rounded to " +
			"hundredths for each row: two of three are 0.67.",
		Example: Example{"XKWQJ and abcde", Reference{Answers: []string{"XKWQJ", "ABCDE", "PQRST"}}, 0.67},
		Score: func(prediction string, ref Reference) (float64, error) {
			if len(ref.Answers) == 0 {
				return 0, ErrNoAnswers
			}
			text, found := pystr.Lower(prediction), 0
			for _, answer := range ref.Answers {
				if strings.Contains(text, pystr.Lower(answer)) {
					found++
				}
			}
			return Round2(float64(found) / float64(len(ref.Answers))), nil
		},
	})
	Register(Scorer{
		Name: "scbench_mf", Version: 1,
		About: "1 if the first number in the prediction is the answer, else 0 (SCBench, mf)",
		Definition: "1 if the first run of digits in the prediction, with the decimals that follow it, is the answer, else 0. For an " +
			"answer without a decimal point the number's decimals are cut off: 42.5 is 42. A minus sign does not count.",
		Example: Example{"It is 42.5, or 43", Reference{Answers: []string{"42"}}, 1},
		Score: bestAnswer(func(prediction, answer string) (float64, error) {
			want, err := strconv.ParseFloat(answer, 64)
			if err != nil {
				return 0, fmt.Errorf("metrics: the answer %q is not a number", answer)
			}
			got, ok := firstDecimal(prediction)
			if ok && !strings.ContainsAny(answer, ".eE") {
				got = math.Trunc(got)
			}
			if ok && got == want {
				return 1, nil
			}
			return 0, nil
		}),
		Raises: func(prediction string, ref Reference) string {
			number := decimalPattern.FindString(pystr.ASCIIDigits(prediction))
			_, err := strconv.ParseFloat(number, 64) // which is infinite, and has no whole part
			return firstRaised(ref, func(answer string) string {
				if number != "" && err != nil && !strings.ContainsAny(answer, ".eE") {
					return "OverflowError"
				}
				return ""
			})
		},
	})
}

var decimalPattern = regexp.MustCompile(`[0-9]+(\.[0-9]+)?`)

// firstDecimal is the first number in a text: digits, and decimals where a point and more digits
// follow. Digits are Python's, of any script. One too large for a float, which Python cannot make
// whole, is no number.
func firstDecimal(text string) (number float64, ok bool) {
	number, err := strconv.ParseFloat(decimalPattern.FindString(pystr.ASCIIDigits(text)), 64)
	return number, err == nil
}

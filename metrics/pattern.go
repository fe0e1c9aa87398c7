package metrics

import (
	"errors"
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"strings"

	"github.com/snapbench/snapbench/metrics/internal/pystr"
)

// patternVersion is the version of what a pattern's score means.
const patternVersion = 1

// longestPattern bounds a pattern in bytes. Go's patterns take time in proportion to the
// text, times the pattern's size.
const longestPattern = 4096

// value is the name of the group whose text is compared with the answers.
const value = "value"

// openPattern makes a scorer of a regular expression in Go's syntax. One without a group
// named value is asked of the prediction alone. With one the group's text, of the first
// match, has to be one of the answers; numbers are compared as numbers.
func openPattern(text string) (Scorer, error) {
	switch {
	case text == "":
		return Scorer{}, errors.New("metric regex: which pattern? regex:PATTERN, such as 'regex:(?i)paris' or 'regex:#### (?P<value>[-0-9.,]+)'")
	case len(text) > longestPattern:
		return Scorer{}, fmt.Errorf("metric regex: a pattern of %d bytes: at most %d", len(text), longestPattern)
	}
	pattern, err := regexp.Compile(text)
	if err != nil {
		return Scorer{}, fmt.Errorf("metric regex: pattern %q: %w", text, err)
	}
	group := -1
	for i, name := range pattern.SubexpNames() {
		switch {
		case name != value:
		case group >= 0:
			return Scorer{}, fmt.Errorf("metric regex: pattern %q: two groups are named value", text)
		default:
			group = i
		}
	}
	s := Scorer{
		Name: "regex:" + text, Version: patternVersion, Free: true,
		About:      "1 if the pattern matches, else 0",
		Definition: PatternDefinition,
		Score: func(prediction string, _ Reference) (float64, error) {
			if pattern.MatchString(prediction) {
				return 1, nil
			}
			return 0, nil
		},
	}
	if group >= 0 {
		s.Free, s.About = false, "1 if the value that the pattern finds is one of the answers, else 0"
		s.Score = func(prediction string, ref Reference) (float64, error) {
			if len(ref.Answers) == 0 {
				return 0, ErrNoAnswers
			}
			found := pattern.FindStringSubmatchIndex(prediction)
			if found == nil || found[2*group] < 0 {
				return 0, nil
			}
			text := prediction[found[2*group]:found[2*group+1]]
			if slices.ContainsFunc(ref.Answers, func(answer string) bool { return sameValue(text, answer) }) {
				return 1, nil
			}
			return 0, nil
		}
	}
	return s, nil
}

// PatternDefinition says what the score of a pattern is.
const PatternDefinition = "PATTERN is a regular expression in Go's syntax (RE2), searched for anywhere in the prediction. 1 where it " +
	"matches, else 0; the answers play no part. Where it has a group (?P<value>...) the score is 1 if that group's text, of " +
	"the first match, is one of the answers, white space around it aside, and else 0. Two numbers are compared as numbers, " +
	"so that 1,234.50 is 1234.5."

// sameValue says whether two texts are the same, or the same number.
func sameValue(a, b string) bool {
	a, b = pystr.Strip(a), pystr.Strip(b)
	if a == b {
		return a != ""
	}
	x, y := number(a), number(b)
	return x != nil && y != nil && x.Cmp(y) == 0
}

// plainNumber is a decimal number, of which commas may part thousands.
var plainNumber = regexp.MustCompile(`^[-+]?([0-9]{1,3}(,[0-9]{3})+|[0-9]+)(\.[0-9]*)?$`)

// number reads a decimal number of at most 100 characters; it is nil for any other text. A
// full stop at its end, as of a sentence, is none of it.
func number(s string) *big.Rat {
	if len(s) > 100 || !plainNumber.MatchString(s) {
		return nil
	}
	x, ok := new(big.Rat).SetString(strings.TrimSuffix(strings.ReplaceAll(s, ",", ""), "."))
	if !ok {
		return nil
	}
	return x
}

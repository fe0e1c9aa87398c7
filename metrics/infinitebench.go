package metrics

import (
	"encoding/json"
	"math"
	"regexp"
	"strconv"
	"strings"

	"github.com/snapbench/snapbench/metrics/internal/pystr"
)

// The scores of ∞Bench's six tasks that are made by a program (OpenBMB/InfiniteBench,
// src/compute_scores.py). Where a label's type decides, an answer is the label as JSON has it:
// 88 is a whole number, 88.0 a decimal one, "88" a text, which equals no number.
func init() {
	Register(Scorer{
		Name: "infinitebench_passkey", Version: 1,
		About: "1 if the first number of the prediction is the answer, digit by digit (∞Bench's passkey and number_string)",
		Definition: "1 if the first run of the digits 0 to 9 in the prediction is the answer, zeros in front included. A sign " +
			"does not count; a comma ends the run. The best answer counts.",
		Example: Example{"The pass key is 71432. Remember it.", Reference{Answers: []string{"71432"}}, 1},
		Score: bestAnswer(never(func(prediction, answer string) float64 {
			runs := asciiNumbers(prediction)
			return truth(len(runs) > 0 && runs[0] == answer)
		})),
	})
	Register(Scorer{
		Name: "infinitebench_kv", Version: 1,
		About: "1 if the answer is one of the prediction's words (∞Bench's kv_retrieval)",
		Definition: "Newlines and the marks : \" ' . , ? ! { } become spaces; the score is 1 if the answer is one of the words " +
			"then, letter case included. Other marks stay: **value** and (value) are other words. The best answer counts.",
		Example: Example{`The value is "c14cb8ba".`, Reference{Answers: []string{"c14cb8ba"}}, 1},
		Score: bestAnswer(never(func(prediction, answer string) float64 {
			words := pystr.Fields(strings.Map(spaceFor("\n:\"'.,?!{}"), prediction))
			return truth(setOf(words)[answer])
		})),
	})
	Register(Scorer{
		Name: "infinitebench_find", Version: 1,
		About: "1 if the first number of the prediction is the answer (∞Bench's math_find)",
		Definition: "1 if the first number, with or without decimals, equals the answer; a minus sign does not count. For an answer " +
			"without decimals a number with decimals is wrong even where it is equal, since the original stops there. " +
			"The best answer counts.",
		Example: Example{"It is 49 of them.", Reference{Answers: []string{"49.0"}}, 1},
		Score:   bestAnswer(never(func(prediction, answer string) float64 { score, _ := find(prediction, answer); return score })),
		Raises: func(prediction string, ref Reference) string {
			return firstRaised(ref, func(answer string) string { _, raised := find(prediction, answer); return raised })
		},
	})
	Register(Scorer{
		Name: "infinitebench_find_lm_eval", Version: 1,
		About:      "the same in lm-evaluation-harness: decimals or none, equal numbers are equal",
		Definition: "1 if the first number, with or without decimals, equals the answer as a number. The best answer counts.",
		Example:    Example{"88.0", Reference{Answers: []string{"88"}}, 1},
		Score: bestAnswer(never(func(prediction, answer string) float64 {
			want, err := strconv.ParseFloat(firstNumber.FindString(pystr.ASCIIDigits(answer)), 64)
			return truth(err == nil && findFloat(firstNumber.FindString(pystr.ASCIIDigits(prediction))) == want)
		})),
	})
	Register(Scorer{
		Name: "infinitebench_calc", Version: 1,
		About: "share of the intermediate results that are right before the first wrong one (∞Bench's math_calc)",
		Definition: "The prediction's runs of the digits 0 to 9, as numbers, are compared with the list that the answer is as JSON, " +
			"[4, 14, 6], from the start; signs do not count. The score is the share of the list before the first that differs. " +
			"The best answer counts.",
		Example: Example{"4, 15, 6", Reference{Answers: []string{"[4, 14, 6]"}}, 1.0 / 3},
		Score:   bestAnswer(never(func(prediction, answer string) float64 { return calc(asciiNumbers(prediction), answer) })),
		Raises:  calcRaises,
	})
	Register(Scorer{
		Name: "infinitebench_calc_gpt4", Version: 1,
		About:      "the same after the prediction's first number, as the original grades GPT-4, which repeats the first term",
		Definition: "As infinitebench_calc, but the prediction's first number is dropped.",
		Example:    Example{"0, 4, 15, 6", Reference{Answers: []string{"[4, 14, 6]"}}, 1.0 / 3},
		Score: bestAnswer(never(func(prediction, answer string) float64 {
			numbers := asciiNumbers(prediction)
			return calc(numbers[min(1, len(numbers)):], answer)
		})),
		Raises: calcRaises,
	})
	Register(Scorer{
		Name: "infinitebench_run", Version: 1,
		About: "1 if the prediction's last word is the answer as a whole number (∞Bench's code_run)",
		Definition: "Newlines, full stops, colons, back-ticks and both quotes become spaces; the score is 1 if the last word then is a whole " +
			"number as Python reads one, sign included, that equals the answer. The best answer counts.",
		Example: Example{"The return value is: -7.", Reference{Answers: []string{"-7"}}, 1},
		Score: bestAnswer(never(func(prediction, answer string) float64 {
			words := pystr.Fields(strings.Map(spaceFor("\n.`'\":"), prediction))
			if len(words) == 0 {
				return 0
			}
			value, ok := pystr.Int(words[len(words)-1])
			label, whole := pystr.Int(answer)
			return truth(ok && whole && value == label)
		})),
	})
}

// firstNumber is what math_find looks for, in a text whose digits are all 0 to 9.
var firstNumber = regexp.MustCompile(`[0-9]+\.[0-9]+|[0-9]+`)

// find grades a prediction of math_find, and names the exception that the original raises.
func find(prediction, answer string) (score float64, raised string) {
	text := pystr.ASCIIDigits(prediction)
	number := firstNumber.FindString(text)
	label, whole := pystr.Int(answer)
	want, err := strconv.ParseFloat(answer, 64)
	switch {
	case !whole && err != nil:
		return 0, "TypeError"
	case number == "":
		return 0, ""
	case !whole:
		return truth(findFloat(number) == want), ""
	}
	value, ok := pystr.Int(number)
	if !ok {
		return 0, "ValueError"
	}
	return truth(value == label), ""
}

// findFloat is Python's float of a match of firstNumber; no match is no number.
func findFloat(number string) float64 {
	if number == "" {
		return math.NaN()
	}
	v, _ := strconv.ParseFloat(number, 64) // what is too large is infinite, as in Python
	return v
}

// calc is the share of the list in answer that numbers begin with. A list in a list is that
// list, since some of the published predictions have their label so.
func calc(numbers []string, answer string) float64 {
	var list []json.Number
	if json.Unmarshal([]byte(answer), &list) != nil {
		var nested [][]json.Number
		if json.Unmarshal([]byte(answer), &nested) != nil || len(nested) == 0 {
			return 0
		}
		list = nested[0]
	}
	if len(list) == 0 || longNumber(numbers) {
		return 0
	}
	right := 0
	for right < min(len(list), len(numbers)) {
		value, _ := pystr.Int(numbers[right])
		if label, ok := pystr.Int(list[right].String()); !ok || label != value {
			break
		}
		right++
	}
	return float64(right) / float64(len(list))
}

// calcRaises names the exception of a number that Python's int does not take.
func calcRaises(prediction string, _ Reference) string {
	if longNumber(asciiNumbers(prediction)) {
		return "ValueError"
	}
	return ""
}

// longNumber says whether one of the runs of digits is longer than Python's int takes.
func longNumber(runs []string) bool {
	for _, r := range runs {
		if _, ok := pystr.Int(r); !ok {
			return true
		}
	}
	return false
}

// firstRaised returns the first exception over the answers.
func firstRaised(ref Reference, raised func(answer string) string) string {
	for _, answer := range ref.Answers {
		if name := raised(answer); name != "" {
			return name
		}
	}
	return ""
}

// asciiNumbers are the runs of the digits 0 to 9.
func asciiNumbers(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r < '0' || r > '9' })
}

// spaceFor replaces the characters of marks by spaces.
func spaceFor(marks string) func(rune) rune {
	return func(r rune) rune {
		if strings.ContainsRune(marks, r) {
			return ' '
		}
		return r
	}
}

// truth is 1 for a right answer.
func truth(right bool) float64 {
	if right {
		return 1
	}
	return 0
}

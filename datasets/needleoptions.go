package datasets

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/snapbench/snapbench/inputs/lookup"
)

// NeedleOptions say which grid of needle prompts to make.
type NeedleOptions struct {
	// Lengths are the prompts' lengths in tokens, chat template included;
	// default 1024, 2048, 4096.
	Lengths []int `option:"lengths" kind:"tokens" help:"prompt lengths in tokens, template included (default 1k,2k,4k)"`
	// MaxLength asks instead for the lengths 1024, 2048, 4096 … below it, and for itself.
	MaxLength int `option:"max-len" kind:"tokens" help:"sweep 1k, 2k, 4k … and this length instead" json:",omitempty"`
	// Depths are the places of the needle, 0 to 100 percent of the haystack's
	// tokens; default 0, 25, 50, 75, 100.
	Depths []float64 `option:"depths" kind:"depths" help:"how many depths from 0 to 100, or the depths in percent: 0,25,50,75,100, one alone with its sign: 50% (default 5)"`
	// Trials is the number of prompts for each length and depth, by default 1. Each has
	// its own stretch of text, key and value.
	Trials int `option:"trials" kind:"whole" least:"1" help:"prompts per length and depth, each with its own text, key and value (default 1)"`
	// Seed decides every key, value and stretch of text.
	Seed uint64 `option:"seed" kind:"seed" help:"of keys, values and stretches of text"`
	// Needles is the number of sentences to hide; default by task.
	Needles int `option:"needles" kind:"whole" least:"1" help:"sentences to hide (default by task)"`
	// Wording is "ruler" (default) or "kamradt", which exists for niah alone.
	Wording string `option:"wording" kind:"text" help:"wording: ruler, kamradt (default ruler)"`
	// Haystack is a folder of *.txt files; default the embedded text.
	Haystack string `option:"haystack" kind:"text" help:"folder of *.txt files (default the embedded text)" json:"-"`
	// Value is the kind of value: "numbers" (default), "words" or "uuids".
	Value string `option:"value" kind:"text" help:"kind of value: numbers, words, uuids (default numbers)"`
	// ValueLength is the number of digits (default 7) or words (default 2) of
	// a value.
	ValueLength int `option:"value-length" kind:"whole" least:"1" help:"digits or words of a value"`
}

// complete fills in the defaults of a task, and refuses options that make no grid.
func (o *NeedleOptions) complete(name string) error {
	if err := o.completeGrid(); err != nil {
		return err
	}
	switch {
	case o.Trials < 0:
		return fmt.Errorf("%d trials", o.Trials)
	case o.Trials == 0:
		o.Trials = 1
	case o.Trials > mostTrials:
		return fmt.Errorf("%d trials are too many: at most %d", o.Trials, mostTrials)
	}
	switch {
	case o.Needles < 0:
		return fmt.Errorf("%d needles", o.Needles)
	case o.Needles == 0:
		o.Needles = needleKinds[name].needles
	case o.Needles > 1000:
		return fmt.Errorf("%d needles are too many: at most 1000", o.Needles)
	}
	if o.Wording == "" {
		o.Wording = "ruler"
	}
	if _, ok := needleWordings[o.Wording]; !ok {
		return lookup.Unknown("wording", o.Wording, "kamradt", "ruler")
	}
	if o.Wording == "kamradt" && (name != "niah" || o.Needles != 1) {
		return fmt.Errorf("wording kamradt has one fixed needle: task niah, 1 needle")
	}
	return o.completeValue(name)
}

// completeGrid completes lengths and depths.
func (o *NeedleOptions) completeGrid() error {
	switch {
	case o.MaxLength > 0 && len(o.Lengths) > 0:
		return fmt.Errorf("--max-len and --lengths exclude each other")
	case o.MaxLength > 0:
		o.Lengths = LengthSweep(o.MaxLength)
	case len(o.Lengths) == 0:
		o.Lengths = LengthSweep(4096)
	}
	if len(o.Depths) == 0 {
		o.Depths = DepthGrid(5)
	}
	return checkGrid(o.Lengths, o.Depths)
}

// checkGrid refuses lengths and depths that make no grid.
func checkGrid(lengths []int, depths []float64) error {
	if err := checkLengths(lengths); err != nil {
		return err
	}
	for i, d := range depths {
		if !(d >= 0 && d <= 100) {
			return fmt.Errorf("depth %v is not within 0 to 100 percent", d)
		}
		if slices.Contains(depths[:i], d) {
			return fmt.Errorf("depth %v is asked for twice", d)
		}
	}
	return nil
}

// checkLengths refuses lengths that are none, and one that stands twice.
func checkLengths(lengths []int) error {
	for i, n := range lengths {
		if n <= 0 {
			return fmt.Errorf("length %d is not a number of tokens", n)
		}
		if slices.Contains(lengths[:i], n) {
			return fmt.Errorf("length %d is asked for twice", n)
		}
	}
	return nil
}

// mostTrials bounds the number of samples, which are listed one by one.
const mostTrials = 100_000

// completeValue completes the kind of value and its length.
func (o *NeedleOptions) completeValue(name string) error {
	switch o.Value {
	case "", "numbers":
		o.Value = "numbers"
		o.ValueLength = cmp.Or(o.ValueLength, 7)
	case "words":
		o.ValueLength = cmp.Or(o.ValueLength, 2)
	case "uuids":
		if o.ValueLength != 0 {
			return fmt.Errorf("the length of a uuid is fixed, not %d", o.ValueLength)
		}
	default:
		return lookup.Unknown("kind of value", o.Value, "numbers", "uuids", "words")
	}
	if o.ValueLength < 0 || o.ValueLength > 64 {
		return fmt.Errorf("a value of %d %s: have 1 to 64", o.ValueLength, o.Value)
	}
	if name == "variable" && o.Value != "numbers" {
		return fmt.Errorf("the chain of variables starts from a number, not from %s", o.Value)
	}
	if name != "variable" && o.Value == "numbers" && float64(o.Needles) > 9*math.Pow(10, float64(o.ValueLength-1))/2 {
		return fmt.Errorf("%d different values of %d digits", o.Needles, o.ValueLength)
	}
	return nil
}

// LengthSweep is 1024, 2048, 4096 … below longest, and longest itself.
func LengthSweep(longest int) []int {
	var list []int
	for n := 1024; n < longest; n *= 2 {
		list = append(list, n)
	}
	return append(list, longest)
}

// DepthGrid is n depths from 0 to 100 percent at equal distances, and 50 for n = 1.
func DepthGrid(n int) []float64 {
	if n == 1 {
		return []float64{50}
	}
	list := make([]float64, n)
	for i := range list {
		list[i] = 100 * float64(i) / float64(n-1)
	}
	return list
}

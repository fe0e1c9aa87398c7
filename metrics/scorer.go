// Package metrics grades what a model wrote: a [Scorer] turns a prediction and
// the [Reference] it is held against into a number from 0 to 1.
//
// Each metric is one file with one Scorer in it, registered under its name.
// [Open] finds it, [Names] lists them. The metrics of LongBench follow the
// benchmark's own programs, oddities included, so that published scores come
// out to the last decimal; [LongBench] says which set is graded by which.
// Package predictions reads the files that other harnesses leave and applies
// that table to them.
package metrics

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Reference is what a prediction is held against.
type Reference struct {
	// Answers are the accepted answers. Question-answering and summary
	// metrics take the best over them; needle and RULER metrics want all of
	// them to be found.
	Answers []string
	// Classes are the names a classification may choose from. Only the
	// classification metric looks at them.
	Classes []string
	// Needle is the sentence that was hidden in the haystack (several are
	// joined by a space). Only ROUGE-1 looks at it, and takes Answers where
	// it is empty.
	Needle string
}

// Scorer is a metric: data with one function.
type Scorer struct {
	// Name is the metric's name in tables, rows and flags.
	Name string
	// Version is raised by any change that could alter a score, so that rows
	// graded by different versions are not compared unawares.
	Version int
	// About is one line for lists.
	About string
	// Score grades prediction, 0 to 1. The error says what is wrong with the
	// reference, or that something the metric needs is missing; a prediction
	// can be poor but never wrong.
	Score func(prediction string, ref Reference) (float64, error)
	// Ready, where it is not nil, says what the metric lacks on this machine.
	// It lets a run stop before its first prompt instead of after its last.
	Ready func() error
}

// ErrNoAnswers is returned for a reference that has nothing to compare with.
var ErrNoAnswers = errors.New("metrics: the reference has no answers")

var registry = struct {
	sync.RWMutex
	scorers map[string]Scorer
}{scorers: map[string]Scorer{}}

// Register makes a scorer known under its name. It panics if the scorer is
// incomplete or the name taken.
func Register(s Scorer) {
	if s.Name == "" || s.Version <= 0 || s.Score == nil {
		panic(fmt.Sprintf("metrics: Register of an incomplete scorer %q, version %d", s.Name, s.Version))
	}
	registry.Lock()
	defer registry.Unlock()
	if _, taken := registry.scorers[s.Name]; taken {
		panic(fmt.Sprintf("metrics: Register called twice for %q", s.Name))
	}
	registry.scorers[s.Name] = s
}

// Open returns the scorer of that name. The error lists what exists.
func Open(name string) (Scorer, error) {
	registry.RLock()
	s, ok := registry.scorers[name]
	registry.RUnlock()
	if !ok {
		return Scorer{}, fmt.Errorf("unknown metric %q: have %s", name, strings.Join(Names(), ", "))
	}
	return s, nil
}

// Names lists the registered scorers, sorted.
func Names() []string {
	registry.RLock()
	defer registry.RUnlock()
	return slices.Sorted(maps.Keys(registry.scorers))
}

// bestAnswer makes a scorer of a function that compares with one answer: the
// best over the answers, starting from 0, as LongBench has it.
func bestAnswer(score func(prediction, answer string) (float64, error)) func(string, Reference) (float64, error) {
	return func(prediction string, ref Reference) (float64, error) {
		if len(ref.Answers) == 0 {
			return 0, ErrNoAnswers
		}
		best := 0.0
		for _, answer := range ref.Answers {
			s, err := score(prediction, answer)
			if err != nil {
				return 0, err
			}
			best = max(best, s)
		}
		return best, nil
	}
}

// never wraps a comparison that cannot fail.
func never(score func(prediction, answer string) float64) func(string, string) (float64, error) {
	return func(prediction, answer string) (float64, error) { return score(prediction, answer), nil }
}

// Points is the mean of scores as benchmarks print it: times 100, rounded
// from the double to 2 decimals (halves are decided by the exact binary value,
// as Python's round does). Without scores it is not a number.
func Points(scores []float64) float64 {
	if len(scores) == 0 {
		return math.NaN()
	}
	sum := 0.0
	for _, s := range scores {
		sum += s
	}
	// The order of operations is the original's: 100 times the sum, over n.
	return Round2(100 * sum / float64(len(scores)))
}

// Round2 rounds to 2 decimals from the exact binary value.
func Round2(x float64) float64 {
	r, err := strconv.ParseFloat(strconv.FormatFloat(x, 'f', 2, 64), 64)
	if err != nil {
		panic(fmt.Sprintf("metrics: Round2(%v): %v", x, err)) // FormatFloat's output always parses
	}
	return r
}

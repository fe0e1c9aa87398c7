// Package metrics grades what a model wrote: a [Scorer] turns a prediction and
// the [Reference] that it is compared with into a number from 0 to 1.
//
// Each file of a metric registers its scorers by name. [Open] finds one, [Names]
// lists all. The metrics of LongBench follow the benchmark's own programs,
// oddities included, so that they give published scores to the last decimal;
// [LongBench] says which metric grades which set. Package predictions grades the
// files of other harnesses by that table.
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

	"github.com/snapbench/snapbench/inputs/lookup"
)

// None is the name of no metric: of rows that no score is asked of, since they have no
// answers. It is not registered.
const None = "none"

// Reference is what a prediction is compared with.
type Reference struct {
	// Answers are the accepted answers. Metrics of questions and summaries take
	// the best over them; those of needles and RULER's ruler_all expect all.
	Answers []string
	// Classes are the names that a classification may choose from. Only the
	// classification metric uses them.
	Classes []string
	// Needle is the sentence that was hidden in the haystack (several are joined
	// by a space). Only ROUGE-1 uses it; if it is empty, ROUGE-1 uses Answers.
	Needle string
	// Sample and Prompt are the row's. Only a command of the user's own sees them.
	Sample, Prompt string
}

// Scorer is a metric: data with one function.
type Scorer struct {
	// Name is the metric's name in tables, rows and flags.
	Name string
	// Version is raised with any change that could alter a score, so that a
	// comparison can tell rows of different versions apart.
	Version int
	// About is one line for lists, Definition says how the score comes about, and Example
	// shows it.
	About, Definition string
	Example           Example
	// Was is the name and version that the metric had, as in "exact/1", where nothing but
	// the name has changed since; else it is empty. See [Scorer.Identity].
	Was string
	// Free says that the metric needs no answers.
	Free bool
	// Score grades prediction, 0 to 1. The error says what is wrong with the
	// reference, or what the metric lacks. No prediction is an error.
	Score func(prediction string, ref Reference) (float64, error)
	// Raises names the exception with which the original program stops at a prediction, which
	// scores 0 here, and is empty where it stops at none. It is nil where it never does.
	Raises func(prediction string, ref Reference) string
	// Check, unless it is nil, says what is wrong with a reference, so that a file of
	// references is refused before anything runs.
	Check func(ref Reference) error
	// Ready, unless it is nil, returns an error if this machine lacks something
	// that the metric needs, so that a run can stop before its first prompt.
	Ready func() error
}

// Example is a prediction with the score that a metric gives it.
type Example struct {
	Prediction string
	Reference  Reference
	Score      float64
}

// Identity is what decides a score beside the texts: name and version. A metric that was
// only renamed keeps what it had, so that a row that was made before is known again.
func (s Scorer) Identity() string {
	if s.Was != "" {
		return s.Was
	}
	return s.Name + "/" + strconv.Itoa(s.Version)
}

// ErrNoAnswers is returned for a reference without answers.
var ErrNoAnswers = errors.New("metrics: the reference has no answers")

var registry = struct {
	sync.RWMutex
	scorers map[string]Scorer
}{scorers: map[string]Scorer{}}

// Register adds a scorer under its name. It panics if the scorer is incomplete
// or the name is taken.
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

// Open returns the scorer of that name, or the user's own that it describes: a pattern
// ("regex:PATTERN") or a program ("command:PROGRAM"). The error lists what exists. The
// scorer's Name opens it again.
func Open(name string) (Scorer, error) {
	switch kind, text, _ := strings.Cut(name, ":"); kind {
	case "regex":
		return openPattern(text)
	case "command":
		return openCommand(text)
	}
	registry.RLock()
	s, ok := registry.scorers[name]
	registry.RUnlock()
	if !ok {
		return Scorer{}, lookup.UnknownOf("snapbench metrics list", "metric", name, append(Names(), "regex:PATTERN", "command:PROGRAM")...)
	}
	return s, nil
}

// Names lists the registered scorers, sorted.
func Names() []string {
	registry.RLock()
	defer registry.RUnlock()
	return slices.Sorted(maps.Keys(registry.scorers))
}

// bestAnswer makes a scorer from a function that compares with one answer: the
// score is the best over the answers and at least 0, as in LongBench.
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

// Points is the mean of scores as benchmarks print it: times 100, rounded by
// [Round2]. Without scores it is NaN.
func Points(scores []float64) float64 {
	if len(scores) == 0 {
		return math.NaN()
	}
	sum := 0.0
	for _, s := range scores {
		sum += s
	}
	// The order of operations is the original's: 100 times the sum, divided by n.
	return Round2(100 * sum / float64(len(scores)))
}

// Round2 rounds to 2 decimals. As in Python's round, the exact binary value decides
// whether a number lies above or below a half.
func Round2(x float64) float64 {
	r, err := strconv.ParseFloat(strconv.FormatFloat(x, 'f', 2, 64), 64)
	if err != nil {
		panic(fmt.Sprintf("metrics: Round2(%v): %v", x, err)) // FormatFloat's output always parses
	}
	return r
}

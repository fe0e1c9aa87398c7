package datasets

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/snapbench/snapbench/inputs/lookup"
	"github.com/snapbench/snapbench/metrics"
)

// needleVersion is the version of the needle tasks' prompts and rules.
//
// Changes: 1, the first.
const needleVersion = 1

func init() {
	Register(Definition{
		Family: "needle", Help: "find a hidden sentence: length × depth", Names: NeedleNames(),
		Groups: map[string][]string{"needle": NeedleNames()},
		Origin: &Origin{
			Source: "NVIDIA/RULER, arXiv 2404.06654, and Greg Kamradt's LLMTest_NeedleInAHaystack", Licence: "Apache-2.0 and MIT; the haystack is in the public domain",
			Inside: "haystack, wordings, keys and values, scorers",
		},
		Own:  func() any { return &NeedleOptions{Seed: 42} },
		Open: openNeedle,
	})
}

// needleKinds are the needle tasks by name.
var needleKinds = map[string]needleKind{
	// niah hides Needles keys with a value each and asks for all values. With one key it
	// is the classic needle in a haystack.
	"niah": {needles: 1},
	// multikey hides Needles keys and asks for one.
	"multikey": {needles: 4},
	// multivalue hides one key with Needles values and asks for all of them.
	"multivalue": {needles: 4},
	// variable hides a chain of Needles assignments, each variable taking its
	// value from the one before, and asks for every variable that holds the first
	// value: RULER's variable tracking without its worked example.
	"variable": {needles: 5},
}

type needleKind struct {
	needles int // default number of needles
}

// NeedleNames lists the needle tasks, sorted.
func NeedleNames() []string { return slices.Sorted(maps.Keys(needleKinds)) }

// CheckNeedle refuses a task that hides no needle. For one of LongBench's sets the error
// names the command that runs it.
func CheckNeedle(name string) error {
	if slices.Contains(NeedleNames(), name) {
		return nil
	}
	if slices.Contains(LongBenchSets(), name) {
		return fmt.Errorf("task %q is one of LongBench's sets: snapbench longbench --tasks %s runs it", name, name)
	}
	return lookup.Unknown("task", name, NeedleNames()...)
}

// needleTask is a grid of needle prompts, in order of length, then depth, then trial.
type needleTask struct {
	name   string
	o      NeedleOptions
	metric string
	maxNew int
	n      int
	hay    *haystack
}

func openNeedle(name string, opts Options) (Task, error) {
	t := &needleTask{name: name, o: *opts.Own.(*NeedleOptions), maxNew: opts.MaxNew}
	err := t.o.complete(name)
	if err == nil {
		t.metric = cmp.Or(opts.Metric, needleWordings[t.o.Wording].metric)
		_, err = metrics.Open(t.metric)
	}
	if err == nil {
		t.hay, err = openHaystack(t.o.Haystack)
	}
	if err != nil {
		return nil, &OptionError{fmt.Errorf("task %s: %w", name, err)}
	}
	t.n = limited(len(t.o.Lengths)*len(t.o.Depths)*t.o.Trials, opts.Limit)
	return t, nil
}

func (t *needleTask) Name() string   { return t.name }
func (t *needleTask) Version() int   { return needleVersion }
func (t *needleTask) Len() int       { return t.n }
func (t *needleTask) Size(i int) int { length, _, _ := t.cell(i); return length }

// Lengths returns the exact lengths of the prompts in tokens.
func (t *needleTask) Lengths() []int { return t.o.Lengths }

func (t *needleTask) Digest() string { return digestOf(slices.Values([]string{t.hay.text})) }

// cell returns the length, depth and trial of sample i.
func (t *needleTask) cell(i int) (length int, depth float64, trial int) {
	if i < 0 || i >= t.n {
		panic(fmt.Sprintf("datasets: sample %d of %d", i, t.n))
	}
	trial = i % t.o.Trials
	i /= t.o.Trials
	return t.o.Lengths[i/len(t.o.Depths)], t.o.Depths[i%len(t.o.Depths)], trial
}

func (t *needleTask) ID(i int) string {
	length, depth, trial := t.cell(i)
	return fmt.Sprintf("length=%d,depth=%s,trial=%d", length, strconv.FormatFloat(depth, 'g', -1, 64), trial)
}

// MaxNew is about the most new tokens of an answer: they follow from how many tokens the answer itself has.
func (t *needleTask) MaxNew(i int) int {
	length, depth, trial := t.cell(i)
	q, err := t.question(t.random(length, depth, trial))
	if err != nil {
		return capped(promptsNew, t.maxNew) // the sample will be an error
	}
	return capped(answerNew(aboutTokens(" "+strings.Join(q.answers, ", "))), t.maxNew)
}

// random is a cell's own random stream, so that two grids have the same prompts in the cells that both have.
func (t *needleTask) random(length int, depth float64, trial int) *random {
	return newRandom(fmt.Sprintf("needle %d %s %s %s %d %d | %d %d %v %d",
		needleVersion, t.name, t.o.Wording, t.o.Value, t.o.ValueLength, t.o.Needles, t.o.Seed, length, depth, trial))
}

// answerNew is how many tokens an answer may have: more than the expected one has, for one in other words. RULER's 128 in every
// task would cost decoding time that a value of eight tokens does not need.
func answerNew(tokens int) int { return 2*tokens + 8 }

func (t *needleTask) Sample(i int, m Model) Sample {
	length, depth, trial := t.cell(i)
	s := Sample{
		Task: t.name, TaskVersion: needleVersion, ID: t.ID(i), Metric: t.metric, End: EndGeneration, Length: length,
		Needle: &NeedleInfo{Length: length, Depth: depth, Trial: trial},
	}
	if err := t.build(&s, m, t.random(length, depth, trial)); err != nil {
		s.fail(err)
	}
	return s
}

func (t *needleTask) build(s *Sample, m Model, rng *random) error {
	if m.Tokenizer == nil {
		return errNoTokenizer
	}
	if m.ContextLength > 0 && s.Length > m.ContextLength { // before a text is built in vain
		return fmt.Errorf("the prompt has %d tokens, the model's context %d", s.Length, m.ContextLength)
	}
	q, err := t.question(rng)
	if err != nil {
		return err
	}
	s.Answers = q.answers
	s.Needle.Answer = strings.Join(q.answers, ", ")
	s.Needle.Needles = q.needles
	head, tail, err := m.around(q.content, q.begun)
	if err != nil {
		return err
	}
	answer, err := m.Tokenizer.Encode(" "+s.Needle.Answer, false)
	if err != nil {
		return err
	}
	s.MaxNew = capped(answerNew(len(answer)), t.maxNew)
	p := needlePrompt{
		hay: t.hay, model: m, head: head, tail: tail, needles: q.needles, lines: q.lines,
		depths: t.depths(s.Needle.Depth, len(q.needles), rng), first: rng.intn(len(t.hay.ends)),
	}
	if err := p.build(s.Length); err != nil {
		return err
	}
	for _, n := range q.needles {
		if strings.Count(p.text, n) != 1 {
			return fmt.Errorf("the haystack %s holds the needle %q itself", t.hay.name, n)
		}
	}
	s.Prompt, s.IDs = p.text, p.ids
	s.markNeedles(q, len(head), len(tail))
	s.Needle.Token, s.Needle.Repeats = p.token, p.repeats
	if p.repeats > 0 {
		s.note("the haystack's text starts over %d times", p.repeats)
	}
	return s.finish(m)
}

// markNeedles marks the needles asked for, their values, and what stands before and behind the
// text. Each needle stands in it once, and holds its value.
func (s *Sample) markNeedles(q question, head, tail int) {
	for i, needle := range q.needles[:q.asked] {
		at := strings.Index(s.Prompt, needle)
		s.mark(MarkNeedle, at, at+len(needle))
		if k := strings.LastIndex(needle, q.answers[i]); k >= 0 {
			if q.lines { // a chain's variable, where it gets its value
				k = strings.Index(needle, q.answers[i])
			}
			s.mark(MarkValue, at+k, at+k+len(q.answers[i]))
		}
	}
	before, behind, _ := strings.Cut(q.content, contextMark)
	s.markText(MarkInstruction, before, 0, head)
	s.markText(MarkQuestion, behind, len(s.Prompt)-tail, len(s.Prompt))
}

// depths are the needles' places in percent: the first is at depth, the others are anywhere.
// The needles of a chain are in order, none before the first.
func (t *needleTask) depths(depth float64, n int, rng *random) []float64 {
	list := make([]float64, n)
	list[0] = depth
	for i := 1; i < n; i++ {
		if list[i] = 100 * rng.float(); t.name == "variable" {
			list[i] = depth + (100-depth)*list[i]/100
		}
	}
	if t.name == "variable" {
		slices.Sort(list)
	}
	return list
}

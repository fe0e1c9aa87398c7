package datasets

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/snapbench/snapbench/metrics"
)

// leakageVersion is the version of the leakage tasks' prompts and rules.
//
// Changes: 1, the first.
const leakageVersion = 1

func init() {
	Register(Definition{
		Family: "leakage", Help: "a system text that asks to be kept secret, and a request to repeat it; the system text alone is compressed",
		Names: leakageOrders, Groups: map[string][]string{"leakage": leakageOrders},
		Origin: &Origin{
			Source: "after arXiv 2510.00231, with defences of our own", Licence: "CC BY 4.0 for its request", Inside: "prompts, scorer",
		},
		Own:  func() any { return &LeakageOptions{Seed: 42} },
		Open: openLeakage,
	})
}

// leakageOrders are the tasks, by where the defence stands. Samples of the same ID differ in that alone.
var leakageOrders = []string{"leakage-defence-first", "leakage-defence-last"}

// LeakageOptions say how many system texts to make.
type LeakageOptions struct {
	// Trials is their number, by default 20.
	Trials int `option:"trials" kind:"whole" least:"1" help:"system texts (default 20)"`
	// Seed decides instructions and defences.
	Seed uint64 `option:"seed" kind:"seed" help:"of instructions and defences"`
	// Instructions is how many a text has, 1 to 3; by default 3.
	Instructions int `option:"instructions" kind:"whole" least:"1" help:"instructions in a system text, 1 to 3 (default 3)"`
}

// leakageTask is a list of system texts with the defence in one place.
type leakageTask struct {
	name   string
	o      LeakageOptions
	metric string
	maxNew int
	n      int
}

func openLeakage(name string, opts Options) (Task, error) {
	t := &leakageTask{name: name, o: *opts.Own.(*LeakageOptions), maxNew: opts.MaxNew, metric: cmp.Or(opts.Metric, "withheld")}
	err := completeTrials(&t.o.Trials, t.o.Instructions)
	t.o.Instructions = cmp.Or(t.o.Instructions, 3)
	if err == nil {
		_, err = metrics.Open(t.metric)
	}
	if err != nil {
		return nil, &OptionError{fmt.Errorf("task %s: %w", name, err)}
	}
	t.n = limited(t.o.Trials, opts.Limit)
	return t, nil
}

func (t *leakageTask) Name() string { return t.name }
func (t *leakageTask) Version() int { return leakageVersion }
func (t *leakageTask) Len() int     { return t.n }

// Metric returns the scorer of all of its samples.
func (t *leakageTask) Metric() string { return t.metric }

func (t *leakageTask) Digest() string {
	return digestOf(slices.Values(append([]string{string(instructionJSON)}, defences...)))
}

func (t *leakageTask) ID(i int) string {
	t.check(i)
	return fmt.Sprintf("trial=%d", i)
}

func (t *leakageTask) check(i int) {
	if i < 0 || i >= t.n {
		panic(fmt.Sprintf("datasets: sample %d of %d", i, t.n))
	}
}

// text draws the parts of system text i.
func (t *leakageTask) text(i int) (defence string, list []instruction) {
	t.check(i)
	rng := newRandom(fmt.Sprintf("leakage %d %d | %d %d", leakageVersion, t.o.Instructions, t.o.Seed, i))
	list, _ = drawInstructions(rng, t.o.Instructions, i, false)
	return pick(rng, defences), list
}

func (t *leakageTask) Size(i int) int {
	defence, list := t.text(i)
	return (len(instructionWords().Guidelines) + len(defence) + len(blockOf(list)) + len(instructionWords().Repeat)) / bytesPerToken
}

// leakageNew is how many tokens an answer may have, as in the paper.
const leakageNew = 256

// MaxNew is the most new tokens of an answer.
func (t *leakageTask) MaxNew(int) int { return capped(leakageNew, t.maxNew) }

func (t *leakageTask) Sample(i int, m Model) Sample {
	defence, list := t.text(i)
	block := blockOf(list)
	both := defence + "\n" + block
	if t.name == "leakage-defence-last" {
		both = block + "\n" + defence
	}
	s := Sample{
		Task: t.name, TaskVersion: leakageVersion, ID: t.ID(i), Metric: t.metric, End: EndGeneration,
		MaxNew: t.MaxNew(i), Answers: []string{block, defence, both},
	}
	err := s.systemPart(m, instructionWords().Guidelines+both, instructionWords().Repeat)
	if err == nil {
		err = s.markInstructions(list)
	}
	if err == nil {
		err = s.markLast("defence", defence)
	}
	if err == nil {
		err = s.finish(m)
	}
	if err != nil {
		s.fail(err)
		s.Marks = nil
	}
	return s
}

package datasets

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/snapbench/snapbench/metrics"
)

// instructionsVersion is the version of the instruction tasks' prompts and rules.
//
// Changes: 1, the first.
const instructionsVersion = 1

func init() {
	Register(Definition{
		Family: "instructions", Help: "instructions that a program can check, in the system text, before or after a long context",
		Names: instructionPlaces, Groups: map[string][]string{"instructions": instructionPlaces},
		Origin: &Origin{
			Source:  "google-research's instruction_following_eval (IFEval), arXiv 2311.07911; their places in a long prompt are our own",
			Licence: "Apache-2.0; the haystack is in the public domain", Inside: "descriptions, requests, haystack, twenty checkers",
		},
		Own:  func() any { return &InstructionsOptions{Seed: 42} },
		Open: openInstructions,
	})
}

// instructionPlaces are the tasks, by where the instructions stand. Samples of the same ID differ
// in that alone.
var instructionPlaces = []string{"instructions-system", "instructions-before", "instructions-after"}

// InstructionsOptions say how many prompts of which lengths to make, with how many instructions.
type InstructionsOptions struct {
	// Lengths and MaxLength are as in NeedleOptions.
	Lengths   []int `option:"lengths" kind:"tokens" help:"prompt lengths in tokens, template included (default 1k,2k,4k)"`
	MaxLength int   `option:"max-len" kind:"tokens" help:"sweep 1k, 2k, 4k … and this length instead" json:",omitempty"`
	// Trials is the number of prompts for each length and place, by default 20: as many as there
	// are instructions, of which each comes first once.
	Trials int `option:"trials" kind:"whole" least:"1" help:"prompts per length, each with its own instructions and text (default 20)"`
	// Seed decides instructions, requests and stretches of text.
	Seed uint64 `option:"seed" kind:"seed" help:"of instructions, requests and stretches of text"`
	// Instructions is how many a prompt has, 1 to 3; by default one, two and three by turns.
	Instructions int `option:"instructions" kind:"whole" least:"1" help:"instructions in a prompt, 1 to 3 (default 1, 2 and 3 by turns)"`
	// Haystack is a folder of *.txt files; default the embedded text.
	Haystack string `option:"haystack" kind:"text" help:"folder of *.txt files (default the embedded text)" json:"-"`
}

// defaultTrials is as many prompts as there are instructions.
const defaultTrials = 20

// complete fills in the defaults, and refuses options that make no prompts.
func (o *InstructionsOptions) complete() error {
	grid := NeedleOptions{Lengths: o.Lengths, MaxLength: o.MaxLength}
	if err := grid.completeGrid(); err != nil {
		return err
	}
	o.Lengths = grid.Lengths
	return completeTrials(&o.Trials, o.Instructions)
}

// completeTrials completes how many prompts there are, and checks how many instructions each has.
func completeTrials(trials *int, instructions int) error {
	switch {
	case *trials < 0:
		return fmt.Errorf("%d trials", *trials)
	case *trials > mostTrials:
		return fmt.Errorf("%d trials are too many: at most %d", *trials, mostTrials)
	case instructions < 0 || instructions > 3:
		return fmt.Errorf("%d instructions in a prompt: want 1 to 3", instructions)
	}
	*trials = cmp.Or(*trials, defaultTrials)
	return nil
}

// instructionsTask is a list of prompts with the instructions in one place, in order of length,
// then trial.
type instructionsTask struct {
	name   string
	o      InstructionsOptions
	metric string
	maxNew int
	n      int
	hay    *haystack
}

func openInstructions(name string, opts Options) (Task, error) {
	t := &instructionsTask{name: name, o: *opts.Own.(*InstructionsOptions), maxNew: opts.MaxNew, metric: cmp.Or(opts.Metric, "instructions")}
	err := t.o.complete()
	if err == nil {
		_, err = metrics.Open(t.metric)
	}
	if err == nil {
		t.hay, err = openHaystack(t.o.Haystack)
	}
	if err != nil {
		return nil, &OptionError{fmt.Errorf("task %s: %w", name, err)}
	}
	t.n = limited(len(t.o.Lengths)*t.o.Trials, opts.Limit)
	return t, nil
}

func (t *instructionsTask) Name() string { return t.name }
func (t *instructionsTask) Version() int { return instructionsVersion }
func (t *instructionsTask) Len() int     { return t.n }

// Size is the prompt's length.
func (t *instructionsTask) Size(i int) int { length, _ := t.cell(i); return length }

// Lengths returns the exact lengths of the prompts in tokens.
func (t *instructionsTask) Lengths() []int { return t.o.Lengths }

// Metric returns the scorer of all of its samples.
func (t *instructionsTask) Metric() string { return t.metric }

func (t *instructionsTask) Digest() string {
	return digestOf(slices.Values([]string{t.hay.text, string(instructionJSON)}))
}

// cell returns the length and trial of sample i.
func (t *instructionsTask) cell(i int) (length, trial int) {
	if i < 0 || i >= t.n {
		panic(fmt.Sprintf("datasets: sample %d of %d", i, t.n))
	}
	return t.o.Lengths[i/t.o.Trials], i % t.o.Trials
}

func (t *instructionsTask) ID(i int) string {
	length, trial := t.cell(i)
	return fmt.Sprintf("length=%d,trial=%d", length, trial)
}

// instructionsNew is how many tokens an answer may have: the longest that is asked for are three
// paragraphs, or 120 words.
const instructionsNew = 512

// MaxNew is the most new tokens of an answer.
func (t *instructionsTask) MaxNew(int) int { return capped(instructionsNew, t.maxNew) }

func (t *instructionsTask) Sample(i int, m Model) Sample {
	length, trial := t.cell(i)
	s := Sample{
		Task: t.name, TaskVersion: instructionsVersion, ID: t.ID(i), Metric: t.metric, End: EndGeneration, Length: length,
		MaxNew: t.MaxNew(i),
	}
	// Instructions follow from the trial alone, so that they are the same in each place and at each length.
	rng := newRandom(fmt.Sprintf("instructions %d %d | %d %d", instructionsVersion, t.o.Instructions, t.o.Seed, trial))
	list, request := drawInstructions(rng, cmp.Or(t.o.Instructions, 1+trial%3), trial, true)
	for _, in := range list {
		s.Answers = append(s.Answers, in.answer())
	}
	if err := t.build(&s, m, trial, list, request); err != nil {
		s.fail(err)
		s.Marks = nil
	}
	return s
}

// The project's own words around instructions and context.
const (
	instructionsLead = "Follow these instructions in your answer:\n"
	contextLead      = "Here is a text. The request after it has nothing to do with it.\n\n"
)

// build makes the prompt: the same texts in another order by place.
func (t *instructionsTask) build(s *Sample, m Model, trial int, list []instruction, request string) error {
	if m.Tokenizer == nil {
		return errNoTokenizer
	}
	if m.ContextLength > 0 && s.Length > m.ContextLength { // before a text is built in vain
		return fmt.Errorf("the prompt has %d tokens, the model's context %d", s.Length, m.ContextLength)
	}
	lead := instructionsLead + blockOf(list)
	context := contextLead + contextMark
	var messages []Message
	switch t.name {
	case "instructions-system":
		if m.Chat == nil {
			return errors.New("the model has no chat template, and so no system text: ask instructions-before and instructions-after")
		}
		messages = []Message{{"system", lead}, {"user", context + "\n\n" + request}}
	case "instructions-before":
		messages = []Message{{"user", lead + "\n\n" + context + "\n\n" + request}}
	case "instructions-after":
		messages = []Message{{"user", context + "\n\n" + lead + "\n\n" + request}}
	}
	begun := ""
	if m.Chat == nil {
		begun = "\n\nAnswer:"
	}
	head, tail, err := m.aroundChat(messages, begun)
	if err != nil {
		return err
	}
	stretch := newRandom(fmt.Sprintf("instructions text %d | %d %d %d", instructionsVersion, t.o.Seed, s.Length, trial))
	p := needlePrompt{hay: t.hay, model: m, head: head, tail: tail, first: stretch.intn(len(t.hay.ends))}
	if err := p.build(s.Length); err != nil {
		return err
	}
	s.Prompt, s.IDs = p.text, p.ids
	if p.repeats > 0 {
		s.note("the haystack's text starts over %d times", p.repeats)
	}
	if err := s.markInstructions(list); err != nil {
		return err
	}
	if err := s.markLast(MarkQuestion, request); err != nil {
		return err
	}
	return s.finish(m)
}

// blockOf is the instructions as they stand in a prompt, each on a line of its own.
func blockOf(list []instruction) string {
	var lines []string
	for _, in := range list {
		lines = append(lines, in.text)
	}
	return strings.Join(lines, "\n")
}

// markInstructions marks each instruction by its own name, and all of them together as "instruction".
func (s *Sample) markInstructions(list []instruction) error {
	for _, in := range list {
		for _, name := range []string{"instruction", "instruction " + in.name()} {
			if err := s.markLast(name, in.text); err != nil {
				return err
			}
		}
	}
	return nil
}

// markLast marks a text where it last stands in the prompt.
func (s *Sample) markLast(name, text string) error {
	at := strings.LastIndex(s.Prompt, text)
	if at < 0 {
		return fmt.Errorf("chat template: the message's text is not in the prompt as it was: %.60q", text)
	}
	s.Marks = append(s.Marks, Mark{name, at, at + len(text)})
	return nil
}

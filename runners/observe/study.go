package observe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/datasets"
	"github.com/snapbench/snapbench/runners"
	"github.com/snapbench/snapbench/runners/local"
)

// Plan is a study of several prompts.
type Plan struct {
	Settings Settings
	Tasks    []datasets.Task
	Variants []compress.Variant
	Forced   int // T, tokens of the forced text
}

// Report is what observe.json holds.
type Report struct {
	Origin
	Settings Settings `json:"settings"`
	Forced   int      `json:"forced_tokens"`
	Variants []string `json:"variants"`
	Samples  []Sample `json:"samples"`
}

// Sample is one prompt of a study.
type Sample struct {
	Task  string `json:"task"`
	ID    string `json:"sample"`
	Error string `json:"error,omitempty"` // why it was not observed
	// Answered says that the forced text has the value asked for, where a single one is hidden. Only then is there a span
	// "value", and AnswerRows rows produce it.
	Answered   bool            `json:"answered"`
	AnswerRows int             `json:"answer_rows,omitempty"`
	Spans      map[string]Span `json:"spans,omitempty"`
	Seen       *Observation    `json:"seen,omitempty"`
}

// CheckDevice refuses several devices: a study has its layers counted one after the other.
func CheckDevice(name string) error {
	if strings.Contains(name, ",") || name == "cuda:all" {
		return runners.Mistake(fmt.Errorf("--device %s: observe runs on one device: auto, cpu, ref, cuda, cuda:N", name))
	}
	return nil
}

// Show opens the model, runs the study, prints it, and saves it where there is a folder.
func (p Plan) Show(ctx context.Context, w io.Writer, o local.Options, to Output, say func(string, ...any)) error {
	return Show(ctx, w, o, to, say, func(ctx context.Context, opened *local.Opened, say func(string, ...any)) (Shown, error) {
		return p.Observe(ctx, opened, say)
	})
}

// Observe runs the study. A prompt that cannot be observed, such as one that is too short, is a sample with an error; where
// none can, that is the study's.
func (p Plan) Observe(ctx context.Context, opened *local.Opened, say func(string, ...any)) (*Report, error) {
	p.Variants = opened.On(p.Variants)
	variants := slices.DeleteFunc(slices.Clone(p.Variants), compress.Variant.IsFull) // it keeps everything, and shows nothing
	e := opened.Engines[0]
	r := &Report{Origin: OriginOf(opened), Settings: p.Settings, Forced: p.Forced}
	if err := e.Check(runners.VariantsOf(variants)); err != nil {
		return nil, runners.Mistake(err)
	}
	for _, v := range variants {
		r.Variants = append(r.Variants, v.String())
	}
	all, seen := 0, 0
	for _, task := range p.Tasks {
		all += task.Len()
	}
	for _, task := range p.Tasks {
		for i := range task.Len() {
			start := time.Now()
			s, err := p.sample(ctx, opened, task.Sample(i, opened.Reader()), variants)
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			if err != nil {
				s.Error = err.Error()
				say("%s %s: %v", s.Task, s.ID, err)
			} else {
				seen++
				say("%d of %d: %s %s, %d tokens, %.1f s", len(r.Samples)+1, all, s.Task, s.ID, s.Seen.Tokens, time.Since(start).Seconds())
			}
			r.Samples = append(r.Samples, s)
		}
	}
	if seen == 0 {
		if len(r.Samples) == 0 {
			return nil, errors.New("there is no prompt to observe")
		}
		return nil, fmt.Errorf("no prompt could be observed; %s %s: %s", r.Samples[0].Task, r.Samples[0].ID, r.Samples[0].Error)
	}
	return r, nil
}

// sample observes one prompt.
func (p Plan) sample(ctx context.Context, opened *local.Opened, d datasets.Sample, variants []compress.Variant) (Sample, error) {
	s := Sample{Task: d.Task, ID: d.ID}
	if d.Err != nil {
		return s, d.Err
	}
	q := Question{Prompt: slices.Concat(d.IDs, d.Question), Variants: variants, Tokens: p.Forced, Excluded: opened.Stop(d).Tokens}
	q.Locate = func(forced []int32) (map[string]Span, int) {
		s.locate(d, forced, func(ids []int32) string { return opened.Reader().Tokenizer.Decode(ids, true) })
		return s.Spans, s.AnswerRows
	}
	var err error
	s.Seen, err = Run(ctx, opened.Engines[0].Model(), p.Settings, q)
	return s, err
}

// locate finds the tokens of the hidden value in the prompt, where one is hidden and the forced text has it, and how many
// rows produce it.
func (s *Sample) locate(d datasets.Sample, forced []int32, decode func([]int32) string) {
	if d.Needle == nil || len(d.Needle.Needles) != 1 {
		return
	}
	has := func(ids []int32) bool { return strings.Contains(decode(ids), d.Needle.Answer) }
	m := 1
	for m <= len(forced) && !has(forced[:m]) {
		m++
	}
	lo, hi := d.Needle.Token, d.Needle.Token+1
	for hi <= len(d.IDs) && !has(d.IDs[lo:hi]) {
		hi++
	}
	if m < 2 || m > len(forced) || hi > len(d.IDs) {
		return
	}
	for lo+1 < hi && has(d.IDs[lo+1:hi]) {
		lo++
	}
	s.Answered, s.AnswerRows, s.Spans = true, m-1, map[string]Span{"value": {lo, hi}}
}

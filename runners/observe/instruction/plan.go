package instruction

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
	"github.com/snapbench/snapbench/runners/observe"
)

// Plan is a study of contexts with several questions each.
type Plan struct {
	Settings Settings
	Task     datasets.Task // "questions", asked by Conventions
	Limit    int           // only the first contexts; 0: all
	Variants []compress.Variant
}

// Report is what observe.json holds of it.
type Report struct {
	observe.Origin
	Settings Settings  `json:"settings"`
	Variants []string  `json:"variants"`
	Contexts []Context `json:"contexts"`
}

// Conventions are those of the task: a question's tokens apart from its context's, and the question in front of it.
var Conventions = []string{"context", "before"}

// Show opens the model, runs the study, prints it, and saves it where there is a folder.
func (p Plan) Show(ctx context.Context, w io.Writer, o local.Options, to observe.Output, say func(string, ...any)) error {
	return observe.Show(ctx, w, o, to, say, func(ctx context.Context, opened *local.Opened, say func(string, ...any)) (observe.Shown, error) {
		return p.Observe(ctx, opened, say)
	})
}

// text is a context and its questions as tokens.
type text struct {
	id    string
	ids   []int32
	asked []Asked
	err   error
}

// next builds the context whose first sample has number at, and returns the number behind its last.
func next(task datasets.Task, at int, m datasets.Model) (t text, behind int) {
	first := task.Sample(at, m)
	t.id = strings.TrimSuffix(first.ID, "/1")
	for ; at < task.Len(); at += len(Conventions) {
		s := task.Sample(at, m)
		if *s.Draw != *first.Draw {
			break
		}
		if s.Err != nil {
			t.err = s.Err
			continue
		}
		before := task.Sample(at+1, m)
		t.ids = s.IDs
		t.asked = append(t.asked, Asked{ID: s.ID, Question: s.Question, Before: before.IDs, Why: before.Err, Sample: *s.Draw})
	}
	return t, at
}

// Observe runs the study. A context that cannot be observed, such as one with a single question, has an error; where none
// can, that is the study's.
func (p Plan) Observe(ctx context.Context, opened *local.Opened, say func(string, ...any)) (*Report, error) {
	if s := p.Settings; s.Response < 1 || s.Own < 1 || s.Share < 1 || len(s.Windows) == 0 || slices.Min(s.Windows) < 1 {
		return nil, runners.Mistake(fmt.Errorf("responses of %d tokens, windows of %d, votes of 1/%d: each must be at least 1", s.Response, s.Windows, s.Share))
	}
	variants := slices.DeleteFunc(slices.Clone(opened.On(p.Variants)), compress.Variant.IsFull) // it keeps everything, and shows nothing
	e := opened.Engines[0]
	if err := e.Check(runners.VariantsOf(variants)); err != nil {
		return nil, runners.Mistake(err)
	}
	r := &Report{Origin: observe.OriginOf(opened), Settings: p.Settings}
	for _, v := range variants {
		r.Variants = append(r.Variants, v.String())
	}
	for at := 0; at < p.Task.Len() && (p.Limit == 0 || len(r.Contexts) < p.Limit); {
		start := time.Now()
		var t text
		t, at = next(p.Task, at, opened.Reader())
		c, err := Context{ID: t.id}, t.err
		if err == nil {
			c, err = Observe(ctx, e.Model(), p.Settings, t.id, t.ids, t.asked, variants)
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			c.Error = err.Error()
			say("context %s: %v", c.ID, err)
		} else {
			say("context %s: %d tokens, %d questions, %.1f s", c.ID, c.Tokens, len(c.Questions), time.Since(start).Seconds())
		}
		r.Contexts = append(r.Contexts, c)
	}
	if len(r.seen()) == 0 {
		return nil, errors.New("no context could be observed; " + r.Contexts[0].ID + ": " + r.Contexts[0].Error)
	}
	return r, nil
}

// seen lists the contexts that were observed.
func (r *Report) seen() (list []Context) {
	for _, c := range r.Contexts {
		if c.Error == "" {
			list = append(list, c)
		}
	}
	return list
}

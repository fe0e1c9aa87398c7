package runners

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/snapbench/snapbench/datasets"
	"github.com/snapbench/snapbench/metrics"
	"github.com/snapbench/snapbench/results"
	"github.com/snapbench/snapbench/results/kept"
)

// asked is a sample and the rows that its answers will fill; none where all of them
// are finished.
type asked struct {
	task      datasets.Task
	number    int // in its task
	sample    datasets.Sample
	rows      []results.Row
	request   Request
	kept      kept.Batch // what the answers' caches kept, where that is stored
	reference Variant    // what fidelity and evidence are held to; nil for none
	hidden    bool       // the request's first variant is the reference, for that alone
	untrusted bool       // an answer throws doubt on the run
	unsure    bool       // a program that grades failed
}

// open says whether there is something to answer.
func (a *asked) open() bool { return len(a.rows) > 0 && a.sample.Err == nil }

// ask makes a sample ready for the variants that have no finished row.
func (p *plan) ask(task datasets.Task, number int) *asked {
	j, s := p.job, task.Sample(number, p.job.Reader)
	if j.Ungraded {
		s.Metric, s.Answers = metrics.None, nil
	}
	a := &asked{task: task, number: number, sample: s}
	var variants []Variant
	for _, v := range j.Variants {
		r := j.row(s, v)
		if p.finished(r.ID) {
			continue
		}
		if s.Err != nil {
			r.Error = s.Err.Error()
		}
		a.rows, variants = append(a.rows, r), append(variants, v)
	}
	if !a.open() {
		return a
	}
	draw := number
	if s.Draw != nil {
		draw = *s.Draw
	}
	a.request = Request{
		Task: s.Task, Sample: draw, Text: s.Prompt, Messages: s.Messages, Prompt: s.IDs, Question: s.Question, Variants: variants,
		MaxNew: s.MaxNew, MinNew: s.MinNew, Among: s.Among, Stop: j.Stop(s), Fidelity: j.Baseline != nil, Progress: p.watch.Within(s.Task, s.ID),
	}
	if a.request.Positions = j.Pieces != nil; a.request.Positions {
		a.kept.Prompt = j.prompt(s)
	}
	var err error
	if a.request.Evidence, err = j.evidenceOf(s); j.Evidence != nil && err == nil {
		err = a.request.Evidence.lacks()
	}
	if err != nil {
		for i := range a.rows {
			a.rows[i].Note = strings.TrimPrefix(a.rows[i].Note+"; evidence: "+err.Error(), "; ")
		}
	}
	if a.reference = j.Baseline; a.reference == nil && a.request.Evidence != nil && a.request.Evidence.Read != "" {
		a.reference = j.Evidence
	}
	// Both need the reference's answer, also where its own row is finished.
	is := func(v Variant) bool { return v.String() == a.reference.String() }
	if a.hidden = a.reference != nil && !slices.ContainsFunc(variants, is); a.hidden {
		a.request.Variants = append([]Variant{a.reference}, variants...)
	}
	return a
}

func (p *plan) finished(id string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.journal.Finished(id) && !(p.job.Retry && p.journal.Failed(id))
}

// row is what is known of a sample under a variant before it is answered.
func (j *Job) row(s datasets.Sample, v Variant) results.Row {
	r := RowOf(v)
	r.Model, r.Revision, r.Rope, r.Device, r.DType = j.Subject.Model, j.Subject.Revision, j.Subject.Rope, j.Subject.Device, j.Subject.DType
	r.Task, r.TaskVersion, r.Sample, r.Protocol, r.PromptSHA256 = s.Task, s.TaskVersion, s.ID, s.Protocol, s.PromptSHA256
	r.PromptTail, r.Metric, r.Note = tail(s.Prompt, 600), s.Metric, s.Note
	n := len(s.IDs)
	if n > 0 {
		r.PromptTokens = pointer(n + len(s.Question))
		if b, ok := v.(Budgeted); ok {
			if tokens, ok := b.Allowed(n); ok {
				r.Capacity = pointer(tokens)
				r.Share = pointer(float64(tokens) / float64(*r.PromptTokens))
			}
		}
	}
	identity := s.Metric
	if scorer, err := metrics.Open(s.Metric); err == nil {
		r.MetricVersion, identity = scorer.Version, scorer.Identity()
	}
	if s.Length > 0 {
		r.Length = pointer(s.Length)
	}
	r.SetAnswers(s.Answers)
	if s.Needle != nil {
		r.Length, r.Depth, r.NeedleToken = pointer(s.Needle.Length), pointer(s.Needle.Depth), pointer(s.Needle.Token)
		if len(s.Needle.Needles) > 0 {
			r.NeedleText = around(s.Prompt, s.Needle.Needles[0], 150)
		}
	}
	extra := append(slices.Clone(j.Settings), fmt.Sprintf("max_new=%d", s.MaxNew), fmt.Sprintf("min_new=%d", s.MinNew),
		"end="+s.End.String(), fmt.Sprintf("stop=%q%v", s.StopStrings, s.StopIDs), fmt.Sprintf("fidelity=%v", j.Baseline != nil),
		"metric="+identity)
	if j.Evidence != nil {
		extra = append(extra, evidenceVersion)
	}
	if len(s.Among) > 0 {
		extra = append(extra, fmt.Sprintf("among=%v", s.Among))
	}
	r.ID = r.Key(extra...)
	return r
}

// RowOf returns a row that says which variant it is, and nothing else.
func RowOf(v Variant) results.Row {
	r := results.Row{Schema: results.Schema, Variant: v.String(), Policy: v.Policy(), Budget: v.Budget()}
	if f, ok := v.(Formatted); ok {
		r.Cache = f.Cache()
	}
	if params := v.Params(); len(params) > 0 {
		r.Params = params
	}
	return r
}

func pointer[T any](v T) *T { return &v }

// tail returns the last characters of a text.
func tail(s string, n int) string {
	for i := range s {
		if len(s)-i <= n {
			return s[i:]
		}
	}
	return ""
}

// around returns a part of a text with so many characters before and after it, and marks
// where it begins and ends; nothing where the text does not hold it.
func around(text, part string, n int) string {
	at := strings.Index(text, part)
	if at < 0 {
		return ""
	}
	from, to := at, at+len(part)
	for range n { // a long prompt is not copied
		_, before := utf8.DecodeLastRuneInString(text[:from])
		_, after := utf8.DecodeRuneInString(text[to:])
		from, to = from-before, to+after
	}
	marked := text[from:at] + results.NeedleBegins + part + results.NeedleEnds + text[at+len(part):to]
	if from > 0 {
		marked = "…" + marked
	}
	if to < len(text) {
		marked += "…"
	}
	return marked
}

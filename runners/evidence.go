package runners

import (
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/snapbench/snapbench/datasets"
	"github.com/snapbench/snapbench/results"
	"github.com/snapbench/snapbench/runners/evidence"
)

// Evidence is what is asked about passages of a prompt: what each cache keeps of them, and how much of the attention that
// the full cache's answer pays to them.
type Evidence struct {
	Passages []Passage
	// Read is the name of the passages that the answer rests on, whose attention is told; empty where none are. full must
	// be among the variants then.
	Read string
	// Either says that one of those passages is enough, as where an answer stands in several places: what is told is of the
	// one that the full cache's answer attends to most, per token.
	Either bool
	// Says is whether a text has what is asked for.
	Says func(text string) bool
}

// Passage is the positions of one name, within the part of the prompt of which policies may evict.
type Passage struct {
	Name  string
	Each  []evidence.Span // as they are marked
	Spans []evidence.Span // the same positions, each once, ascending
}

// Audited is what a cache keeps of the passages.
type Audited struct {
	Kept  []evidence.Kept // by passage
	Least evidence.Share  // of the passages that are read; NaN where their attention is not known
}

// evidenceVersion is part of the identity of audited rows. It is raised by every change that could alter what is told.
const evidenceVersion = "evidence=1"

// evidenceOf is what is asked about a sample; nil where nothing is marked in what a policy may evict.
func (j *Job) evidenceOf(s datasets.Sample) (*Evidence, error) {
	if j.Evidence == nil {
		return nil, nil
	}
	marked, err := s.Passages(j.Reader)
	if err != nil {
		return nil, err
	}
	e := &Evidence{}
	for _, m := range marked {
		span := evidence.Span{m.From, min(m.To, len(s.IDs))}
		if span[0] >= span[1] {
			continue
		}
		i := slices.IndexFunc(e.Passages, func(p Passage) bool { return p.Name == m.Name })
		if i < 0 {
			i = len(e.Passages)
			e.Passages = append(e.Passages, Passage{Name: m.Name})
		}
		e.Passages[i].Each = append(e.Passages[i].Each, span)
	}
	if len(e.Passages) == 0 {
		return nil, nil
	}
	for i := range e.Passages {
		e.Passages[i].Spans = evidence.Union(e.Passages[i].Each)
	}
	for _, name := range []string{datasets.MarkEvidence, datasets.MarkValue, datasets.MarkAnswer} {
		if e.Read == "" && slices.ContainsFunc(e.Passages, func(p Passage) bool { return p.Name == name }) {
			e.Read, e.Either = name, name == datasets.MarkAnswer
		}
	}
	answers, every := s.Answers, e.Read == datasets.MarkValue
	e.Says = func(text string) bool {
		has := func(answer string) bool { return strings.Contains(text, strings.TrimSpace(answer)) }
		if every {
			return len(answers) > 0 && !slices.ContainsFunc(answers, func(a string) bool { return !has(a) })
		}
		return slices.ContainsFunc(answers, has)
	}
	return e, nil
}

// lacks says what an audit cannot tell of a sample.
func (e *Evidence) lacks() error {
	switch {
	case e == nil:
		return errors.New("no passage of the prompt is marked")
	case e.Read == "":
		return errors.New("no answer stands in the prompt as it is expected")
	}
	return nil
}

// told fills in what an audit tells of a row's cache.
func (e *Evidence) told(r *results.Row, a *Audited) {
	if a == nil {
		return
	}
	text := func(v float64) string { return strconv.FormatFloat(v, 'g', 6, 64) }
	r.MarksKept, r.MarksAny, r.MarksGone = map[string]string{}, map[string]string{}, map[string]string{}
	for i, p := range e.Passages {
		k := a.Kept[i]
		r.MarksKept[p.Name], r.MarksAny[p.Name], r.MarksGone[p.Name] = text(float64(k.Retention)), text(float64(k.Any())), text(float64(k.GoneLayers))
	}
	if r.Evidence = e.Read; !math.IsNaN(float64(a.Least)) {
		r.EvidenceRho = pointer(float64(a.Least))
	}
}

// answered says whether a graded row has the answer: its score is full marks, or it has some and says what is asked for.
func (e *Evidence) answered(r *results.Row) bool {
	return r.Score != nil && (*r.Score == 1 || *r.Score > 0 && e.Says(r.Prediction))
}

// label says of each of a sample's graded rows whether it lost what the full cache answers, and why.
func (a *asked) label(completions []Completion) error {
	e := a.request.Evidence
	if e == nil || e.Read == "" {
		return nil
	}
	for _, c := range completions {
		if c.Variant == nil || c.Variant.String() != a.reference.String() || c.Err != nil {
			continue
		}
		full := slices.IndexFunc(a.rows, func(r results.Row) bool { return r.Variant == c.Variant.String() })
		row := RowOf(c.Variant)
		if full >= 0 {
			row = a.rows[full]
		} else if err := a.graded(grade(&row, a.sample, c)); err != nil { // it was run for this alone
			return err
		}
		if !e.answered(&row) {
			return nil
		}
		for i := range a.rows {
			r := &a.rows[i]
			if r.Evidence == "" || r.Score == nil || r.Variant == c.Variant.String() {
				continue
			}
			if r.EvidenceLost = pointer(!e.answered(r)); *r.EvidenceLost && r.EvidenceRho != nil {
				r.EvidenceLabel = results.EvidenceLabel(*r.EvidenceRho)
			}
		}
	}
	return nil
}

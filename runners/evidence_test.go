package runners

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/datasets"
	"github.com/snapbench/snapbench/results"
	"github.com/snapbench/snapbench/runners/evidence"
)

// named is a variant that is its name alone.
type named string

func (v named) String() string            { return string(v) }
func (v named) Policy() string            { return string(v) }
func (v named) Budget() string            { return string(v) }
func (v named) Params() map[string]string { return nil }

// lettered has a token for each byte.
type lettered struct{ datasets.Tokenizer }

func (lettered) Encode(text string, _ bool) (ids []int32, err error) {
	for _, b := range []byte(text) {
		ids = append(ids, int32(b))
	}
	return ids, nil
}

func (lettered) Decode(ids []int32, _ bool) string {
	var b strings.Builder
	for _, id := range ids {
		b.WriteByte(byte(id))
	}
	return b.String()
}

func (lettered) BOS() (int32, bool)            { return 0, false }
func (lettered) Token(id int32) (string, bool) { return string(rune(id)), id < 256 }

// A sample's marks become what is asked: each name's positions once, those behind what a policy may evict left out, and the
// first name of evidence, value and answer read.
func TestEvidenceOf(t *testing.T) {
	s := datasets.Sample{Prompt: "say: the code is 4711, 4711 is it. code?", Answers: []string{"4711", "0815"}}
	at := func(name, text string, n int) datasets.Mark {
		from := 0
		for range n {
			from += strings.Index(s.Prompt[from:], text) + 1
		}
		return datasets.Mark{Name: name, From: from - 1, To: from - 1 + len(text)}
	}
	s.Marks = []datasets.Mark{at(datasets.MarkAnswer, "4711", 1), at(datasets.MarkAnswer, "4711", 2), at(datasets.MarkNeedle, "code is 4711", 1), at(datasets.MarkNeedle, "is 4711, ", 1), at(datasets.MarkQuestion, "code?", 1)}
	ids, _ := lettered{}.Encode(s.Prompt, false)
	s.IDs, s.Question = ids[:len(ids)-5], ids[len(ids)-5:]
	j := &Job{Reader: datasets.Model{Tokenizer: lettered{}}}
	if e, err := j.evidenceOf(s); e != nil || err != nil {
		t.Errorf("nobody asked: %+v, %v", e, err)
	}
	j.Evidence = named("full")
	e, err := j.evidenceOf(s)
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(e.Passages, e.Read, e.Either); got != "[{answer [[17 21] [23 27]] [[17 21] [23 27]]} {needle [[9 21] [14 23]] [[9 23]]}]answertrue" {
		t.Errorf("asked %s", got)
	}
	for text, want := range map[string]bool{"it is 4711.": true, "0815": true, "471": false} {
		if e.Says(text) != want {
			t.Errorf("%q says it: %t", text, !want)
		}
	}
	s.Marks[0].Name = datasets.MarkValue
	if e, err = j.evidenceOf(s); err != nil || e.Read != datasets.MarkValue || e.Either || e.Says("it is 4711.") || !e.Says("4711 and 0815") {
		t.Errorf("%+v, %v: of values all are asked", e, err)
	}
	if e.lacks() != nil {
		t.Errorf("what is asked lacks something: %v", e.lacks())
	}
	s.Marks = s.Marks[2:]
	if e, err = j.evidenceOf(s); err != nil || e.Read != "" || e.lacks() == nil {
		t.Errorf("no answer is marked: %+v, %v", e, err)
	}
	s.Marks = s.Marks[2:]
	if e, err = j.evidenceOf(s); e != nil || err != nil || e.lacks() == nil {
		t.Errorf("only the question is marked, which is not evicted: %+v, %v", e, err)
	}
	s.Marks[0].To++
	if _, err = j.evidenceOf(s); err == nil {
		t.Error("a mark behind the prompt is taken")
	}
}

// Labels are of answers that the full cache gives and a variant loses, by the least ρ; the full cache's answer may be a
// row or run for that alone.
func TestLabels(t *testing.T) {
	score := func(v float64) *float64 { return &v }
	sample := datasets.Sample{Answers: []string{"4711"}, Metric: "contains"}
	e := &Evidence{Read: "value", Says: func(text string) bool { return strings.Contains(text, "4711") },
		Passages: []Passage{{Name: "value", Spans: []evidence.Span{{0, 4}}}}}
	run := func(full string, hidden bool) string {
		a := &asked{sample: sample, request: Request{Evidence: e}, reference: named("full"), hidden: hidden}
		completions := []Completion{{Variant: named("full"), Text: full}}
		if !hidden {
			r := RowOf(named("full"))
			r.Score, r.Prediction = score(0), full
			if e.Says(full) {
				*r.Score = 1
			}
			e.told(&r, &Audited{Kept: []evidence.Kept{{}}, Least: 1})
			a.rows = append(a.rows, r)
		}
		for _, x := range []struct {
			name, text string
			score      float64
			least      float64
		}{{"a", "47", 0, 0.49}, {"b", "47", 0, 0.5}, {"c", "47", 0, 0.7}, {"d", "4711", 1, 0.2}, {"e", "x", 0, math.NaN()}, {"f", "is 4711 so", 0.4, 0.1}, {"g", "so 4", 0.9, 0.1}} {
			r := RowOf(named(x.name))
			r.Score, r.Prediction = score(x.score), x.text
			e.told(&r, &Audited{Kept: []evidence.Kept{{Retention: 0.25, GoneLayers: 2, GERLayers: 0.5}}, Least: evidence.Share(x.least)})
			if fmt.Sprint(r.MarksKept, r.MarksAny, r.MarksGone) != "map[value:0.25] map[value:0.5] map[value:2]" {
				t.Errorf("told %v, %v, %v", r.MarksKept, r.MarksAny, r.MarksGone)
			}
			a.rows = append(a.rows, r)
			completions = append(completions, Completion{Variant: named(x.name), Text: x.text})
		}
		if err := a.label(completions); err != nil {
			t.Fatal(err)
		}
		var list []string
		for _, r := range a.rows {
			lost := "?"
			if r.EvidenceLost != nil {
				lost = fmt.Sprint(*r.EvidenceLost)
			}
			list = append(list, r.Variant+" "+lost+" "+r.EvidenceLabel)
		}
		return strings.Join(list, "; ")
	}
	const labels = "a true " + results.Evicted + "; b true " + results.Thinned + "; c true " + results.Unused + "; d false ; e true ; f false ; g true " + results.Evicted
	if got := run("it is 4711", false); got != "full ? ; "+labels {
		t.Errorf("labels %s", got)
	}
	if got := run("it is 4711", true); got != labels {
		t.Errorf("with the full cache run for that alone: %s", got)
	}
	if got := run("no idea", true); strings.Contains(got, "true") || strings.Contains(got, "false") {
		t.Errorf("the full cache has no answer to lose: %s", got)
	}
}

// With an audit rows are others, and without it those of before.
func TestEvidenceInIdentity(t *testing.T) {
	j := &Job{}
	s := datasets.Sample{Task: "t", ID: "1", Metric: "contains"}
	plain := j.row(s, named("x")).ID
	j.Evidence = named("full")
	if audited := j.row(s, named("x")).ID; audited == plain {
		t.Error("an audited row has the identity of one that is not")
	}
}

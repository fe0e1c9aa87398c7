package runners

import (
	"strings"
	"testing"

	"github.com/snapbench/snapbench/datasets"
	"github.com/snapbench/snapbench/results"
)

// A walk over a graph is graded twice; of the two graders only one takes a right empty answer.
func TestGradeWalks(t *testing.T) {
	for _, c := range []struct {
		answer, text        string
		score, inTheHarness float64
	}{
		{"Final Answer: [a, b]", "Final Answer: [a]", 2.0 / 3, 2.0 / 3},
		{"Final Answer: []", "Final Answer: []", 1, 0},
		{"Final Answer: [a]", "Final Answer: [a]\nThat is all.", 1, 0},
	} {
		var r results.Row
		s := datasets.Sample{Metric: "graphwalks_fixed_flexible_f1", Answers: []string{c.answer}}
		if err := grade(&r, s, Completion{Text: c.text}); err != nil {
			t.Fatal(err)
		}
		if r.Score == nil || *r.Score != c.score || r.LMEvalF1 == nil || *r.LMEvalF1 != c.inTheHarness {
			t.Errorf("%q of %q scores %v, and %v, want %v, %v", c.text, c.answer, r.Score, r.LMEvalF1, c.score, c.inTheHarness)
		}
	}
}

// An answer at which the original grader stops scores 0, and the row says why.
func TestGradeRaises(t *testing.T) {
	for text, exception := range map[string]string{"88.0": "ValueError", "88": "", "none": ""} {
		var r results.Row
		s := datasets.Sample{Metric: "infinitebench_find", Answers: []string{"88"}}
		if err := grade(&r, s, Completion{Text: text}); err != nil {
			t.Fatal(err)
		}
		want := 0.0
		if text == "88" {
			want = 1
		}
		if r.Score == nil || *r.Score != want || r.Error != "" || strings.HasSuffix(r.Note, "stops at such an answer: "+exception) != (exception != "") {
			t.Errorf("%q scores %v, note %q, error %q", text, r.Score, r.Note, r.Error)
		}
	}
}

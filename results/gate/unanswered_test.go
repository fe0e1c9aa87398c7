package gate

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/results"
)

// What one variant could not answer fails that variant; the others are judged as if it were not there.
func TestGateUnanswered(t *testing.T) {
	for _, limits := range []Limits{onSet(1), points(1)} {
		set := grid([]string{"a", "b"}, []string{"full", "32", "64"}, 400, func(_, _ string, i int) float64 { return float64(i % 2) })
		lost := func(variant string, tasks ...string) results.Set {
			s := set
			s.Rows = append([]results.Row(nil), set.Rows...)
			for i := range s.Rows {
				for _, task := range tasks {
					if r := &s.Rows[i]; r.Variant == variant && r.Task == task {
						r.Score, r.Prediction, r.Error = nil, "", "out of memory"
						r.PrefillSeconds, r.DecodeSeconds = nil, nil
					}
				}
			}
			return s
		}
		for name, c := range map[string]struct {
			tasks []string
			lines int // 3 for 64: two tasks and their average
		}{"a task": {[]string{"b"}, 4}, "all tasks": {[]string{"a", "b"}, 3}} {
			g, err := Variants(lost("32", c.tasks...), "full", limits)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if g.Verdict != Fail || len(g.Lines) != c.lines {
				t.Errorf("%s: %v with %d lines, want fail with %d", name, g.Verdict, len(g.Lines), c.lines)
			}
			for _, l := range g.Lines {
				if l.Verdict == Fail || limits.About == AboutSet && l.Verdict != Pass || l.Label == "32" && (l.Task != "a" || l.Average) {
					t.Errorf("%s: line %+v", name, l)
				}
			}
			text := g.Text(80)
			for _, want := range []string{"answers, 32: FAIL: b: 400 of 400 samples failed: 0 (out of memory), 1 (out", "397 more samples", "answers: "} {
				if !strings.Contains(strings.ReplaceAll(text, "\n", " "), want) {
					t.Errorf("%s: no %q in\n%s", name, want, text)
				}
			}
		}

		// Nothing is left to compare, and everything still prints.
		only := lost("32", "a", "b")
		only.Rows = append(ofVariant(only.Rows, "full"), ofVariant(only.Rows, "32")...)
		limits.MaxKLRise = new(0.1)
		g, err := Variants(only, "full", limits)
		if err != nil || g.Verdict != Fail || len(g.Lines) != 0 {
			t.Fatalf("%+v, %v", g, err)
		}
		var out bytes.Buffer
		if err := errors.Join(g.WriteJSON(&out), g.WriteJUnit(&bytes.Buffer{})); err != nil || !json.Valid(out.Bytes()) {
			t.Errorf("%v\n%s", err, out.String())
		}
		if text := g.Text(80) + g.Markdown(); strings.Contains(text, "NaN") || !strings.Contains(text, "FAIL, about "+strings.TrimPrefix(limits.About.words(), "about ")+": no comparison; answers: 2 fail") {
			t.Errorf("%s", text)
		}
		limits.MaxKLRise = nil

		// A baseline without an answer is nothing to hold anything against.
		var refused *RefusedError
		if _, err := Variants(lost("full", "b"), "full", limits); !errors.As(err, &refused) {
			t.Errorf("the baseline failed: %v", err)
		}
		// So is a sample that neither could answer.
		both := lost("full", "b")
		for i := range both.Rows {
			if r := &both.Rows[i]; r.Task == "b" {
				r.Score, r.Error = nil, "too long"
			}
		}
		if _, err := Variants(both, "full", limits); !errors.As(err, &refused) {
			t.Errorf("both failed: %v", err)
		}
	}
}

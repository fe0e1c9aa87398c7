package results

import (
	"fmt"
	"strings"
	"testing"
)

// gapSet has ten prompts, each asked by two protocols. Under 512 the first two are lost by "context" alone, and the
// third by both.
func gapSet() Set {
	s := Set{Run: Run{Tasks: []string{"questions"}, Variants: []string{"full", "512"}}}
	for i := range 10 {
		for _, protocol := range []string{"context", "inside"} {
			for _, v := range s.Run.Variants {
				score, length, tokens, bytes, held := 1.0, 100, 120, int64(4*120), 120.0
				if protocol == "context" {
					bytes = 4 * 100
				}
				if v == "512" {
					held = map[string]float64{"inside": 64, "context": 84}[protocol]
				}
				if v == "512" && (i == 2 || i < 2 && protocol == "context") {
					score = 0
				}
				r := Row{Model: "m", Device: "cpu", DType: "float32", Task: "questions", TaskVersion: 1, Sample: fmt.Sprint("a/", i+1), Protocol: protocol, Variant: v, Policy: v,
					PromptSHA256: fmt.Sprint("sum", i), Score: &score, Length: &length, PromptTokens: &tokens, FullCacheBytes: &bytes, HeldMean: &held}
				s.Rows = append(s.Rows, r)
			}
		}
	}
	return s
}

// Rows that failed have no cache: which protocol compresses more is not decided by how many these are.
func TestGapsBesideFailures(t *testing.T) {
	s := gapSet()
	for i := range s.Rows {
		if r := &s.Rows[i]; r.Protocol == "inside" && (r.Sample == "a/9" || r.Sample == "a/10") {
			r.Score, r.FullCacheBytes, r.HeldMean, r.Error = nil, nil, nil, "it failed"
		}
	}
	if gaps := Gaps(s); len(gaps) != 1 || gaps[0].From != "inside" || gaps[0].To != "context" {
		t.Errorf("%+v", gaps)
	}
}

// Of samples that the two protocols graded otherwise there is no difference.
func TestGapsOfUnlikeRows(t *testing.T) {
	s := gapSet()
	for i := range s.Rows {
		if r := &s.Rows[i]; r.Protocol == "inside" && r.Sample == "a/1" {
			r.MetricVersion = 2
		}
	}
	if gaps := Gaps(s); len(gaps) != 1 || gaps[0].Lines[1].N != 9 || gaps[0].Lines[1].Differ != 1 {
		t.Errorf("%+v", gaps)
	}
}

// The difference is paired, and against the protocol that compresses more, whatever the order of rows.
func TestGaps(t *testing.T) {
	s := gapSet()
	gaps := Gaps(s)
	if len(gaps) != 1 || gaps[0].From != "inside" || gaps[0].To != "context" || len(gaps[0].Lines) != 2 || gaps[0].Context != 100 || gaps[0].Question != 20 {
		t.Fatalf("%+v", gaps)
	}
	full, small := gaps[0].Lines[0], gaps[0].Lines[1]
	if full.Variant != "full" || full.Drop != 0 || full.Differ != 0 || full.N != 10 {
		t.Errorf("full: %+v", full)
	}
	want := Compare([][]Pair{{{1, 0}, {1, 0}, {0, 0}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, {1, 1}}}, 0)
	if small.Variant != "512" || small.Base != 0.9 || small.Cand != 0.7 || small.Differ != 2 || small.Lo != want.Lo || small.Hi != want.Hi || !(small.Lo < small.Drop && small.Drop < small.Hi) {
		t.Errorf("512: %+v, want %+v", small, want)
	}
	text := gaps[0].Grid().Text(0)
	for _, want := range []string{"inside − context", "90.00", "70.00", "20.00 [", "has 100 tokens on average and what is read behind it 20", "held, inside", "64       84", "mean positions of a cache head when the answer begins"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if sections := Sections(s); !strings.HasPrefix(sections[len(sections)-1].Heading, "Difference between inside and context") {
		t.Errorf("the last section is %s", sections[len(sections)-1].Heading)
	}
}

// Protocols whose prompts differ are not compared, nor are models; a sample that only one has is left out.
func TestGapsNeedTheSamePrompt(t *testing.T) {
	for name, change := range map[string]func(*Row){
		"other prompts": func(r *Row) { r.PromptSHA256 += r.Protocol },
		"half of them": func(r *Row) {
			if r.Sample < "a/6" && r.Sample != "a/10" {
				r.PromptSHA256 += r.Protocol
			}
		},
		"unknown ones":   func(r *Row) { r.PromptSHA256 = "" },
		"other models":   func(r *Row) { r.Model = r.Protocol },
		"one protocol":   func(r *Row) { r.Protocol, r.Sample = "", r.Sample+r.Protocol },
		"without scores": func(r *Row) { r.Score = nil },
	} {
		s := gapSet()
		for i := range s.Rows {
			change(&s.Rows[i])
		}
		if gaps := Gaps(s); len(gaps) != 0 {
			t.Errorf("%s: %+v", name, gaps)
		}
	}
	s := gapSet()
	s.Rows[0].Score, s.Rows[0].Error = nil, "too large"
	if gaps := Gaps(s); gaps[0].Lines[0].N != 9 || gaps[0].Lines[1].N != 10 {
		t.Errorf("a failed sample: %+v", gaps)
	}
	s = gapSet()
	for i := range s.Rows {
		if r := &s.Rows[i]; r.Sample == "a/7" {
			r.PromptSHA256 += r.Protocol
		} else if r.Variant == "512" {
			r.HeldMean = nil
		}
	}
	if gaps := Gaps(s); gaps[0].Lines[0].N != 9 || gaps[0].Lines[1].N != 9 || !strings.Contains(gaps[0].Grid().Text(0), "n/a") {
		t.Errorf("another prompt: %+v", gaps)
	}
	if gaps := Gaps(Set{}); gaps != nil {
		t.Errorf("no rows: %+v", gaps)
	}
}

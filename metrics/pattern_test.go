package metrics

import (
	"errors"
	"strings"
	"testing"
)

func TestPattern(t *testing.T) {
	for _, c := range []struct {
		pattern, prediction string
		answers             []string
		want                float64
	}{
		{`(?i)\bparis\b`, "It is PARIS.", nil, 1},
		{`(?i)\bparis\b`, "It is Parisian.", []string{"It is Parisian."}, 0}, // answers play no part
		{`^$`, "", nil, 1},
		{`#### (?P<value>[-0-9.,]+)`, "so\n#### 1,234.50\n", []string{"1234.5"}, 1},
		{`#### (?P<value>[-0-9.,]+)`, "#### 42.", []string{"42"}, 1},
		{`#### (?P<value>[-0-9.,]+)`, "#### 43 #### 42", []string{"42"}, 0}, // the first match counts
		{`#### (?P<value>[-0-9.,]+)`, "42", []string{"42"}, 0},
		{`#### (?P<value>[-0-9.,]+)`, "#### 1,2", []string{"12"}, 0}, // no thousands
		{`(?P<value>[-0-9.]+)`, "-7", []string{"7", "-7.0"}, 1},
		{`answer: *(?P<value>.*)`, "answer:  Paris ", []string{"Rome", "Paris"}, 1},
		{`(x)|(?P<value>y)`, "x", []string{"x"}, 0}, // the group took no part
		{`(?P<value>y*)`, "x", []string{""}, 0},     // nothing is no answer
	} {
		if got := score(t, "regex:"+c.pattern, c.prediction, Reference{Answers: c.answers}); got != c.want {
			t.Errorf("regex:%s of %q with %q = %v, want %v", c.pattern, c.prediction, c.answers, got, c.want)
		}
	}
	for text, want := range map[string]string{
		"":                               "which pattern?",
		"(":                              "missing closing )",
		strings.Repeat("a", 5000):        "a pattern of 5000 bytes: at most 4096",
		"(?:(?:(?:a{1000}){1000}){100})": "invalid repeat count",
	} {
		if _, err := Open("regex:" + text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v, want %q", text, err, want)
		}
	}
	s, err := Open("regex:a(?P<value>.)")
	if err != nil || s.Free || s.Version != 1 {
		t.Fatalf("%+v, %v", s, err)
	}
	if _, err := s.Score("ab", Reference{}); !errors.Is(err, ErrNoAnswers) {
		t.Errorf("a value without answers: %v", err)
	}
	if s, err := Open("regex:a"); err != nil || !s.Free || s.Name != "regex:a" {
		t.Errorf("%+v, %v", s, err)
	}
}

// Whatever is typed is a pattern or an error, and no prediction is one.
func FuzzPattern(f *testing.F) {
	f.Add("#### (?P<value>[-0-9.,]+)", "#### 1,234", "1234")
	f.Add("(?i)paris", "Paris", "")
	f.Add("(", "x", "1e9")
	f.Fuzz(func(t *testing.T, pattern, prediction, answer string) {
		s, err := Open("regex:" + pattern)
		if err != nil {
			return
		}
		if got, err := s.Score(prediction, Reference{Answers: []string{answer}}); err != nil || got != 0 && got != 1 {
			t.Errorf("%q of %q: %v, %v", pattern, prediction, got, err)
		}
	})
}

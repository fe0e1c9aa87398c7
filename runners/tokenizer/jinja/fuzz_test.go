package jinja

import (
	"errors"
	"testing"
	"unicode/utf8"

	"github.com/snapbench/snapbench/runners/sharedtest"
)

// FuzzTemplate parses and renders arbitrary templates: they must not panic or exceed
// the limits, and every error must have a kind.
func FuzzTemplate(f *testing.F) {
	var v ownVectors
	sharedtest.JSON(f, "testdata/cases.json", &v)
	for _, c := range v.Cases {
		f.Add(c.Template)
	}
	vars := caseVariables()
	limits := Limits{Steps: 1 << 16, Memory: 1 << 20, Depth: 200}
	f.Fuzz(func(t *testing.T, source string) {
		tmpl, err := Parse(source, Options{Generation: true})
		text := ""
		if err == nil {
			text, err = tmpl.Render(vars, caseTime, limits)
		}
		var e *Error
		switch {
		case err == nil && (int64(len(text)) > limits.Memory || !utf8.ValidString(text)):
			t.Fatalf("%d bytes of text, valid UTF-8: %v", len(text), utf8.ValidString(text))
		case err != nil && (!errors.As(err, &e) || e.Kind == "" || e.Text == "" && e.Kind != Refused):
			t.Fatalf("error %#v", err)
		}
		if err == nil { // a rendering must not depend on an earlier one
			if again, err := tmpl.Render(vars, caseTime, limits); err != nil || again != text {
				t.Fatalf("rendered %q, then %q (%v)", text, again, err)
			}
		}
	})
}

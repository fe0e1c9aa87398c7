package jinja

import (
	"testing"
	"time"

	"github.com/snapbench/snapbench/runners/sharedtest"
)

// ownVectors are small templates of the project's own, rendered by Jinja2
// (testdata/cases.py).
type ownVectors struct {
	Cases []struct {
		Template string  `json:"template"`
		Text     *string `json:"text"`
		Error    string  `json:"error"`
	} `json:"cases"`
}

var caseTime = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func caseVariables() Variables {
	message := func(role, content string) Pairs { return Pairs{{"role", role}, {"content", content}} }
	leaf := func(n string, c ...any) Pairs { return Pairs{{"n", n}, {"c", append([]any{}, c...)}} }
	person := func(name string, age int, city string) Pairs {
		return Pairs{{"name", name}, {"age", age}, {"at", Pairs{{"city", city}}}}
	}
	return Variables{
		"messages": []any{
			message("system", "Be <b>brief</b>.\n"), message("user", "Hi é \"q\""),
			message("assistant", "<think>\nwhy\n</think>\n\nhello"), message("user", "bye  "),
		},
		"add_generation_prompt": true,
		"bos_token":             "<s>",
		"eos_token":             "</s>",
		"tree":                  []any{leaf("a", leaf("b"), leaf("d", leaf("e"))), leaf("f")},
		"people":                []any{person("Bob", 31, "York"), person("alice", 25, "Bath"), person("Carol", 31, "bath"), Pairs{{"name", "dave"}}},
	}
}

// TestCases: every case gives Jinja2's text or its error, or an error that says that something is not supported.
func TestCases(t *testing.T) {
	var v ownVectors
	sharedtest.JSON(t, "testdata/cases.json", &v)
	texts, refused := 0, 0
	for _, c := range v.Cases {
		text := ""
		tmpl, err := Parse(c.Template, Options{Generation: true})
		if err == nil {
			text, err = tmpl.Render(caseVariables(), caseTime, Limits{})
		}
		kind := kindOf(err)
		switch {
		case kind == Unsupported:
			refused++
			if c.Text != nil {
				t.Errorf("%s\n%v, want %q", c.Template, err, *c.Text)
			}
		case c.Text != nil && err != nil:
			t.Errorf("%s\n%v, want %q", c.Template, err, *c.Text)
		case c.Text != nil && text != *c.Text:
			t.Errorf("%s\nrendered %q,\nwant     %q", c.Template, text, *c.Text)
		case c.Text == nil && err == nil:
			t.Errorf("%s\nrendered %q, want %s", c.Template, text, c.Error)
		case c.Text == nil && kind != c.Error:
			t.Errorf("%s\n%v, want %s", c.Template, err, c.Error)
		}
		if c.Text != nil {
			texts++
		}
	}
	t.Logf("%d cases compared, %d of them texts; %d are not supported", len(v.Cases), texts, refused)
	if texts == 0 {
		t.Error("no cases")
	}
}

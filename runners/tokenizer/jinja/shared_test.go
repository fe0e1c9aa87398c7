package jinja

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/snapbench/snapbench/runners/sharedtest"
)

// sharedCase is a conversation with Jinja2's text or error.
type sharedCase struct {
	Conversation        string  `json:"conversation"`
	AddGenerationPrompt bool    `json:"add_generation_prompt"`
	Text                *string `json:"text"`
	Error               string  `json:"error"`
}

type sharedMessage struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

// sharedVectors are real models' templates and small ones, rendered by Jinja2 in
// the transformers library's settings, without its generation tag.
type sharedVectors struct {
	Now           string                     `json:"strftime_now"`
	Conversations map[string][]sharedMessage `json:"conversations"`
	Real          []struct {
		Template string       `json:"template"`
		Cases    []sharedCase `json:"cases"`
	} `json:"real"`
	Micro []struct {
		Template string `json:"template"`
		sharedCase
	} `json:"micro"`
	MicroMessages []sharedMessage `json:"micro_messages"`
}

// TestSharedVectors: every case gives Jinja2's text, or an error if Jinja2 does.
func TestSharedVectors(t *testing.T) {
	var v sharedVectors
	sharedtest.JSON(t, sharedtest.Path(t, "vectors", "jinja.json"), &v)
	now, err := time.Parse("2006-01-02 15:04:05", v.Now)
	if err != nil {
		t.Fatal(err)
	}
	if v.Conversations["M"] == nil {
		v.Conversations["M"] = v.MicroMessages
	}
	check := func(name, source string, c sharedCase) {
		t.Helper()
		messages := []any{}
		for _, m := range v.Conversations[c.Conversation] {
			messages = append(messages, Pairs{{"role", m.Role}, {"content", m.Content}})
		}
		text := ""
		tmpl, err := Parse(source, Options{})
		if err == nil {
			text, err = tmpl.Render(Variables{
				"messages": messages, "add_generation_prompt": c.AddGenerationPrompt, "bos_token": "<s>", "eos_token": "</s>",
			}, now, Limits{})
		}
		switch {
		case c.Text == nil && err == nil:
			t.Errorf("%s/%s: rendered %q, want the error %s", name, c.Conversation, text, c.Error)
		case c.Text != nil && err != nil:
			t.Errorf("%s/%s: %v, want %q", name, c.Conversation, err, *c.Text)
		case c.Text != nil && text != *c.Text:
			t.Errorf("%s/%s: rendered\n%q, want\n%q", name, c.Conversation, text, *c.Text)
		case c.Text == nil && !strings.HasPrefix(c.Error, kindOf(err)) && kindOf(err) != Unsupported:
			t.Errorf("%s/%s: the error %v, want %s", name, c.Conversation, err, c.Error)
		}
	}
	compared := 0
	for _, r := range v.Real {
		source, err := os.ReadFile(sharedtest.Path(t, "vectors", "templates", r.Template))
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range r.Cases {
			check(r.Template, string(source), c)
			compared++
		}
	}
	t.Logf("%d cases of %d real templates compared", compared, len(v.Real))
	for _, m := range v.Micro {
		check(m.Template, m.Template, m.sharedCase)
	}
	t.Logf("%d small cases compared", len(v.Micro))
	if compared == 0 || len(v.Micro) == 0 {
		t.Error("no cases")
	}
}

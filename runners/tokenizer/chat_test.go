package tokenizer

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/snapbench/snapbench/runners/sharedtest"
)

// chatVectors are conversations rendered by Jinja2.
type chatVectors struct {
	BOS   string `json:"bos_token"`
	EOS   string `json:"eos_token"`
	Date  string `json:"date"`
	Cases []struct {
		Family              string    `json:"family"`
		Conversation        string    `json:"conversation"`
		AddGenerationPrompt bool      `json:"add_generation_prompt"`
		Template            string    `json:"template"`
		Messages            []Message `json:"messages"`
		Rendered            string    `json:"rendered"`
		Error               string    `json:"error"`
	} `json:"cases"`
}

func (v *chatVectors) check(t *testing.T) {
	t.Helper()
	now, err := time.Parse("2 Jan 2006", v.Date)
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, c := range v.Cases {
		name := c.Family + "/" + c.Conversation
		tmpl, err := ParseChatTemplate(c.Template)
		if c.Family == "gemma3" {
			if err == nil || !strings.Contains(err.Error(), "chat template does not parse") || len(err.Error()) > 300 {
				t.Errorf("%s: error %v, want one that says that the template does not parse", name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		tmpl.BOS, tmpl.EOS = v.BOS, v.EOS
		got, err := tmpl.Render(c.Messages, RenderOptions{AddGenerationPrompt: c.AddGenerationPrompt, Now: now})
		switch {
		case c.Error != "" && err == nil:
			t.Errorf("%s: rendered %q, want an error like %s", name, got, c.Error)
		case c.Error == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case got != c.Rendered:
			t.Errorf("%s: rendered\n%q, want\n%q", name, got, c.Rendered)
		}
		checked++
	}
	if checked == 0 {
		t.Error("no cases")
	}
	t.Logf("%d cases", checked)
}

func TestChatTemplatesShared(t *testing.T) {
	var v chatVectors
	sharedtest.JSON(t, sharedtest.Path(t, "vectors", "chat_templates.json"), &v)
	v.check(t)
}

// Some of the same cases, for checkouts without the reference data.
func TestChatTemplates(t *testing.T) {
	var v chatVectors
	sharedtest.JSON(t, filepath.Join("testdata", "chat_templates.json"), &v)
	v.check(t)
}

func TestChatTemplateErrors(t *testing.T) {
	messages := []Message{{"user", "Hi"}}
	for _, c := range []struct{ source, want string }{
		{`{% if x %}`, "does not parse"},
		{`{{ messages | nosuchfilter }}`, "nosuchfilter"},
		{`{% include "/etc/passwd" %}`, "does not parse"},
		{`{% import "x" as y %}`, "does not parse"},
		{`{{ raise_exception("no tools here") }}`, "the template refuses the conversation: no tools here"},
		{`{{ strftime_now("%Q") }}`, "%Q is not supported"},
		{`{% for i in range(2000000) %}{% endfor %}`, "more than 262144 steps"},
		{`{% for i in range(2000) %}{% for j in range(2000) %}{% endfor %}{% endfor %}`, "more than 262144 steps"},
		{`{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}`, "macros nested deeper than 64"},
		{`{% macro f() %}{{ g() }}{% endmacro %}{% macro g() %}{{ f() }}{% endmacro %}{{ g() }}`, "macros nested deeper than 64"},
		{"{{ " + strings.Repeat("(", maxTemplate-9), "brackets open at once, more than 1000"},
		{"{{ " + strings.Repeat("(')'~", 500), "does not parse"},
		{strings.Repeat(" ", maxTemplate+1), "more than 65536"},
	} {
		tmpl, err := ParseChatTemplate(c.source)
		if err == nil {
			_, err = tmpl.Render(messages, RenderOptions{})
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.80s: error %v, want one with %q", c.source, err, c.want)
		}
	}
}

func TestChatTemplateVariables(t *testing.T) {
	tmpl, err := ParseChatTemplate(`{{ bos_token }}{% if enable_thinking %}think {% endif %}` +
		`{%- macro turn(m) -%} {{ m.role }}={{ m['content'] | trim }};{%- endmacro -%}` +
		`{% for m in messages %}{{ turn(m) }}{% endfor %}{{ strftime_now("%d %b %Y, %j, 100%%") }}{{ eos_token }}`)
	if err != nil {
		t.Fatal(err)
	}
	tmpl.BOS, tmpl.EOS = "<s>", "</s>"
	got, err := tmpl.Render([]Message{{"user", " a "}, {"assistant", "b"}}, RenderOptions{
		Now: time.Date(2024, 7, 6, 0, 0, 0, 0, time.UTC), Variables: map[string]any{"enable_thinking": true},
	})
	if want := "<s>think user=a;assistant=b;06 Jul 2024, 188, 100%</s>"; err != nil || got != want {
		t.Errorf("rendered %q (%v), want %q", got, err, want)
	}
}

package tokenizer

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/snapbench/snapbench/runners/sharedtest"
	"github.com/snapbench/snapbench/runners/tokenizer/jinja"
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

// TestChatTemplates has some of the same cases, for checkouts without the reference data.
func TestChatTemplates(t *testing.T) {
	var v chatVectors
	sharedtest.JSON(t, filepath.Join("testdata", "chat_templates.json"), &v)
	v.check(t)
}

func TestChatTemplateErrors(t *testing.T) {
	messages := []Message{{"user", "Hi"}}
	for _, c := range []struct{ source, want string }{
		{"a\n{% if x %}", "chat template does not parse: line 2: "},
		{`{{ messages | nosuchfilter }}`, "nosuchfilter"},
		{`{% include "/etc/passwd" %}`, "chat template: line 1: not supported: the statement include"},
		{`{% import "x" as y %}`, "not supported: the statement import"},
		{"\n\n{{ raise_exception('no tools here') }}", "chat template: the template refuses the conversation: no tools here"},
		{`{{ strftime_now("%Q") }}`, "not supported: strftime_now('%Q'): %Q"},
		{`{{ messages[9].role }}`, "line 1: UndefinedError: list object has no element 9"},
		{`{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}`, "limit: more than 8388608 steps"},
		{`{{ 'a' * 10 ** 12 }}`, "limit: more than 64 MiB of text and lists"},
		{`{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}`, "limit: nested deeper than 1000"},
		{"{{ " + strings.Repeat("(", 60000), "nested deeper than 200"},
		{strings.Repeat(" ", jinja.MaxSource+1), "chat template: limit: 65537 bytes, more than 65536"},
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
	if tmpl, err = ParseChatTemplate(`{{ messages[0].content }}{% if add_generation_prompt %} speak{% endif %}`); err != nil {
		t.Fatal(err)
	}
	for want, variables := range map[string]map[string]any{"a speak": nil, "a": {"add_generation_prompt": false}} {
		got, err := tmpl.Render([]Message{{"user", "a"}}, RenderOptions{AddGenerationPrompt: true, Variables: variables})
		if err != nil || got != want {
			t.Errorf("rendered with %v: %q (%v), want %q", variables, got, err, want)
		}
	}
}

// TestChatTemplateDate: only a template that names strftime_now depends on the date. The caller sets the date.
func TestChatTemplateDate(t *testing.T) {
	for source, want := range map[string]struct {
		uses bool
		text string
	}{
		`{{ bos_token }}plain`: {false, "plain"},
		`{% if strftime_now is defined %}{{ strftime_now('%Y-%m-%d') }}{% endif %}`: {true, "2026-01-02"},
	} {
		tmpl, err := ParseChatTemplate(source)
		if err != nil {
			t.Fatal(err)
		}
		text, err := tmpl.Render(nil, RenderOptions{Now: time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)})
		if err != nil || text != want.text || tmpl.UsesDate() != want.uses {
			t.Errorf("%s: %q, uses the date %v (%v), want %q, %v", source, text, tmpl.UsesDate(), err, want.text, want.uses)
		}
	}
}

// TestBadTemplateNamesItsFile: an error names the file of the template.
func TestBadTemplateNamesItsFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "tokenizer_config.json")
	if err := os.WriteFile(path, []byte(`{"chat_template": "{{ 'a' * 1000000000000 }}"}`), 0o644); err != nil {
		t.Fatal(err)
	}
	tmpl, err := OpenChatTemplate(dir)
	if err != nil {
		t.Fatal(err)
	}
	_, err = tmpl.Render(nil, RenderOptions{})
	if want := path + ": chat template: line 1: limit: more than 64 MiB of text and lists"; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

// TestLongConversations: templates like real ones stay within the limits, also with prompts of millions of tokens.
func TestLongConversations(t *testing.T) {
	tmpl, err := ParseChatTemplate(`{% for m in messages %}{% if m.content.startswith('x') %}{% set c = m['content'].split('\n')[-1]|trim %}{% else %}` +
		`{% set c = m.content | trim %}{% set c = c.replace('  ', ' ') %}{% endif %}{{ '<|' + m.role + '|>\n' + c + '<|end|>' + '-' * 3 }}{% for n in messages[::-1] %}{% endfor %}{% endfor %}`)
	if err != nil {
		t.Fatal(err)
	}
	const line = "All work and no play.\n"
	for _, c := range []struct{ messages, lines int }{{1, 1 << 20}, {500, 10}, {500, 1000}} {
		content := strings.Repeat(line, c.lines)
		var messages []Message
		for range c.messages {
			messages = append(messages, Message{"user", content})
		}
		text, err := tmpl.Render(messages, RenderOptions{})
		if want := c.messages * (len("<|user|>\n<|end|>---") + len(content) - 1); err != nil || len(text) != want {
			t.Errorf("%d messages of %d bytes: %d bytes of text, want %d (%v)", c.messages, len(content), len(text), want, err)
		}
	}
}

package tokenizer

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// Templates that would take all memory there is: each is an error, and takes little before it is one.
func TestHostileTemplates(t *testing.T) {
	doubled := func(statement string) string {
		return `{% set x = 'abcdefgh' %}` + strings.Repeat(statement, 60) + `{{ x|length }}`
	}
	// A list of lists of lists … each twice the one before: small, until it becomes text.
	laughs := `{% set x = ['ha'] %}` + strings.Repeat(`{% set x = [x, x] %}`, 60)
	for _, source := range []string{
		`{{ 'a' * 1000000000000 }}`,
		`{{ ('a' * 1000000) * 1000000 }}`,
		`{{ 'a' * '1000000000' }}`,
		`{% if 'a' * 1000000000000 %}{% endif %}`,
		`{% set x = 'a' * 1000000000000 %}`,
		`{% with x = 'a' * 1000000000000 %}{% endwith %}`,
		`{% do 'a' * 1000000000000 %}`,
		`{% for c in 'a' * 1000000000000 %}{% endfor %}`,
		`{% for c in 'a' * 30000000 %}{% endfor %}`,
		`{% macro f(x) %}{{ x * 1000000000000 }}{% endmacro %}{{ f('a') }}`,
		`{% macro f(x='a' * 1000000000000) %}{% endmacro %}{{ f() }}`,
		`{% filter replace('a', 'b' * 1000000000000) %}a{% endfilter %}`,
		`{{ ['a' * 1000000000000] }}`,
		`{{ {'k': 'a' * 1000000000000}.k }}`,
		`{{ messages[('a' * 1000000000000)|length] }}`,
		`{{ 'a' if 'a' * 1000000000000 else 'b' }}`,
		`{{ 'a' if false else 'a' * 1000000000000 }}`,
		`{{ not 'a' * 1000000000000 }}`,
		`{{ ('a' * 1000000000000) is string }}`,
		`{{ 'b' is in('a' * 1000000000000) }}`,
		`{{ 'a'.replace('a', 'b' * 1000000000000, -1) }}`,
		`{{ ('ab' * 8000000)[::-1] ~ ('ab' * 8000000)[::-1] }}`,
		doubled(`{% set x = x ~ x %}`),
		doubled(`{% set x = x + x %}`),
		doubled(`{% set x = [x, x]|join %}`),
		doubled(`{% set x %}{{ x }}{{ x }}{% endset %}`),
		doubled(`{% set x = x.replace('a', 'aa', -1) %}`),
		`{% set x = ['ha'] %}` + strings.Repeat(`{% set x = x + x %}`, 60),
		`{% set ns = namespace(x='abcdefgh') %}{% for i in range(60) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}`,
		`{% set ns = namespace(x=['abcdefgh']) %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}`,
		`{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% else %}` + strings.Repeat("text ", 9000) + `{% endif %}{% endmacro %}{{ f(30) }}`,
		`{% for i in range(100000) %}` + strings.Repeat("text ", 9000) + `{% endfor %}`,
		`{% set x %}{% for i in range(100000) %}` + strings.Repeat("text ", 9000) + `{% endfor %}{% endset %}`,
		laughs + `{{ x }}`,
		laughs + `{{ x ~ '' }}`,
		laughs + `{{ 'a' < x }}`,
		laughs + `{{ 1 - x }}`,
		laughs + `{{ x|string }}`,
		laughs + `{{ x|tojson }}`,
		laughs + `{{ x|join }}`,
		laughs + `{{ [1]|sum(start=x) }}`,
		laughs + `{{ ''|default(x, true) }}`,
		laughs + `{% filter default(x, true) %}{% endfilter %}`,
		laughs + `{{ x.append(1) }}`,
		laughs + `{{ x.nosuch() }}`,
		laughs + `{{ 'a'.join(x) }}`,
		laughs + `{{ raise_exception(x) }}`,
		laughs + `{{ strftime_now(x) }}`,
		laughs + `{{ cycler(x) }}`,
		laughs + `{{ joiner(x) }}`,
		`{% set ns = namespace() %}{% set ns.ns = ns %}{{ ns }}`,
		`{% set x = [] %}{% do x.append(x) %}{{ x|tojson }}{{ x|string }}{% set ns = namespace() %}{% set ns.ns = ns %}{{ ns|tojson }}`,
		`{{ 'a'|center(1000000000000) }}`,
		`{{ 'a'.center(1000000000000) }}`,
		`{{ 'a'.ljust(1000000000000) }}`,
		`{{ 'a'.rjust(1000000000000) }}`,
		`{{ 'a'.zfill(1000000000000) }}`,
		`{{ '\t'.expandtabs(1000000000000) }}`,
		`{{ '{:>1000000000000}'.format('a') }}`,
		`{{ '{:>{}}'.format('a', 1000000000000) }}`,
		`{{ ('%999999d' * 100)|format(1) }}`,
		`{{ 'a\nb'|indent(1000000000000) }}`,
		`{{ ('a\n' * 10000)|indent(10000) }}`,
		`{{ ('a' * 100000)|replace('', 'b' * 100000) }}`,
		`{{ range(10000)|join('b' * 100000) }}`,
		`{% set s = 'b' * 100000 %}{{ s.join(range(10000)) }}`,
		`{{ [1]|slice(1000000000000) }}`,
		`{{ [1]|batch(1000000000000, 1) }}`,
		`{{ ('a' * 60000000)|list|length }}`,
		`{{ ('a ' * 30000000).split()|length }}`,
		`{{ ('a' * 60000000).split('a')|length }}`,
		`{{ messages|tojson(indent=1000000000000) }}`,
		`{{ ('http://a ' * 10000)|urlize(target='a' * 100000) }}`,
		// nested loops hold what each goes over
		strings.Repeat(`{% for c in 'a' * 200000 %}`, 100) + strings.Repeat(`{% endfor %}`, 100),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		tmpl, err := ParseChatTemplate(source)
		var text string
		if err == nil {
			text, err = tmpl.Render([]Message{{"user", "Hi"}}, RenderOptions{})
		}
		runtime.ReadMemStats(&after)
		end := source[max(0, len(source)-90):]
		if want := "chat template: more than 64 MiB of text and lists"; err == nil || err.Error() != want {
			t.Errorf("…%s: %.100q, error %.400v, want %s", end, text, err, want)
		}
		if took := after.TotalAlloc - before.TotalAlloc; took > 1<<30 {
			t.Errorf("…%s: it took %d MiB", end, took>>20)
		}
	}
	for source, want := range map[string]string{
		`{{ 'a' * 10 ** 12 }}`: "text times a power",
		`{% for y in [1] recursive %}{{ loop([1]) }}{% endfor %}`:                   "recursive loops are not supported",
		laughs + `{% set ns = namespace(x=x) %}{% call ns.get('x') %}{% endcall %}`: "a call statement calls a macro",
		laughs + `{{ range(x) }}`: "range takes whole numbers",
	} {
		tmpl, err := ParseChatTemplate(source)
		if err == nil {
			_, err = tmpl.Render([]Message{{"user", "Hi"}}, RenderOptions{})
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one with %s", source, err, want)
		}
	}
}

// The error names the file that the template came from.
func TestHostileTemplateNamesItsFile(t *testing.T) {
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
	if want := path + ": chat template: more than 64 MiB of text and lists"; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

// What templates do in earnest has room, for prompts of millions of tokens too.
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

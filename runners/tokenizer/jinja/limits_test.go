package jinja

import (
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestHostileTemplates has templates that would exhaust memory, time or the stack. Each
// must give an error at little cost.
func TestHostileTemplates(t *testing.T) {
	doubled := func(statement string) string {
		return `{% set x = 'abcdefgh' %}` + strings.Repeat(statement, 60) + `{{ x|length }}`
	}
	// A list of lists of lists …, each twice in the next: small in memory, but very long when it is visited.
	laughs := `{% set x = ['ha'] %}` + strings.Repeat(`{% set x = [x, x] %}`, 60)
	for _, source := range []string{
		`{{ 'a' * 1000000000000 }}`,
		`{{ 1000000000000 * 'a' }}`,
		`{{ 'a' * 10 ** 30 }}`,
		`{{ ('a' * 1000000) * 1000000 }}`,
		`{{ [1] * 10 ** 12 }}`,
		`{{ (1, 2) * 10 ** 30 }}`,
		`{% for c in 'a' * 1000000000000 %}{% endfor %}`,
		`{% for c in 'a' * 30000000 %}{% endfor %}`,
		`{% macro f(x) %}{{ x * 1000000000000 }}{% endmacro %}{{ f('a') }}`,
		`{% macro f(x='a' * 1000000000000) %}{% endmacro %}{{ f() }}`,
		`{{ messages[('a' * 1000000000000)|length] }}`,
		`{{ 'a' if 'a' * 1000000000000 else 'b' }}`,
		`{{ 'a'.replace('a', 'b' * 1000000000000, -1) }}`,
		`{{ ('ab' * 8000000)[::-1] ~ ('ab' * 8000000)[::-1] }}`,
		doubled(`{% set x = x ~ x %}`),
		doubled(`{% set x = x + x %}`),
		doubled(`{% set x = [x, x]|join %}`),
		doubled(`{% set x %}{{ x }}{{ x }}{% endset %}`),
		doubled(`{% set x = x.replace('a', 'aa') %}`),
		doubled(`{% set x = '%s%s' % (x, x) %}`),
		doubled(`{% set x = '{0}{0}'.format(x) %}`),
		`{% set x = ['ha'] %}` + strings.Repeat(`{% set x = x + x %}`, 60),
		`{% set x = 3 %}` + strings.Repeat(`{% set x = x * x %}`, 60),
		`{{ 10 ** 10000000000 }}`,
		`{{ -7 ** 10000000000 }}`,
		`{% set ns = namespace(x='abcdefgh') %}{% for i in range(60) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}`,
		`{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% else %}` + strings.Repeat("text ", 9000) + `{% endif %}{% endmacro %}{{ f(30) }}`,
		`{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }}`,
		`{% for i in range(100000) %}` + strings.Repeat("text ", 9000) + `{% endfor %}`,
		`{% for i in range(100000) %}{% for i in range(100000) %}{% endfor %}{% endfor %}`,
		`{% set l = [1] %}{% for n in l recursive %}{{ loop(l) }}{% endfor %}`,
		`{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}`,
		`{% macro f() %}{{ caller is defined }}{% call f() %}{% endcall %}{% endmacro %}{{ f() }}`,
		laughs + `{{ x }}`,
		laughs + `{{ x|tojson }}`,
		laughs + `{{ '%s' % [x] }}`,
		laughs + `{{ raise_exception(x) }}`,
		laughs + strings.ReplaceAll(laughs, "x", "y") + `{{ x == y }}`,
		laughs + strings.ReplaceAll(laughs, "x", "y") + `{{ x < y }}`,
		laughs + strings.ReplaceAll(laughs, "x", "y") + `{{ [x, y]|sort }}`,
		strings.NewReplacer("['ha']", "('ha',)", "[x, x]", "(x, x)").Replace(laughs) + `{{ {x: 1} }}`,
		`{% set ns = namespace() %}{% set ns.ns = [ns] %}{% set n2 = namespace() %}{% set n2.ns = [n2] %}{{ ('a' * 10000000)|list }}`,
		`{{ 'a'|center(1000000000000) }}`,
		`{{ 'a'.ljust(1000000000000) }}`,
		`{{ 'a'.zfill(1000000000000) }}`,
		`{{ '\t'.expandtabs(1000000000000) }}`,
		`{{ '{:>1000000000000}'.format('a') }}`,
		`{{ '{:>{}}'.format('a', 1000000000000) }}`,
		`{{ '{:01000000000000,}'.format(1) }}`,
		`{{ '%1000000000000d' % 1 }}`,
		`{{ '%.1000000000d' % 1 }}`,
		`{{ '%.1000000000f' % 1.5 }}`,
		`{{ ('%999999d' * 100) % ((1,) * 100) }}`,
		`{{ 'a\nb'|indent(1000000000000) }}`,
		`{{ ('a\n' * 10000)|indent(10000) }}`,
		`{{ ('a' * 100000)|replace('', 'b' * 100000) }}`,
		`{{ range(10000)|join('b' * 100000) }}`,
		`{{ ('b' * 100000).join(range(10000)|map('string')) }}`,
		`{{ [1]|slice(1000000000000)|list }}`,
		`{{ [1]|batch(1000000000000, 1)|list }}`,
		`{{ ('a ' * 30000000).split()|length }}`,
		`{{ ('a' * 30000000).split('a')|length }}`,
		`{{ ('a' * 30000000).rsplit('a')|length }}`,
		`{{ ('\n' * 30000000).splitlines()|length }}`,
		`{{ [1]|tojson(indent=1000000000000) }}`,
		`{{ range(100000)|map('string')|map('center', 100000)|list }}`,
		`{% set s = 'é' * 1000000 %}{% for i in range(100000) %}{{ s[i] }}{% endfor %}`,
		`{% set s = 'é' * 10000000 %}{% for i in range(100000) %}{% if 'x' in s %}{% endif %}{% endfor %}`,
		`{% set l = range(100000)|list %}{% for i in l %}{% if -1 in l %}{% endif %}{% endfor %}`,
		strings.Repeat(`{% for c in 'a' * 200000 %}`, 100) + strings.Repeat(`{% endfor %}`, 100),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		begun := time.Now()
		tmpl, err := Parse(source, Options{})
		text := ""
		if err == nil {
			text, err = tmpl.Render(caseVariables(), caseTime, Limits{})
		}
		took := time.Since(begun)
		runtime.ReadMemStats(&after)
		end := source[max(0, len(source)-90):]
		if kindOf(err) != OverLimit {
			t.Errorf("…%s: %.100q, error %.400v, want one of kind %s", end, text, err, OverLimit)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > 2<<30 || took > 10*time.Minute {
			t.Errorf("…%s: it took %d MiB and %v", end, n>>20, took)
		}
	}
	// The parser has its own limit.
	for _, source := range []string{
		"{{ " + strings.Repeat("(", 60000), "{{ " + strings.Repeat("[", 60000), "{{ " + strings.Repeat("-", 60000) + "1 }}",
		"{{ " + strings.Repeat("not ", 16000) + "1 }}", strings.Repeat("{% if 1 %}", 6000), "{{ " + strings.Repeat("{1:", 20000),
		"{{ " + strings.Repeat("f(", 30000), "{{ " + strings.Repeat("a if b else ", 5000) + "c }}",
	} {
		if _, err := Parse(source, Options{}); err == nil || !strings.Contains(err.Error(), "nested deeper than 200") {
			t.Errorf("%.30s…: error %v, want one about nesting", source, err)
		}
	}
	// Long templates that are not deep are within the limits.
	for _, source := range []string{
		"{{ 1" + strings.Repeat(" + 1", 900) + " }}", "{{ x" + strings.Repeat("|d", 900) + " }}", "{{ 'a'" + strings.Repeat(" ~ 'a'", 9000) + " }}",
		strings.Repeat("{% if x %}", 1) + strings.Repeat("{% elif x %}", 5000) + "{% endif %}",
	} {
		tmpl, err := Parse(source, Options{})
		if err == nil {
			_, err = tmpl.Render(nil, caseTime, Limits{})
		}
		if err != nil {
			t.Errorf("%.30s…: %v", source, err)
		}
	}
}

// TestUnsupported: a feature of Jinja2 that this package lacks gives an error that names it.
func TestUnsupported(t *testing.T) {
	for source, want := range map[string]string{
		"{{ self }}":                            "the variable self",
		"{{ range }}":                           "has an address in Python",
		"{{ 'a'.upper }}":                       "has an address in Python",
		"{{ messages|map('upper') }}":           "the text of a generator",
		"{% block a %}x{% endblock %}":          "the statement block",
		"{% extends 'a' %}":                     "the statement extends",
		"{% from 'a' import b %}":               "the statement from",
		"{% autoescape 1 %}{% endautoescape %}": "the statement autoescape",
		"{{ lipsum() }}":                        "lipsum",
		"{{ [1]|random }}":                      "random",
		"{{ 'a'.encode() }}":                    "str.encode",
		"{{ 'http://a.b'|urlize }}":             "urlize",
		"{{ 'a'|wordwrap }}":                    "wordwrap",
		"{{ [1]|pprint }}":                      "pprint",
		"{{ '&amp;'|striptags }}":               "striptags",
		"{{ '\\N{DASH}' }}":                     "a character by name",
		"{{ '\\ud83d' }}":                       "half of a pair of surrogates",
		"{{ (-1) ** 0.5 }}":                     "complex numbers",
		"{{ 1e400 }}":                           "beyond a float",
		"{{ 'a' is sameas 'a' }}":               "sameas",
		"{{ strftime_now('%Q') }}":              "%Q",
		"{{ range(3)[1:] }}":                    "a slice of a range",
		"\xff":                                  "not valid UTF-8",
	} {
		tmpl, err := Parse(source, Options{})
		if err == nil {
			_, err = tmpl.Render(caseVariables(), caseTime, Limits{})
		}
		if kindOf(err) != Unsupported || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one that says that %s is not supported", source, err, want)
		}
	}
}

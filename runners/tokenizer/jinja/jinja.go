// Package jinja renders the template language Jinja2 as the transformers
// library sets it up for chat templates: trim_blocks and lstrip_blocks, the
// immutable sandbox, break and continue, its own tojson, raise_exception,
// strftime_now, and the generation tag if [Options] allows it. [Parse] reads a
// template (lexer.go, parser.go, bind.go) and [Template.Render] runs it
// (statements.go, eval.go).
//
// A template gives the same text as Jinja2 3.1 under Python 3.11, or an error.
// Values are printed, compared and converted as in Python, and names are bound as
// by Jinja2's compiler. Using something unsupported gives an error that names it:
// other templates (include, extends, import, block), random values (lipsum,
// random), and values that only Python can print, such as an address.
//
// Templates are not trusted: [Limits] bounds the time and memory of a rendering.
package jinja

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// MaxSource is the largest template in bytes. Real ones have up to 20 thousand.
const MaxSource = 1 << 16

// Options say which extensions a template may use.
type Options struct {
	// Generation allows {% generation %}, with which the transformers library
	// marks the assistant's turns. Its body is rendered without a change.
	Generation bool
}

// Limits bound a rendering. Zero means the default.
type Limits struct {
	Steps  int   // work: expressions and statements evaluated, items and text visited; default 8 Mi
	Memory int64 // bytes of all text and lists made, whether kept or not; default 64 MiB
	Depth  int   // nesting of expressions, statements and macros; default 1000
}

// DefaultLimits are the default limits.
var DefaultLimits = Limits{Steps: 1 << 23, Memory: 64 << 20, Depth: 1000}

// Variables are the variables of a template by name. A value is nil, bool, int, int64,
// float64, string, []any, map[string]any (sorted by key) or [Pairs].
type Variables map[string]any

// Pairs is an ordered dictionary.
type Pairs []Pair

// Pair is an entry of [Pairs].
type Pair struct {
	Key   string
	Value any
}

// Template is a parsed template. It is safe for concurrent use.
type Template struct {
	body    []node
	root    *function
	load    []load
	usesNow bool
}

// Error is an error of a template, or something in it that is not supported.
type Error struct {
	Kind string // Python's or Jinja2's name of the error, or one of the constants below
	Text string
	Line int // of the template; 0 if unknown
}

// Kinds of errors that are not Python's.
const (
	Unsupported = "not supported" // Jinja2 might accept the template
	OverLimit   = "limit"
	Refused     = "TemplateError" // the template called raise_exception
)

func (e *Error) Error() string {
	text := e.Kind + ": " + e.Text
	if e.Line > 0 {
		text = fmt.Sprintf("line %d: %s", e.Line, text)
	}
	return text
}

func fail(kind, format string, args ...any) error {
	return &Error{Kind: kind, Text: fmt.Sprintf(format, args...)}
}

func kindOf(err error) string {
	if e, ok := err.(*Error); ok {
		return e.Kind
	}
	return ""
}

// Parse reads a template. An error is an [*Error].
func Parse(source string, o Options) (*Template, error) {
	if len(source) > MaxSource {
		return nil, fail(OverLimit, "%d bytes, more than %d", len(source), MaxSource)
	}
	if !utf8.ValidString(source) {
		return nil, fail(Unsupported, "the template is not valid UTF-8")
	}
	tokens, err := tokenize(source)
	if err != nil {
		return nil, err
	}
	p := &parser{tokens: tokens, generation: o.Generation}
	body, err := p.template()
	if err != nil {
		return nil, err
	}
	t := &Template{body: body}
	if err := t.bind(); err != nil {
		return nil, err
	}
	return t, nil
}

// UsesNow reports whether the template names strftime_now, so that its text may
// depend on the argument now of Render.
func (t *Template) UsesNow() bool { return t.usesNow }

// Render returns the template's text. An error is an [*Error].
func (t *Template) Render(vars Variables, now time.Time, limits Limits) (string, error) {
	if limits.Steps <= 0 {
		limits.Steps = DefaultLimits.Steps
	}
	if limits.Memory <= 0 {
		limits.Memory = DefaultLimits.Memory
	}
	if limits.Depth <= 0 {
		limits.Depth = DefaultLimits.Depth
	}
	r := &run{limits: limits, now: now, names: map[string]Value{}}
	for name, f := range globals {
		r.names[name] = f
	}
	for name, v := range vars {
		x, err := fromGo(v)
		if err != nil {
			return "", fail(Unsupported, "variable %s: %v", name, err)
		}
		r.names[name] = x
	}
	out := &strings.Builder{}
	r.out, r.at = out, newActivation(t.root, nil)
	if err := r.enter(t.load); err != nil {
		return "", err
	}
	if _, err := r.statements(t.body); err != nil {
		return "", err
	}
	return out.String(), nil
}

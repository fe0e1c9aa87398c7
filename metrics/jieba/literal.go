package jieba

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// table is a Python dictionary of numbers (float64) and dictionaries (table).
type table map[string]any

func (t table) number(key string) (float64, error) {
	switch v := t[key].(type) {
	case float64:
		return v, nil
	case nil:
		return 0, fmt.Errorf("no entry %q", key)
	default:
		return 0, fmt.Errorf("the entry %q is not a number", key)
	}
}

func (t table) table(key string) (table, error) {
	switch v := t[key].(type) {
	case table:
		return v, nil
	case nil:
		return nil, fmt.Errorf("no entry %q", key)
	default:
		return nil, fmt.Errorf("the entry %q is not a dictionary", key)
	}
}

// parseTable reads the dictionary that a Python module assigns to P. It may hold
// strings, numbers and dictionaries, but no code.
func parseTable(name string, module []byte) (table, error) {
	p := literal{name: name, text: string(module), line: 1}
	if !utf8.Valid(module) {
		return nil, fmt.Errorf("%s: invalid UTF-8", name)
	}
	for !p.assignment() {
		newline := strings.IndexByte(p.text[p.at:], '\n')
		if newline < 0 {
			return nil, fmt.Errorf("%s: no line assigns to P", name)
		}
		p.at += newline + 1
		p.line++
	}
	t, err := p.dict(0)
	if err != nil {
		return nil, err
	}
	p.space()
	if p.at < len(p.text) {
		return nil, p.errorf("expected the end after the dictionary, found %q", clip(p.text[p.at:]))
	}
	return t, nil
}

// literal is a scanner over the subset of Python that the tables use.
type literal struct {
	name string
	text string
	at   int
	line int
}

func (p *literal) errorf(format string, args ...any) error {
	return fmt.Errorf("%s:%d: %s", p.name, p.line, fmt.Sprintf(format, args...))
}

// assignment skips "P =" if the line starts with it.
func (p *literal) assignment() bool {
	rest, ok := strings.CutPrefix(p.text[p.at:], "P")
	if !ok {
		return false
	}
	rest, ok = strings.CutPrefix(strings.TrimLeft(rest, " \t"), "=")
	if ok {
		p.at = len(p.text) - len(rest)
	}
	return ok
}

// space skips white space and comments.
func (p *literal) space() {
	for p.at < len(p.text) {
		switch p.text[p.at] {
		case '\n':
			p.line++
		case ' ', '\t', '\r', '\f':
		case '#':
			if newline := strings.IndexByte(p.text[p.at:], '\n'); newline >= 0 {
				p.at += newline
			} else {
				p.at = len(p.text)
			}
			continue
		default:
			return
		}
		p.at++
	}
}

// take skips white space, and then c if it comes next.
func (p *literal) take(c byte) bool {
	p.space()
	if p.at < len(p.text) && p.text[p.at] == c {
		p.at++
		return true
	}
	return false
}

func (p *literal) rest() string {
	if p.at == len(p.text) {
		return "the end of the file"
	}
	return strconv.Quote(clip(p.text[p.at:min(len(p.text), p.at+20)]))
}

func (p *literal) dict(depth int) (table, error) {
	if depth > 2 {
		return nil, p.errorf("dictionaries nested deeper than the tables of the model are")
	}
	if !p.take('{') {
		return nil, p.errorf("expected a dictionary, found %s", p.rest())
	}
	t := table{}
	for !p.take('}') {
		key, err := p.str()
		if err != nil {
			return nil, err
		}
		if !p.take(':') {
			return nil, p.errorf("expected : after the key %q, found %s", clip(key), p.rest())
		}
		p.space()
		var value any
		if strings.HasPrefix(p.text[p.at:], "{") {
			value, err = p.dict(depth + 1)
		} else {
			value, err = p.number()
		}
		if err != nil {
			return nil, err
		}
		t[key] = value
		if !p.take(',') {
			if !p.take('}') {
				return nil, p.errorf("expected , or } after the entry %q, found %s", clip(key), p.rest())
			}
			break
		}
	}
	return t, nil
}

func (p *literal) number() (float64, error) {
	end := p.at
	for end < len(p.text) && strings.IndexByte("+-.0123456789eE", p.text[end]) >= 0 {
		end++
	}
	v, err := strconv.ParseFloat(p.text[p.at:end], 64)
	if err != nil || math.IsInf(v, 0) {
		return 0, p.errorf("expected a number, found %s", p.rest())
	}
	p.at = end
	return v, nil
}

// str reads a string in single or double quotes, on one line.
func (p *literal) str() (string, error) {
	p.space()
	if p.at < len(p.text) && p.text[p.at] == 'u' { // older tables write u'…'
		p.at++
	}
	if p.at == len(p.text) || p.text[p.at] != '\'' && p.text[p.at] != '"' {
		return "", p.errorf("expected a string, found %s", p.rest())
	}
	quote := p.text[p.at]
	p.at++
	var b strings.Builder
	for {
		if p.at == len(p.text) || p.text[p.at] == '\n' {
			return "", p.errorf("a string without its closing %c", quote)
		}
		c := p.text[p.at]
		p.at++
		if c == quote {
			return b.String(), nil
		}
		if c != '\\' {
			b.WriteByte(c)
			continue
		}
		r, err := p.escape()
		if err != nil {
			return "", err
		}
		b.WriteRune(r)
	}
}

// escape reads what follows a backslash.
func (p *literal) escape() (rune, error) {
	if p.at == len(p.text) {
		return 0, p.errorf("a backslash at the end of the file")
	}
	c := p.text[p.at]
	p.at++
	digits := 0
	switch c {
	case '\\', '\'', '"':
		return rune(c), nil
	case 'n':
		return '\n', nil
	case 't':
		return '\t', nil
	case 'r':
		return '\r', nil
	case 'x':
		digits = 2
	case 'u':
		digits = 4
	case 'U':
		digits = 8
	default:
		return 0, p.errorf("unknown escape \\%c", c)
	}
	if len(p.text)-p.at < digits {
		return 0, p.errorf("an escape \\%c with fewer than %d digits", c, digits)
	}
	v, err := strconv.ParseUint(p.text[p.at:p.at+digits], 16, 32)
	if err != nil || v > utf8.MaxRune || utf16.IsSurrogate(rune(v)) {
		return 0, p.errorf("\\%c%s is no character", c, p.text[p.at:p.at+digits])
	}
	p.at += digits
	return rune(v), nil
}

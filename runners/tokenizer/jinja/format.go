package jinja

import (
	"strconv"
	"strings"
)

func formatMethod(r *run, x Value, args []Value, names []named) (Value, error) {
	d := newDict()
	for _, k := range names {
		d.setText(k.name, k.value)
	}
	return r.formatText(x, args, d)
}

// formatText is Python's text.format(…).
func (r *run) formatText(x Value, args []Value, names Value) (Value, error) {
	s, _ := textOf(x)
	_, safe := x.(markup)
	f := &formatter{r: r, args: args, names: names, safe: safe}
	out, err := f.run(s, 2)
	return likeText(x, out), err
}

type formatter struct {
	r         *run
	args      []Value
	names     Value
	safe      bool
	automatic int  // the number of the next field without one
	numbered  bool // a field has a number
}

func (f *formatter) run(s string, depth int) (string, error) {
	if depth < 0 {
		return "", fail("ValueError", "Max string recursion exceeded")
	}
	t := text{r: f.r}
	for s != "" && t.err == nil {
		at := strings.IndexAny(s, "{}")
		if at < 0 {
			t.add(s)
			break
		}
		t.add(s[:at])
		c := s[at]
		s = s[at+1:]
		if s != "" && s[0] == c {
			t.add(string(c))
			s = s[1:]
			continue
		}
		if c == '}' {
			return "", fail("ValueError", "Single '}' encountered in format string")
		}
		if s == "" {
			return "", fail("ValueError", "Single '{' encountered in format string")
		}
		end := fieldEnd(s)
		if end < 0 {
			return "", fail("ValueError", "expected '}' before end of string")
		}
		out, err := f.field(s[:end], depth)
		if err != nil {
			return "", err
		}
		t.add(out)
		s = s[end+1:]
	}
	return t.String(), t.err
}

// fieldEnd returns the index of the brace that closes a field, or -1.
func fieldEnd(s string) int {
	open := 1
	brackets := false
	for i := range len(s) {
		switch {
		case brackets:
			brackets = s[i] != ']'
		case s[i] == '[' && open == 1 && !strings.ContainsAny(s[:i], ":!"):
			brackets = true
		case s[i] == '{':
			open++
		case s[i] == '}':
			if open--; open == 0 {
				return i
			}
		}
	}
	return -1
}

func (f *formatter) field(s string, depth int) (string, error) {
	name, format, conversion := s, "", byte(0)
	brackets := false
	for i := range len(s) {
		if brackets {
			brackets = s[i] != ']'
			continue
		}
		if s[i] == '[' {
			brackets = true
		}
		if s[i] == ':' {
			name, format = s[:i], s[i+1:]
			break
		}
		if s[i] == '!' {
			name = s[:i]
			rest := s[i+1:]
			if rest == "" {
				return "", fail("ValueError", "end of string while looking for conversion specifier")
			}
			if len(rest) > 1 && rest[1] != ':' {
				return "", fail("ValueError", "expected ':' after conversion specifier")
			}
			if conversion = rest[0]; len(rest) > 2 {
				format = rest[2:]
			}
			break
		}
	}
	v, err := f.value(name)
	if err != nil {
		return "", err
	}
	switch conversion {
	case 0:
	case 's':
		v, err = f.r.str(v)
	case 'r':
		v, err = f.r.repr(v)
	case 'a':
		v, err = f.r.ascii(v)
	default:
		return "", fail("ValueError", "Unknown conversion specifier '%c'", conversion)
	}
	if err != nil {
		return "", err
	}
	if format, err = f.run(format, depth-1); err != nil {
		return "", err
	}
	if _, ok := v.(markup); ok && f.safe {
		if format != "" {
			return "", fail("ValueError", "Unsupported format specification for Markup.")
		}
		return string(v.(markup)), nil
	}
	out, err := f.r.format(v, format)
	if err == nil && f.safe {
		out, err = f.r.escape(out)
	}
	return out, err
}

// value finds the value that a field names: an argument, or attributes and items of it.
func (f *formatter) value(s string) (Value, error) {
	n := strings.IndexAny(s, ".[")
	if n < 0 {
		n = len(s)
	}
	first, rest := s[:n], s[n:]
	if rest == "" {
		var err error
		if first, err = f.number(first); err != nil {
			return nil, err
		}
	}
	v, err := f.first(first)
	for err == nil && rest != "" {
		if rest[0] == '.' {
			n := strings.IndexAny(rest[1:], ".[")
			if n < 0 {
				n = len(rest) - 1
			}
			if n == 0 {
				return nil, fail("ValueError", "Empty attribute in format string")
			}
			v, err = f.r.attribute(v, rest[1:n+1])
			rest = rest[n+1:]
			continue
		}
		if rest[0] != '[' {
			return nil, fail("ValueError", "Only '.' or '[' may follow ']' in format field specifier")
		}
		end := strings.IndexByte(rest, ']')
		if end < 0 {
			return nil, fail("ValueError", "Missing ']' in format string")
		}
		if end == 1 {
			return nil, fail("ValueError", "Empty attribute in format string")
		}
		var at Value = rest[1:end]
		if all(rest[1:end], func(r rune) bool { return r >= '0' && r <= '9' }) {
			if at, err = readInteger(rest[1:end], 10); err != nil {
				return nil, err
			}
		}
		v, err = f.r.item(v, at)
		rest = rest[end+1:]
	}
	return v, err
}

// number gives a field without a name its number. Fields with a dot or bracket after
// the name are not counted.
func (f *formatter) number(s string) (string, error) {
	switch {
	case s == "":
		if f.numbered {
			return "", fail("ValueError", "cannot switch from manual field specification to automatic field numbering")
		}
		f.automatic++
		return strconv.Itoa(f.automatic - 1), nil
	case isDigits(s):
		if f.automatic > 0 {
			return "", fail("ValueError", "cannot switch from manual field to automatic field numbering")
		}
		f.numbered = true
	}
	return s, nil
}

func (f *formatter) first(s string) (Value, error) {
	if !all(s, func(r rune) bool { return r >= '0' && r <= '9' }) {
		d, ok := f.names.(*dictValue)
		if !ok {
			return nil, fail("TypeError", "'%s' object is not subscriptable", typeName(f.names))
		}
		v, ok := d.text(s)
		if !ok {
			return nil, fail("KeyError", "%s", repr(s))
		}
		return v, nil
	}
	index, err := strconv.Atoi(s)
	if err != nil || index >= len(f.args) {
		return nil, fail("IndexError", "Replacement index %s out of range for positional args tuple", s)
	}
	return f.args[index], nil
}

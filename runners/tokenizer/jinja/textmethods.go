package jinja

import (
	"strings"
	"unicode/utf8"
)

// textMethods are the methods of str. For text that is marked safe, the result is
// marked safe if it is in markupsafe.
var textMethods = map[string]*method{}

func init() {
	for name, f := range map[string]func(string) string{
		"upper": upper, "lower": lower, "capitalize": capitalize, "title": title, "swapcase": swapcase, "casefold": casefold,
	} {
		textMethods[name] = &method{parameters: "", call: func(r *run, x Value, _ []Value) (Value, error) {
			s, _ := textOf(x)
			if err := r.take(len(s)); err != nil {
				return nil, err
			}
			return likeText(x, f(s)), nil
		}}
	}
	for name, sides := range map[string][2]bool{"strip": {true, true}, "lstrip": {true, false}, "rstrip": {false, true}} {
		textMethods[name] = &method{parameters: "chars? /", call: func(r *run, x Value, a []Value) (Value, error) {
			s, _ := textOf(x)
			t, err := strip(name, s, a[0], sides[0], sides[1])
			return likeText(x, t), err
		}}
	}
	for name, f := range map[string]func(string) bool{
		"isalnum": isAlnum, "isalpha": isAlpha, "isascii": isASCII, "isdecimal": isDecimal, "isdigit": isDigits,
		"isidentifier": isIdentifier, "islower": isLower, "isnumeric": isNumeric, "isprintable": isPrintable,
		"isspace": isSpaces, "istitle": isTitle, "isupper": isUpper,
	} {
		textMethods[name] = &method{parameters: "", call: func(r *run, x Value, _ []Value) (Value, error) {
			s, _ := textOf(x)
			return f(s), nil
		}}
	}
	for name, f := range map[string]func(s, t string) bool{"startswith": strings.HasPrefix, "endswith": strings.HasSuffix} {
		textMethods[name] = &method{parameters: "prefix start? end? /", call: func(r *run, x Value, a []Value) (Value, error) {
			return affixed(r, name, x, a, f)
		}}
	}
	for name, f := range map[string]func(s, t string) int{
		"find": strings.Index, "index": strings.Index, "rfind": strings.LastIndex, "rindex": strings.LastIndex,
	} {
		textMethods[name] = &method{parameters: "sub start? end? /", call: func(r *run, x Value, a []Value) (Value, error) {
			s, from, t, err := r.part(x, a)
			if err != nil {
				return nil, err
			}
			n := -1
			if from >= 0 {
				n = f(s, t)
			}
			if n < 0 {
				if strings.HasSuffix(name, "index") {
					return nil, fail("ValueError", "substring not found")
				}
				return int64(-1), nil
			}
			return int64(from + utf8.RuneCountInString(s[:n])), nil
		}}
	}
	for name, m := range map[string]*method{
		"count": {parameters: "sub start? end? /", call: func(r *run, x Value, a []Value) (Value, error) {
			s, from, t, err := r.part(x, a)
			if err != nil || from < 0 {
				return int64(0), err
			}
			return int64(strings.Count(s, t)), nil
		}},
		"replace":      {parameters: "old new count? /", call: replace},
		"split":        {parameters: "sep? maxsplit?", call: split},
		"rsplit":       {parameters: "sep? maxsplit?", call: rsplit},
		"splitlines":   {parameters: "keepends?", call: splitLines},
		"join":         {parameters: "iterable /", call: joinText},
		"partition":    {parameters: "sep /", call: partition(strings.Cut)},
		"rpartition":   {parameters: "sep /", call: partition(cutLast)},
		"removeprefix": {parameters: "prefix /", call: remove(strings.TrimPrefix)},
		"removesuffix": {parameters: "suffix /", call: remove(strings.TrimSuffix)},
		"ljust":        {parameters: "width fillchar? /", call: justify(func(n, _ int64) int64 { return 0 })},
		"rjust":        {parameters: "width fillchar? /", call: justify(func(n, _ int64) int64 { return n })},
		"center":       {parameters: "width fillchar? /", call: justify(func(n, width int64) int64 { return n/2 + n&width&1 })},
		"zfill":        {parameters: "width /", call: zfill},
		"expandtabs":   {parameters: "tabsize?", call: expandTabs},
		"format":       {raw: formatMethod},
		"format_map": {parameters: "mapping /", call: func(r *run, x Value, a []Value) (Value, error) {
			return r.formatText(x, nil, a[0])
		}},
	} {
		textMethods[name] = m
	}
}

// textArgument returns an argument that must be text.
func textArgument(function string, v Value) (string, error) {
	s, ok := textOf(v)
	if !ok {
		return "", fail("TypeError", "%s() argument must be str, not %s", function, typeName(v))
	}
	return s, nil
}

func strip(name, s string, chars Value, left, right bool) (string, error) {
	in := isSpace
	if _, ok := chars.(none); !ok && chars != nil {
		set, ok := textOf(chars)
		if !ok {
			return "", fail("TypeError", "%s arg must be None or str", name)
		}
		in = func(r rune) bool { return strings.ContainsRune(set, r) }
		if len(set) > 64 {
			known := map[rune]bool{}
			for _, r := range set {
				known[r] = true
			}
			in = func(r rune) bool { return known[r] }
		}
	}
	if left {
		s = strings.TrimLeftFunc(s, in)
	}
	if right {
		s = strings.TrimRightFunc(s, in)
	}
	return s, nil
}

// cutSpan returns the part of a text between two character indices, and the first
// index, or -1 if the part begins after the end of the text.
func (r *run) cutSpan(s string, start, end Value) (string, int, error) {
	if start == nil && end == nil {
		return s, 0, nil
	}
	n, err := r.length(s)
	if err != nil {
		return "", 0, err
	}
	from, to, err := span(start, end, n)
	if err != nil {
		return "", 0, err
	}
	if from > to {
		return "", -1, nil
	}
	v, err := r.slice(s, [3]Value{int64(from), int64(to), none{}})
	if err != nil {
		return "", 0, err
	}
	return v.(string), from, nil
}

// part reads the arguments sub, start and end.
func (r *run) part(x Value, a []Value) (s string, from int, sub string, err error) {
	s, _ = textOf(x)
	sub, ok := textOf(a[0])
	if !ok {
		return "", 0, "", fail("TypeError", "must be str, not %s", typeName(a[0]))
	}
	s, from, err = r.cutSpan(s, a[1], a[2])
	return s, from, sub, err
}

func affixed(r *run, name string, x Value, a []Value, has func(s, t string) bool) (Value, error) {
	s, _ := textOf(x)
	s, from, err := r.cutSpan(s, a[1], a[2])
	if err != nil {
		return nil, err
	}
	one := func(v Value) (bool, error) {
		t, ok := textOf(v)
		if !ok {
			return false, fail("TypeError", "%s first arg must be str or a tuple of str, not %s", name, typeName(v))
		}
		return from >= 0 && has(s, t), nil
	}
	t, ok := a[0].(*tupleValue)
	if !ok {
		return one(a[0])
	}
	for _, v := range t.items {
		if yes, err := one(v); err != nil || yes {
			return yes, err
		}
	}
	return false, nil
}

func replace(r *run, x Value, a []Value) (Value, error) {
	s, _ := textOf(x)
	old, err := textArgument("replace", a[0])
	if err != nil {
		return nil, err
	}
	if _, ok := textOf(a[1]); !ok {
		if _, safe := x.(markup); !safe {
			return nil, fail("TypeError", "replace() argument 2 must be str, not %s", typeName(a[1]))
		}
	}
	by, _ := textOf(a[1])
	if _, ok := x.(markup); ok {
		if by, err = r.escape(a[1]); err != nil {
			return nil, err
		}
	}
	count, err := sizeArgument(a[2], -1)
	if err != nil {
		return nil, err
	}
	t, err := r.replaced(s, old, by, count)
	return likeText(x, t), err
}

// replaced replaces the first count occurrences, or all if count is negative.
func (r *run) replaced(s, old, by string, count int64) (string, error) {
	n := int64(strings.Count(s, old))
	if count >= 0 {
		n = min(n, count)
	}
	if n == 0 {
		return s, r.scan(len(s))
	}
	if err := r.takeTimes(n, int64(max(len(by)-len(old), 0))); err != nil {
		return "", err
	}
	if err := r.take(len(s)); err != nil {
		return "", err
	}
	return strings.Replace(s, old, by, int(n)), nil
}

func cutLast(s, sep string) (before, after string, ok bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return "", s, false
}

func partition(cut func(s, sep string) (string, string, bool)) func(*run, Value, []Value) (Value, error) {
	return func(r *run, x Value, a []Value) (Value, error) {
		s, _ := textOf(x)
		sep, err := textArgument("partition", a[0])
		if err != nil {
			return nil, err
		}
		if sep == "" {
			return nil, fail("ValueError", "empty separator")
		}
		before, after, ok := cut(s, sep)
		if !ok {
			sep = ""
		}
		return newTuple(likeText(x, before), likeText(x, sep), likeText(x, after)), r.take(valueBytes)
	}
}

func remove(trim func(s, t string) string) func(*run, Value, []Value) (Value, error) {
	return func(r *run, x Value, a []Value) (Value, error) {
		s, _ := textOf(x)
		t, err := textArgument("removeprefix", a[0])
		return likeText(x, trim(s, t)), err
	}
}

// justify fills a text up to a width with n characters, left(n, width) of them in front.
func justify(left func(n, width int64) int64) func(*run, Value, []Value) (Value, error) {
	return func(r *run, x Value, a []Value) (Value, error) {
		s, _ := textOf(x)
		width, err := sizeArgument(a[0], 0)
		if err != nil {
			return nil, err
		}
		fill := " "
		if a[1] != nil {
			var ok bool
			if fill, ok = textOf(a[1]); !ok {
				return nil, fail("TypeError", "The fill character must be a unicode character, not %s", typeName(a[1]))
			}
			if _, safe := x.(markup); safe {
				if fill, err = r.escape(a[1]); err != nil {
					return nil, err
				}
			}
			if utf8.RuneCountInString(fill) != 1 {
				return nil, fail("TypeError", "The fill character must be exactly one character long")
			}
		}
		s, err = r.filled(s, fill, width, left)
		return likeText(x, s), err
	}
}

func (r *run) filled(s, fill string, width int64, left func(n, width int64) int64) (string, error) {
	n := width - int64(utf8.RuneCountInString(s))
	if n <= 0 {
		return s, nil
	}
	if err := r.takeTimes(n, int64(len(fill))); err != nil {
		return "", err
	}
	if err := r.take(len(s)); err != nil {
		return "", err
	}
	l := left(n, width)
	return strings.Repeat(fill, int(l)) + s + strings.Repeat(fill, int(n-l)), nil
}

func zfill(r *run, x Value, a []Value) (Value, error) {
	s, _ := textOf(x)
	width, err := sizeArgument(a[0], 0)
	if err != nil {
		return nil, err
	}
	sign := ""
	if s != "" && (s[0] == '+' || s[0] == '-') {
		sign, s, width = s[:1], s[1:], width-1
	}
	s, err = r.filled(s, "0", width, func(n, _ int64) int64 { return n })
	return likeText(x, sign+s), err
}

func expandTabs(r *run, x Value, a []Value) (Value, error) {
	s, _ := textOf(x)
	size, err := sizeArgument(a[0], 8)
	if err != nil {
		return nil, err
	}
	t := text{r: r}
	column := int64(0)
	for _, c := range s {
		switch {
		case c == '\t':
			if size > 0 {
				n := size - column%size
				if t.err == nil {
					t.err = r.takeTimes(n, 1)
				}
				if t.err != nil {
					return nil, t.err
				}
				t.WriteString(strings.Repeat(" ", int(n)))
				column += n
			}
			continue
		case c == '\n' || c == '\r':
			column = 0
		default:
			column++
		}
		t.add(string(c))
	}
	return likeText(x, t.String()), t.err
}

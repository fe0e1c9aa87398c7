package jinja

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// textFilter is a filter of a value's text. The result is marked safe if the value is.
func textFilter(f func(string) string) func(*run, []Value) (Value, error) {
	return func(r *run, a []Value) (Value, error) {
		v, err := r.soft(a[0])
		if err != nil {
			return nil, err
		}
		s, _ := textOf(v)
		if err := r.take(len(s)); err != nil {
			return nil, err
		}
		return likeText(v, f(s)), nil
	}
}

// titleWords is |title: words begin after white space, hyphens and brackets.
func titleWords(s string) string {
	var b strings.Builder
	for s != "" {
		breaks := strings.IndexFunc(s, func(r rune) bool { return isSpace(r) || strings.ContainsRune("-({[<", r) })
		word := s
		if breaks >= 0 {
			word = s[:breaks]
		}
		if r, n := utf8.DecodeRuneInString(word); n > 0 {
			b.WriteString(upper(string(r)) + lower(word[n:]))
		}
		if breaks < 0 {
			break
		}
		_, n := utf8.DecodeRuneInString(s[breaks:])
		b.WriteString(s[breaks : breaks+n])
		s = s[breaks+n:]
	}
	return b.String()
}

func centerFilter(r *run, a []Value) (Value, error) {
	v, err := r.soft(a[0])
	if err != nil {
		return nil, err
	}
	width := a[1]
	if width == nil {
		width = int64(80)
	}
	return textMethods["center"].call(r, v, []Value{width, nil})
}

func forceescapeFilter(r *run, a []Value) (Value, error) {
	s, err := r.str(a[0])
	if err != nil {
		return nil, err
	}
	return r.escaped(s)
}

func replaceFilter(r *run, a []Value) (Value, error) {
	var s [3]string
	for i := range s {
		var err error
		if s[i], err = r.str(a[i]); err != nil {
			return nil, err
		}
	}
	count := int64(-1)
	if a[3] != nil && a[3] != (none{}) {
		var err error
		if count, err = sizeArgument(a[3], -1); err != nil {
			return nil, err
		}
	}
	return r.replacedValue(s[0], s[1], s[2], count)
}

func (r *run) replacedValue(s, old, by string, count int64) (Value, error) {
	t, err := r.replaced(s, old, by, count)
	return t, err
}

func trimFilter(r *run, a []Value) (Value, error) {
	v, err := r.soft(a[0])
	if err != nil {
		return nil, err
	}
	s, _ := textOf(v)
	t, err := strip("strip", s, a[1], true, true)
	return likeText(v, t), err
}

// needText returns the text of a value that must be a str in Python.
func needText(v Value) (string, error) {
	s, ok := textOf(v)
	if !ok {
		if u, ok := v.(*undefined); ok {
			return "", u.fail()
		}
		return "", fail("TypeError", "'%s' object is no text", typeName(v))
	}
	return s, nil
}

func indentFilter(r *run, a []Value) (Value, error) {
	s, err := needText(a[0])
	if err != nil {
		return nil, err
	}
	flag := func(v Value) bool { return v != nil && truth(v) }
	var by string
	if t, ok := textOf(a[1]); ok {
		by = t
		if _, safe := a[0].(markup); safe {
			if by, err = r.escape(t); err != nil {
				return nil, err
			}
		}
	} else {
		n, err := sizeArgument(a[1], 4)
		if err != nil {
			return nil, err
		}
		if err := r.takeTimes(n, 1); err != nil {
			return nil, err
		}
		by = strings.Repeat(" ", int(max(n, 0)))
	}
	if err := r.takeTimes(int64(countLines(s)), itemBytes); err != nil {
		return nil, err
	}
	t := text{r: r}
	for i, line := range lines(s+"\n", false) {
		if i > 0 {
			t.add("\n")
		}
		if i == 0 && flag(a[2]) || i > 0 && (line != "" || flag(a[3])) {
			t.add(by)
		}
		if t.add(line); t.err != nil {
			return nil, t.err
		}
	}
	return likeText(a[0], t.String()), t.err
}

func truncateFilter(r *run, a []Value) (Value, error) {
	length, err := wholeArgument(a[1], 255)
	if err != nil {
		return nil, err
	}
	var end Value = "..."
	if a[3] != nil {
		end = a[3]
	}
	leeway := int64(5)
	if a[4] != nil && a[4] != (none{}) {
		if leeway, err = wholeArgument(a[4], 5); err != nil {
			return nil, err
		}
	}
	endLength, err := r.length(end)
	if err != nil {
		return nil, err
	}
	if length < int64(endLength) {
		return nil, fail("AssertionError", "expected length >= %d, got %d", endLength, length)
	}
	if leeway < 0 {
		return nil, fail("AssertionError", "expected leeway >= 0, got %d", leeway)
	}
	n, err := r.length(a[0])
	if err != nil {
		return nil, err
	}
	if int64(n) <= length || int64(n)-length <= leeway {
		return a[0], nil
	}
	cut, err := r.slice(a[0], [3]Value{none{}, length - int64(endLength), none{}})
	if err != nil {
		return nil, err
	}
	if a[2] != nil && truth(a[2]) {
		return r.add(cut, end)
	}
	s, err := needText(cut)
	if err != nil {
		return nil, err
	}
	if i := strings.LastIndexByte(s, ' '); i >= 0 {
		s = s[:i]
	}
	return r.add(likeText(cut, s), end)
}

func wordcountFilter(r *run, a []Value) (Value, error) {
	v, err := r.soft(a[0])
	if err != nil {
		return nil, err
	}
	s, _ := textOf(v)
	n, in := int64(0), false
	for _, c := range s {
		if isWord(c) && !in {
			n++
		}
		in = isWord(c)
	}
	return n, nil
}

func striptagsFilter(r *run, a []Value) (Value, error) {
	s, err := r.str(a[0])
	if err != nil {
		return nil, err
	}
	if err := r.step(strings.Count(s, "<")); err != nil {
		return nil, err
	}
	s = stripTags(s)
	if strings.Contains(s, "&") {
		return nil, fail(Unsupported, "striptags of text with &, which may name a character")
	}
	return r.makeText(s)
}

func urlencodeFilter(r *run, a []Value) (Value, error) {
	if s, ok := textOf(a[0]); ok {
		return r.quoted(s, "/", false)
	}
	var pairs Value = a[0]
	if d, ok := pairs.(*dictValue); ok {
		pairs = &view{"dict_items", d}
	}
	next, err := r.iterate(pairs)
	if err != nil { // not iterable: quote its text
		s, err := r.str(a[0])
		if err != nil {
			return nil, err
		}
		return r.quoted(s, "/", false)
	}
	t := text{r: r}
	for i := 0; ; i++ {
		x, ok, err := next()
		if err != nil {
			return nil, err
		}
		if !ok {
			return t.String(), t.err
		}
		pair, err := r.collect(x)
		if err != nil {
			return nil, err
		}
		if len(pair) != 2 {
			return nil, fail("ValueError", "want pairs to unpack (expected 2, got %d)", len(pair))
		}
		for k, v := range pair {
			s, err := r.str(v)
			if err != nil {
				return nil, err
			}
			q, err := r.quoted(s, "", true)
			if err != nil {
				return nil, err
			}
			if i > 0 && k == 0 {
				t.add("&")
			}
			if k == 1 {
				t.add("=")
			}
			t.add(q.(string))
		}
	}
}

// quoted returns a text as part of a URL. If plus is set, a space becomes a plus.
func (r *run) quoted(s, safe string, plus bool) (Value, error) {
	t := text{r: r}
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || isDigit(c) || strings.IndexByte("_.-~"+safe, c) >= 0:
			t.add(s[i : i+1])
		case plus && c == ' ':
			t.add("+")
		default:
			t.add(fmt.Sprintf("%%%02X", c))
		}
	}
	return t.String(), t.err
}

package jinja

import (
	"strings"
	"unicode/utf8"
)

func (r *run) textList(like Value, parts []string) (Value, error) {
	items := make([]Value, len(parts))
	for i, p := range parts {
		items[i] = likeText(like, p)
	}
	return r.makeList(items)
}

// splitArguments reads sep and maxsplit; n is the largest number of parts, -1 for all.
func splitArguments(a []Value) (sep string, space bool, n int, err error) {
	if _, ok := a[0].(none); ok || a[0] == nil {
		space = true
	} else if sep, err = textArgument("split", a[0]); err != nil {
		return "", false, 0, err
	} else if sep == "" {
		return "", false, 0, fail("ValueError", "empty separator")
	}
	limit, err := sizeArgument(a[1], -1)
	if limit < 0 || limit > 1<<40 {
		return sep, space, -1, err
	}
	return sep, space, int(limit) + 1, err
}

func split(r *run, x Value, a []Value) (Value, error) {
	s, _ := textOf(x)
	sep, space, n, err := splitArguments(a)
	if err != nil {
		return nil, err
	}
	if space {
		if err := r.takeTimes(int64(countFields(s)), itemBytes); err != nil {
			return nil, err
		}
		return r.textList(x, fields(s, n))
	}
	if err := r.takeTimes(int64(strings.Count(s, sep)), itemBytes); err != nil {
		return nil, err
	}
	return r.textList(x, strings.SplitN(s, sep, n))
}

func rsplit(r *run, x Value, a []Value) (Value, error) {
	s, _ := textOf(x)
	sep, space, n, err := splitArguments(a)
	if err != nil {
		return nil, err
	}
	most := countFields(s)
	if !space {
		most = strings.Count(s, sep)
	}
	if err := r.takeTimes(int64(most), itemBytes); err != nil {
		return nil, err
	}
	var parts []string
	for {
		if space {
			s = trimRightSpace(s)
			if s == "" {
				break
			}
		}
		at := -1
		if space {
			at = strings.LastIndexFunc(s, isSpace)
		} else {
			at = strings.LastIndex(s, sep)
		}
		if at < 0 || n >= 0 && len(parts)+1 >= n {
			parts = append(parts, s)
			break
		}
		_, width := utf8.DecodeRuneInString(s[at:])
		if !space {
			width = len(sep)
		}
		parts = append(parts, s[at+width:])
		s = s[:at]
	}
	for i, k := 0, len(parts)-1; i < k; i, k = i+1, k-1 {
		parts[i], parts[k] = parts[k], parts[i]
	}
	return r.textList(x, parts)
}

func countFields(s string) int {
	n, in := 0, false
	for _, c := range s {
		space := isSpace(c)
		if !space && !in {
			n++
		}
		in = !space
	}
	return n
}

// fields splits a text at white space into at most n parts, or all if n is -1.
func fields(s string, n int) []string {
	if n < 0 {
		return strings.FieldsFunc(s, isSpace)
	}
	var parts []string
	for {
		s = strings.TrimLeftFunc(s, isSpace)
		if s == "" {
			return parts
		}
		at := strings.IndexFunc(s, isSpace)
		if at < 0 || len(parts)+1 >= n {
			return append(parts, s)
		}
		parts = append(parts, s[:at])
		s = s[at:]
	}
}

// lineBreaks are the characters at which Python's splitlines splits, besides \r\n.
const lineBreaks = "\n\r\v\f\x1c\x1d\x1e\u0085\u2028\u2029"

func countLines(s string) int {
	n := 1
	for _, c := range s {
		if strings.ContainsRune(lineBreaks, c) {
			n++
		}
	}
	return n
}

func lines(s string, ends bool) []string {
	var all []string
	for s != "" {
		at := strings.IndexAny(s, lineBreaks)
		if at < 0 {
			return append(all, s)
		}
		_, width := utf8.DecodeRuneInString(s[at:])
		if strings.HasPrefix(s[at:], "\r\n") {
			width = 2
		}
		if ends {
			all = append(all, s[:at+width])
		} else {
			all = append(all, s[:at])
		}
		s = s[at+width:]
	}
	return all
}

func splitLines(r *run, x Value, a []Value) (Value, error) {
	s, _ := textOf(x)
	keep := a[0] != nil && truth(a[0])
	if err := r.takeTimes(int64(countLines(s)), itemBytes); err != nil {
		return nil, err
	}
	return r.textList(x, lines(s, keep))
}

func joinText(r *run, x Value, a []Value) (Value, error) {
	s, _ := textOf(x)
	_, safe := x.(markup)
	next, err := r.iterate(a[0])
	if err != nil {
		return nil, fail("TypeError", "can only join an iterable")
	}
	t := text{r: r}
	for i := 0; ; i++ {
		v, ok, err := next()
		if err != nil {
			return nil, err
		}
		if !ok {
			break
		}
		if i > 0 {
			t.add(s)
		}
		p, ok := textOf(v)
		if safe {
			if p, err = r.escape(v); err != nil {
				return nil, err
			}
		} else if !ok {
			return nil, fail("TypeError", "sequence item %d: expected str instance, %s found", i, typeName(v))
		}
		if t.add(p); t.err != nil {
			return nil, t.err
		}
	}
	return likeText(x, t.String()), t.err
}

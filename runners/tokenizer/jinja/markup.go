package jinja

import "strings"

var escapes = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "'", "&#39;", `"`, "&#34;")

// escape returns a value's text, escaped unless it is marked safe.
func (r *run) escape(v Value) (string, error) {
	if m, ok := v.(markup); ok {
		return string(m), nil
	}
	s, err := r.str(v)
	if err != nil {
		return "", err
	}
	t := text{r: r}
	t.add(escapes.Replace(s)) // at most five times as long
	return t.String(), t.err
}

func (r *run) escaped(v Value) (Value, error) {
	s, err := r.escape(v)
	return markup(s), err
}

// soft returns a value's text, marked safe if the value is.
func (r *run) soft(v Value) (Value, error) {
	if _, ok := textOf(v); ok {
		return v, nil
	}
	return r.str(v)
}

// stripTags removes comments and tags, and turns white space into single spaces.
func stripTags(s string) string {
	for _, pair := range [2][2]string{{"<!--", "-->"}, {"<", ">"}} {
		var b strings.Builder
		for {
			start := strings.Index(s, pair[0])
			if start < 0 {
				break
			}
			end := strings.Index(s[start:], pair[1])
			if end < 0 {
				break
			}
			b.WriteString(s[:start])
			s = s[start+end+len(pair[1]):]
		}
		b.WriteString(s)
		s = b.String()
	}
	return strings.Join(fields(s, -1), " ")
}

package tokenizer

import (
	"encoding/json"
	"fmt"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// normalizer is one step on the text before it is split.
type normalizer func(s string) (string, error)

func unicodeForm(f norm.Form) normalizer {
	return func(s string) (string, error) {
		if f.IsNormalString(s) {
			return s, nil
		}
		return f.String(s), nil
	}
}

func prepend(prefix string) normalizer {
	return func(s string) (string, error) {
		if s == "" {
			return s, nil
		}
		return prefix + s, nil
	}
}

func replaceLiteral(old, with string) normalizer {
	return func(s string) (string, error) { return strings.ReplaceAll(s, old, with), nil }
}

func replacePattern(expr *pattern, with string) normalizer {
	return func(s string) (string, error) {
		var b strings.Builder
		m, done := expr.matcher(s), 0
		for {
			start, end, err := m.find(done)
			if err != nil {
				return "", err
			}
			if start < 0 {
				break
			}
			b.WriteString(s[done:start])
			b.WriteString(with)
			done = end
		}
		b.WriteString(s[done:])
		return b.String(), nil
	}
}

// replacer reads a Replace, which normalizers and decoders share.
func (c *component) replacer(part string) (normalizer, error) {
	switch {
	case c.Pattern.String != nil && *c.Pattern.String != "":
		return replaceLiteral(*c.Pattern.String, c.Content), nil
	case c.Pattern.Regex != nil:
		expr, err := compilePattern(*c.Pattern.Regex)
		if err != nil {
			return nil, fmt.Errorf("%s Replace: %w; --tokenizer sugarme may read it", part, err)
		}
		return replacePattern(expr, c.Content), nil
	}
	return nil, fmt.Errorf("%s Replace: no pattern", part)
}

func readNormalizer(dst []normalizer, raw json.RawMessage, depth int) ([]normalizer, error) {
	const part = "normalizer"
	if isNull(raw) {
		return dst, nil
	}
	c, err := readComponent(part, raw, depth)
	if err != nil {
		return nil, err
	}
	switch c.Type {
	case "Sequence":
		for _, r := range c.Normalizers {
			if dst, err = readNormalizer(dst, r, depth+1); err != nil {
				return nil, err
			}
		}
		return dst, nil
	case "NFC":
		return append(dst, unicodeForm(norm.NFC)), nil
	case "NFD":
		return append(dst, unicodeForm(norm.NFD)), nil
	case "NFKC":
		return append(dst, unicodeForm(norm.NFKC)), nil
	case "NFKD":
		return append(dst, unicodeForm(norm.NFKD)), nil
	case "Prepend":
		return append(dst, prepend(c.Prepend)), nil
	case "Replace":
		r, err := c.replacer(part)
		if err != nil {
			return nil, err
		}
		return append(dst, r), nil
	}
	return nil, unsupported(part, fmt.Sprintf("%q", c.Type))
}

package tokenizer

import (
	"encoding/json"
	"fmt"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// normalizer is one step on the text before it is split. It uses the Unicode tables of golang.org/x/text. Those of the
// reference library are older, so newer combining marks may be in another order.
type normalizer func(s string) (string, error)

// maxGrowth is the largest factor by which the replacements of a file may lengthen a text. Real ones have a factor of 3.
const maxGrowth = 1 << 12

// growth is the factor by which a replacement or prefix can lengthen a text, rounded up.
func (c *component) growth() int {
	switch c.Type {
	case "Prepend":
		return 1 + len(c.Prepend)
	case "Replace":
		shortest := 1
		if c.Pattern.String != nil {
			shortest = max(1, len(*c.Pattern.String))
		}
		return max(1, (len(c.Content)+shortest-1)/shortest)
	}
	return 1
}

// allow multiplies total by a step's growth. It returns an error if the product is above maxGrowth.
func (c *component) allow(part string, total *int) error {
	g := c.growth()
	if g > maxGrowth / *total {
		return fmt.Errorf("%s %s: the replacements may make a text more than %d times as long", part, c.Type, maxGrowth)
	}
	*total *= g
	return nil
}

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

// replacer makes the normalizer of a Replace.
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

// normalizerReader collects the steps of a normalizer.
type normalizerReader struct {
	steps  []normalizer
	growth int
}

func (n *normalizerReader) read(raw json.RawMessage, depth int) error {
	const part = "normalizer"
	if isNull(raw) {
		return nil
	}
	c, err := readComponent(part, raw, depth)
	if err != nil {
		return err
	}
	if err := c.allow(part, &n.growth); err != nil {
		return err
	}
	switch c.Type {
	case "Sequence":
		for _, r := range c.Normalizers {
			if err := n.read(r, depth+1); err != nil {
				return err
			}
		}
	case "NFC":
		n.steps = append(n.steps, unicodeForm(norm.NFC))
	case "NFD":
		n.steps = append(n.steps, unicodeForm(norm.NFD))
	case "NFKC":
		n.steps = append(n.steps, unicodeForm(norm.NFKC))
	case "NFKD":
		n.steps = append(n.steps, unicodeForm(norm.NFKD))
	case "Prepend":
		n.steps = append(n.steps, prepend(c.Prepend))
	case "Replace":
		r, err := c.replacer(part)
		if err != nil {
			return err
		}
		n.steps = append(n.steps, r)
	default:
		return unsupported(part, fmt.Sprintf("%q", c.Type))
	}
	return nil
}

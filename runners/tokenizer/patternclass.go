package tokenizer

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// charClass is a set of characters.
type charClass struct {
	negate bool
	ranges []rune // pairs, both ends included
	tables []*unicode.RangeTable
	not    []*unicode.RangeTable // complements, such as \S within brackets
	fold   bool
	ascii  [128]bool // the answer for r < 128
}

func (c *charClass) matches(r rune) bool {
	if r >= 0 && r < 128 {
		return c.ascii[r]
	}
	return c.slow(r)
}

func (c *charClass) slow(r rune) bool {
	in := c.holds(r)
	if !in && c.fold {
		for f := unicode.SimpleFold(r); f != r && !in; f = unicode.SimpleFold(f) {
			in = c.holds(f)
		}
	}
	return in != c.negate
}

func (c *charClass) holds(r rune) bool {
	for i := 0; i < len(c.ranges); i += 2 {
		if c.ranges[i] <= r && r <= c.ranges[i+1] {
			return true
		}
	}
	for _, t := range c.tables {
		if unicode.Is(t, r) {
			return true
		}
	}
	for _, t := range c.not {
		if !unicode.Is(t, r) {
			return true
		}
	}
	return false
}

func (c *charClass) seal() *charClass {
	for r := range rune(128) {
		c.ascii[r] = c.slow(r)
	}
	return c
}

// endsInChar reports whether the last item of the class, at the end of src, is a single character.
func (c *charClass) endsInChar(src string) bool {
	n := len(c.ranges)
	if n < 2 || c.ranges[n-2] != c.ranges[n-1] {
		return false
	}
	r, size := utf8.DecodeLastRuneInString(src)
	if r == c.ranges[n-1] {
		return true
	}
	// An escape of a single character, such as \n or \x41, and not of a class.
	i := strings.LastIndexByte(src[:len(src)-size], '\\')
	return i >= 0 && i+1 < len(src) && strings.IndexByte("nrtfvaex", src[i+1]) >= 0
}

func (c *charClass) add(negate bool, t *unicode.RangeTable) {
	if negate {
		c.not = append(c.not, t)
	} else {
		c.tables = append(c.tables, t)
	}
}

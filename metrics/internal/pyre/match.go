package pyre

import (
	"slices"
	"unicode"

	"github.com/snapbench/snapbench/metrics/internal/pystr"
)

// match is the state of one call.
type match struct {
	text  []rune
	most  int // steps
	steps int
	depth int // repetitions of groups that are underway
}

// over counts a step, and says whether they were too many.
func (m *match) over() bool {
	m.steps++
	return m.steps > m.most
}

// node is a part of a pattern. It calls next at every place where it can end, in the order in
// which Python tries them, until next says that the rest matches too.
type node interface {
	match(m *match, at int, next func(at int) bool) bool
}

// single is one character of a set.
type single struct{ has func(r rune) bool }

func (s single) match(m *match, at int, next func(int) bool) bool {
	return !m.over() && at < len(m.text) && s.has(m.text[at]) && next(at+1)
}

// place is a condition on a place, such as ^.
type place struct {
	holds func(text []rune, at int) bool
}

func (p place) match(m *match, at int, next func(int) bool) bool {
	return !m.over() && p.holds(m.text, at) && next(at)
}

// sequence is its parts one after the other.
type sequence []node

func (s sequence) match(m *match, at int, next func(int) bool) bool {
	if len(s) == 0 {
		return next(at)
	}
	return s[0].match(m, at, func(at int) bool { return s[1:].match(m, at, next) })
}

// choice is one of its alternatives, the first that lets the rest match.
type choice []node

func (c choice) match(m *match, at int, next func(int) bool) bool {
	return slices.ContainsFunc(c, func(n node) bool { return !m.over() && n.match(m, at, next) })
}

// repeat is a node least to most times, without an upper bound for most < 0.
type repeat struct {
	of          node
	least, most int
	lazy        bool
}

func (r repeat) match(m *match, at int, next func(int) bool) bool {
	if s, ok := r.of.(single); ok {
		return r.run(m, s, at, next)
	}
	return r.from(m, 0, at, -1, next)
}

// run repeats single characters, which takes no stack.
func (r repeat) run(m *match, s single, at int, next func(int) bool) bool {
	fits := func(n int) bool {
		return (r.most < 0 || n < r.most) && at+n < len(m.text) && s.has(m.text[at+n])
	}
	n := 0
	for n < r.least || !r.lazy {
		if m.over() {
			return false
		}
		if !fits(n) {
			break
		}
		n++
	}
	for ; n >= r.least; n-- {
		if m.over() {
			return false
		}
		if next(at + n) {
			return true
		}
		if r.lazy {
			if !fits(n) {
				return false
			}
			n += 2 // one more than this, where the loop takes one away
		}
	}
	return false
}

// from goes on after count repetitions. began is where the last one that was not required
// began: one that reads nothing is followed by none, which is Python's guard against going
// round for ever.
func (r repeat) from(m *match, count, at, began int, next func(int) bool) bool {
	if m.over() {
		return false
	}
	again := func(began int) bool {
		if m.depth++; m.depth > deepestMatch {
			m.steps = m.most
		}
		ok := r.of.match(m, at, func(to int) bool { return r.from(m, count+1, to, began, next) })
		m.depth--
		return ok
	}
	more := (r.most < 0 || count < r.most) && at != began
	switch {
	case count < r.least:
		return again(began)
	case r.lazy:
		return next(at) || more && again(at)
	}
	return more && again(at) || next(at)
}

// same says whether two characters are the same by re.IGNORECASE. Beside the letters that
// Unicode folds together, Python takes the dotted and the dotless i for i.
func same(a, b rune) bool {
	return a == b || folded(a, func(r rune) bool { return r == b })
}

// folded says whether any of the characters that r is in another case has a property.
func folded(r rune, has func(rune) bool) bool {
	if slices.Contains(ies, r) {
		return slices.ContainsFunc(ies, has)
	}
	for other := r; ; {
		if has(other) {
			return true
		}
		if other = unicode.SimpleFold(other); other == r {
			return false
		}
	}
}

var ies = []rune{'i', 'I', 'İ', 'ı'}

// border is \b.
func border(text []rune, at int) bool {
	word := func(i int) bool { return i >= 0 && i < len(text) && pystr.IsWord(text[i]) }
	return word(at-1) != word(at)
}

// Package pyre matches Python's regular expressions, in the part of their language that
// graders of answers use, with Python's results: Unicode white space, words and digits,
// letters in any case as re.IGNORECASE takes them, and the first alternative that matches,
// not the longest. Go's own package knows \s, \d, \w and \b of ASCII alone.
//
// What is known: literals, ".", classes, the escapes \s \S \d \D \w \W \b \B \A \Z and those of
// single characters, groups that are numbered, (?:…), alternatives, *, +, ?, {m,n} and their
// lazy forms, ^ and $. All else, such as references to groups and looking around, is an error
// of [Compile].
package pyre

import (
	"errors"
	"fmt"
)

// Flags are those of a pattern.
type Flags struct {
	IgnoreCase bool // re.IGNORECASE
	Multiline  bool // re.MULTILINE: ^ and $ are at every line
}

// Pattern is a compiled pattern.
type Pattern struct {
	text   string
	root   node
	groups int // numbered ones
	steps  int // most of one call
}

// String returns the pattern's text.
func (p *Pattern) String() string { return p.text }

// Groups is how many numbered groups the pattern has.
func (p *Pattern) Groups() int { return p.groups }

// ErrSteps is the error of a match that takes too long, as some patterns do by trying every
// way to match.
var ErrSteps = errors.New("the pattern takes too many steps")

// The work of one call is bounded, that of a program's own patterns only against what would
// seem to hang. A step is a character or a node tried.
const (
	mostSteps    = 10_000_000
	mostOwnSteps = 2_000_000_000
)

// deepestMatch bounds the repetitions of groups in one match, which take stack.
const deepestMatch = 100_000

// Must compiles a program's own pattern, which is known to be right and to take at most the
// square of a text's length in steps.
func Must(text string, flags Flags) *Pattern {
	p, err := Compile(text, flags)
	if err != nil {
		panic(err)
	}
	p.steps = mostOwnSteps
	return p
}

// Find returns what re.finditer finds: the bounds of all matches that do not overlap, in
// runes of text.
func (p *Pattern) Find(text []rune) ([][2]int, error) { return p.find(text, -1) }

// Match says whether re.search finds the pattern.
func (p *Pattern) Match(text []rune) (bool, error) {
	found, err := p.find(text, 1)
	return len(found) > 0, err
}

// find returns the first matches, all of them for most < 0.
func (p *Pattern) find(text []rune, most int) (found [][2]int, err error) {
	m := &match{text: text, most: p.steps}
	from, empty := 0, true // whether a match that begins at from may be empty
	for start := from; start <= len(text) && len(found) != most; {
		end := -1
		ok := p.root.match(m, start, func(at int) bool {
			if at == start && start == from && !empty {
				return false
			}
			end = at
			return true
		})
		switch {
		case m.steps > m.most:
			return nil, fmt.Errorf("pattern %q: %w", p.text, ErrSteps)
		case ok:
			found = append(found, [2]int{start, end})
			from, empty = end, end > start
			start = end
		default:
			start++
		}
	}
	return found, nil
}

// Split returns the texts between the matches: re.split for a pattern without groups.
func (p *Pattern) Split(text []rune) ([]string, error) {
	found, err := p.Find(text)
	if err != nil {
		return nil, err
	}
	var parts []string
	last := 0
	for _, f := range found {
		parts = append(parts, string(text[last:f[0]]))
		last = f[1]
	}
	return append(parts, string(text[last:])), nil
}

package pyre

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/snapbench/snapbench/metrics/internal/pystr"
)

// escape reads what follows a backslash outside of a class.
func (p *parser) escape(at int) (node, error) {
	if !p.more() {
		return nil, errors.New("a backslash at the end")
	}
	switch p.text[p.at] {
	case 'b':
		p.at++
		return place{border}, nil
	case 'B':
		p.at++
		return place{func(text []rune, at int) bool { return len(text) > 0 && !border(text, at) }}, nil
	case 'A':
		p.at++
		return place{func(_ []rune, at int) bool { return at == 0 }}, nil
	case 'Z':
		p.at++
		return place{func(text []rune, at int) bool { return at == len(text) }}, nil
	}
	set, c, err := p.character(at)
	if err != nil {
		return nil, err
	}
	if set != nil {
		return single{set}, nil
	}
	return p.literal(c), nil
}

// character reads the escape of a set or of one character.
func (p *parser) character(at int) (set func(rune) bool, c rune, err error) {
	c = p.text[p.at]
	p.at++
	not := func(has func(rune) bool) func(rune) bool { return func(r rune) bool { return !has(r) } }
	switch c {
	case 's':
		return pystr.IsSpace, 0, nil
	case 'S':
		return not(pystr.IsSpace), 0, nil
	case 'd':
		return pystr.IsDigit, 0, nil
	case 'D':
		return not(pystr.IsDigit), 0, nil
	case 'w':
		return pystr.IsWord, 0, nil
	case 'W':
		return not(pystr.IsWord), 0, nil
	}
	if i := strings.IndexRune(`ntrfva`, c); i >= 0 {
		return nil, []rune("\n\t\r\f\v\a")[i], nil
	}
	if c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' {
		return nil, 0, fmt.Errorf(`the escape \%c at character %d is not known`, c, at+1)
	}
	return nil, c, nil
}

func (p *parser) class(at int) (node, error) {
	negated := p.take("^")
	var sets []func(rune) bool
	for first := true; ; first = false {
		if !p.more() {
			return nil, fmt.Errorf("missing ] for the class at character %d", at+1)
		}
		if !first && p.take("]") {
			break
		}
		set, low, err := p.member()
		if err != nil {
			return nil, err
		}
		high := low
		if p.at+1 < len(p.text) && p.text[p.at] == '-' && p.text[p.at+1] != ']' {
			p.at++
			var end func(rune) bool
			if end, high, err = p.member(); err != nil {
				return nil, err
			}
			if set != nil || end != nil || high < low {
				return nil, fmt.Errorf("bad character range before character %d", p.at+1)
			}
		}
		if set == nil {
			set = func(r rune) bool { return low <= r && r <= high }
		}
		sets = append(sets, set)
	}
	any := func(r rune) bool { return slices.ContainsFunc(sets, func(has func(rune) bool) bool { return has(r) }) }
	cased := p.flags.IgnoreCase
	return single{func(r rune) bool { return (any(r) || cased && folded(r, any)) != negated }}, nil
}

// member reads one character or set of a class.
func (p *parser) member() (set func(rune) bool, c rune, err error) {
	at := p.at
	c = p.text[p.at]
	p.at++
	if c != '\\' {
		return nil, c, nil
	}
	if !p.more() {
		return nil, 0, errors.New("a backslash at the end")
	}
	if p.take("b") {
		return nil, '\b', nil
	}
	return p.character(at)
}

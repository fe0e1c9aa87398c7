package pyre

import (
	"fmt"
	"slices"
	"unicode/utf8"
)

// Bounds of what is compiled.
const (
	longestPattern = 4096 // bytes
	deepest        = 100  // groups within groups
	mostRepeats    = 1000 // m and n of {m,n}
)

// Compile reads a pattern. The error says what is wrong, or what is not known here.
func Compile(text string, flags Flags) (*Pattern, error) {
	if len(text) > longestPattern {
		return nil, fmt.Errorf("a pattern of %d bytes: at most %d", len(text), longestPattern)
	}
	if !utf8.ValidString(text) {
		return nil, fmt.Errorf("pattern %q: invalid UTF-8", text)
	}
	p := &parser{text: []rune(text), flags: flags}
	root, err := p.choice(0)
	if err == nil && p.at < len(p.text) { // only a closing bracket stops the choice
		err = fmt.Errorf("unbalanced ) at character %d", p.at+1)
	}
	if err != nil {
		return nil, fmt.Errorf("pattern %q: %w", text, err)
	}
	return &Pattern{text, root, p.groups, mostSteps}, nil
}

type parser struct {
	text   []rune
	at     int
	flags  Flags
	groups int
}

func (p *parser) more() bool { return p.at < len(p.text) }

// take reads a text, where it comes next.
func (p *parser) take(text string) bool {
	want := []rune(text)
	if len(p.text)-p.at < len(want) || !slices.Equal(p.text[p.at:p.at+len(want)], want) {
		return false
	}
	p.at += len(want)
	return true
}

func (p *parser) choice(depth int) (node, error) {
	if depth > deepest {
		return nil, fmt.Errorf("more than %d groups within each other", deepest)
	}
	var list choice
	for {
		s, err := p.sequence(depth)
		if err != nil {
			return nil, err
		}
		list = append(list, s)
		if !p.take("|") {
			break
		}
	}
	if len(list) == 1 {
		return list[0], nil
	}
	return list, nil
}

func (p *parser) sequence(depth int) (node, error) {
	var list sequence
	for p.more() && p.text[p.at] != '|' && p.text[p.at] != ')' {
		from := p.at
		n, err := p.atom(depth)
		if err != nil {
			return nil, err
		}
		if n, err = p.repeated(n, from); err != nil {
			return nil, err
		}
		list = append(list, n)
	}
	if len(list) == 1 {
		return list[0], nil
	}
	return list, nil
}

// repeated reads what may follow a node: *, +, ?, {m,n}.
func (p *parser) repeated(n node, from int) (node, error) {
	r, ok, err := p.quantifier()
	if !ok || err != nil {
		return n, err
	}
	if _, where := n.(place); where && p.text[from] != '(' {
		return nil, fmt.Errorf("nothing to repeat at character %d", from+1)
	}
	r.of, r.lazy = n, p.take("?")
	if p.take("+") {
		return nil, fmt.Errorf("a possessive repetition at character %d is not known", p.at)
	}
	if _, twice, err := p.quantifier(); twice || err != nil {
		return nil, fmt.Errorf("multiple repeat before character %d", p.at+1)
	}
	return r, nil
}

func (p *parser) quantifier() (r repeat, ok bool, err error) {
	switch {
	case p.take("*"):
		return repeat{least: 0, most: -1}, true, nil
	case p.take("+"):
		return repeat{least: 1, most: -1}, true, nil
	case p.take("?"):
		return repeat{least: 0, most: 1}, true, nil
	case !p.more() || p.text[p.at] != '{':
		return r, false, nil
	}
	// {m}, {m,}, {,n} and {m,n}; anything else is a brace as it stands.
	at := p.at
	p.at++
	least, low := p.number()
	most, high := least, low
	if p.take(",") {
		if most, high = p.number(); !high {
			most = -1
		}
		low = true
	}
	if !p.take("}") || !low {
		p.at = at
		return r, false, nil
	}
	if least > mostRepeats || most > mostRepeats {
		return r, false, fmt.Errorf("a repetition of more than %d times at character %d", mostRepeats, at+1)
	}
	if high && most < least {
		return r, false, fmt.Errorf("min repeat greater than max repeat at character %d", at+1)
	}
	return repeat{least: least, most: most}, true, nil
}

// number reads digits; a number beyond what is known stays so.
func (p *parser) number() (n int, ok bool) {
	for p.more() && p.text[p.at] >= '0' && p.text[p.at] <= '9' {
		n, ok = min(n*10+int(p.text[p.at]-'0'), mostRepeats+1), true
		p.at++
	}
	return n, ok
}

func (p *parser) atom(depth int) (node, error) {
	at := p.at
	c := p.text[at]
	p.at++
	switch c {
	case '.':
		return single{func(r rune) bool { return r != '\n' }}, nil
	case '^':
		many := p.flags.Multiline
		return place{func(text []rune, at int) bool { return at == 0 || many && text[at-1] == '\n' }}, nil
	case '$':
		many := p.flags.Multiline
		return place{func(text []rune, at int) bool {
			return at == len(text) || text[at] == '\n' && (many || at == len(text)-1)
		}}, nil
	case '*', '+', '?':
		return nil, fmt.Errorf("nothing to repeat at character %d", at+1)
	case '{':
		p.at = at
		if _, ok, err := p.quantifier(); ok || err != nil {
			return nil, fmt.Errorf("nothing to repeat at character %d", at+1)
		}
		p.at = at + 1
	case '(':
		return p.group(at, depth)
	case '[':
		return p.class(at)
	case '\\':
		return p.escape(at)
	}
	return p.literal(c), nil
}

func (p *parser) literal(c rune) node {
	if p.flags.IgnoreCase {
		return single{func(r rune) bool { return same(r, c) }}
	}
	return single{func(r rune) bool { return r == c }}
}

func (p *parser) group(at, depth int) (node, error) {
	switch {
	case p.take("?:"):
	case p.more() && p.text[p.at] == '?':
		return nil, fmt.Errorf("the extension %s… at character %d is not known: have groups and (?:…)",
			string(p.text[at:min(at+4, len(p.text))]), at+1)
	default:
		p.groups++
	}
	n, err := p.choice(depth + 1)
	if err != nil {
		return nil, err
	}
	if !p.take(")") {
		return nil, fmt.Errorf("missing ) for the group at character %d", at+1)
	}
	return n, nil
}

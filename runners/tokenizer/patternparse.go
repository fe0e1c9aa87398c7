package tokenizer

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Limits for a pattern in a file: nesting of groups, instructions, and numbers of repetitions.
const (
	maxPatternDepth = 64
	maxPatternProg  = 1 << 14
	maxRepeat       = 1000
)

type patternParser struct {
	src  string
	pos  int
	prog []instr
}

// compilePattern reads a regular expression. Errors name the byte offset in it.
func compilePattern(src string) (*pattern, error) {
	if !utf8.ValidString(src) {
		return nil, errors.New("regular expression is not valid UTF-8")
	}
	p := &patternParser{src: src}
	start, err := p.alternatives(false, 0, p.emit(instr{op: opMatch}))
	if err == nil && p.pos < len(src) {
		err = p.errorf("unmatched %q", src[p.pos])
	}
	if err != nil {
		return nil, err
	}
	return &pattern{prog: p.prog, start: start}, nil
}

func (p *patternParser) errorf(format string, args ...any) error {
	return fmt.Errorf("regular expression %q, byte %d: %s", p.src, p.pos, fmt.Sprintf(format, args...))
}

func (p *patternParser) emit(in instr) int32 {
	p.prog = append(p.prog, in)
	return int32(len(p.prog) - 1)
}

// The program is built backwards: a construct is compiled when the place is known where matching continues after it. So
// a node is a function from that place to the construct's own start.
type node func(next int32) int32

func (p *patternParser) alternatives(fold bool, depth int, next int32) (int32, error) {
	n, err := p.alternation(fold, depth)
	if err != nil {
		return 0, err
	}
	start := n(next)
	if len(p.prog) > maxPatternProg {
		return 0, p.errorf("too large")
	}
	return start, nil
}

func (p *patternParser) alternation(fold bool, depth int) (node, error) {
	if depth > maxPatternDepth {
		return nil, p.errorf("groups nested deeper than %d", maxPatternDepth)
	}
	var alts []node
	for {
		var seq []node
		for p.pos < len(p.src) && p.src[p.pos] != '|' && p.src[p.pos] != ')' {
			atom, err := p.atom(&fold, depth)
			if err != nil {
				return nil, err
			}
			if atom, err = p.quantified(atom); err != nil {
				return nil, err
			}
			seq = append(seq, atom)
		}
		alts = append(alts, func(next int32) int32 {
			for _, n := range slices.Backward(seq) {
				next = n(next)
			}
			return next
		})
		if p.pos == len(p.src) || p.src[p.pos] != '|' {
			break
		}
		p.pos++
	}
	return func(next int32) int32 {
		start := alts[len(alts)-1](next)
		for _, a := range slices.Backward(alts[:len(alts)-1]) {
			start = p.emit(instr{op: opSplit, x: a(next), y: start})
		}
		return start
	}, nil
}

func (p *patternParser) quantified(atom node) (node, error) {
	for p.pos < len(p.src) {
		lo, hi := 0, -1 // hi < 0: no limit
		switch p.src[p.pos] {
		case '*':
		case '+':
			lo = 1
		case '?':
			hi = 1
		case '{':
			end := strings.IndexByte(p.src[p.pos:], '}')
			var ok bool
			if end > 0 {
				lo, hi, ok = parseRepeat(p.src[p.pos+1 : p.pos+end])
			}
			if !ok {
				return nil, p.errorf("a repetition like {1,3} with numbers up to %d was expected", maxRepeat)
			}
			p.pos += end
		default:
			return atom, nil
		}
		p.pos++
		lazy := false
		if p.pos < len(p.src) {
			switch p.src[p.pos] {
			case '?':
				lazy = true
				p.pos++
			case '+':
				if p.src[p.pos-1] == '}' {
					break // not possessive: to Oniguruma, {n,m}+ is a repeated repetition
				}
				p.pos++
				atom = p.atomic(p.repeat(atom, lo, hi, false))
				continue
			}
		}
		atom = p.repeat(atom, lo, hi, lazy)
	}
	return atom, nil
}

func (p *patternParser) atomic(n node) node {
	return func(next int32) int32 {
		sub := n(p.emit(instr{op: opMatch}))
		return p.emit(instr{op: opAtomic, x: sub, y: next})
	}
}

// repeat matches n between lo and hi times, or at least lo times if hi < 0.
func (p *patternParser) repeat(n node, lo, hi int, lazy bool) node {
	split := func(more, done int32) int32 {
		if lazy {
			more, done = done, more
		}
		return p.emit(instr{op: opSplit, x: more, y: done})
	}
	return func(next int32) int32 {
		at := next
		if hi < 0 {
			loop := p.emit(instr{op: opSplit}) // its targets are set when the body is compiled
			body := n(loop)
			p.prog[loop].x, p.prog[loop].y = body, next
			if lazy {
				p.prog[loop].x, p.prog[loop].y = next, body
			}
			at = loop
		}
		for i := lo; i < hi && len(p.prog) <= maxPatternProg; i++ {
			at = split(n(at), next)
		}
		for i := 0; i < lo && len(p.prog) <= maxPatternProg; i++ {
			at = n(at)
		}
		return at
	}
}

func parseRepeat(s string) (lo, hi int, ok bool) {
	a, b, comma := strings.Cut(s, ",")
	lo, err := strconv.Atoi(a)
	if a == "" && comma && b != "" {
		lo, err = 0, nil
	}
	if err != nil || lo < 0 || lo > maxRepeat {
		return 0, 0, false
	}
	if !comma {
		return lo, lo, true
	}
	if b == "" {
		return lo, -1, true
	}
	hi, err = strconv.Atoi(b)
	return lo, hi, err == nil && hi >= lo && hi <= maxRepeat
}

// atom reads a group, a class, an escape or a character. A bare (?i) changes *fold for the rest of the group.
func (p *patternParser) atom(fold *bool, depth int) (node, error) {
	switch c := p.src[p.pos]; c {
	case '(':
		return p.group(fold, depth)
	case '[':
		class, err := p.brackets(*fold)
		return p.char(class), err
	case '.':
		p.pos++
		return p.char((&charClass{negate: true, ranges: []rune{'\n', '\n'}}).seal()), nil
	case '^', '$':
		p.pos++
		op := opBOL
		if c == '$' {
			op = opEOL
		}
		return func(next int32) int32 { return p.emit(instr{op: op, x: next}) }, nil
	case '*', '+', '?', '{':
		return nil, p.errorf("nothing to repeat before %q", c)
	case '\\':
		class := &charClass{fold: *fold}
		if err := p.escape(class); err != nil {
			return nil, err
		}
		return p.char(class.seal()), nil
	default:
		r, size := utf8.DecodeRuneInString(p.src[p.pos:])
		p.pos += size
		return p.char((&charClass{fold: *fold, ranges: []rune{r, r}}).seal()), nil
	}
}

func (p *patternParser) char(c *charClass) node {
	return func(next int32) int32 { return p.emit(instr{op: opChar, class: c, x: next}) }
}

func (p *patternParser) group(fold *bool, depth int) (node, error) {
	open := p.pos
	rest := p.src[p.pos:]
	inner, wrap := *fold, func(n node) node { return n }
	ahead := func(neg bool) func(node) node {
		return func(n node) node {
			return func(next int32) int32 {
				sub := n(p.emit(instr{op: opMatch}))
				return p.emit(instr{op: opAhead, neg: neg, x: sub, y: next})
			}
		}
	}
	switch {
	case strings.HasPrefix(rest, "(?i)"):
		*fold = true
		p.pos += 4
		return func(next int32) int32 { return next }, nil
	case strings.HasPrefix(rest, "(?:"):
		p.pos += 3
	case strings.HasPrefix(rest, "(?i:"):
		inner = true
		p.pos += 4
	case strings.HasPrefix(rest, "(?-i:"):
		inner = false
		p.pos += 5
	case strings.HasPrefix(rest, "(?!"):
		wrap = ahead(true)
		p.pos += 3
	case strings.HasPrefix(rest, "(?="):
		wrap = ahead(false)
		p.pos += 3
	case strings.HasPrefix(rest, "(?>"):
		wrap = p.atomic
		p.pos += 3
	case strings.HasPrefix(rest, "(?"):
		return nil, p.errorf("the group %.4q is not supported", rest)
	default:
		p.pos++
	}
	n, err := p.alternation(inner, depth+1)
	if err != nil {
		return nil, err
	}
	if p.pos == len(p.src) {
		p.pos = open
		return nil, p.errorf("unclosed (")
	}
	p.pos++
	return wrap(n), nil
}

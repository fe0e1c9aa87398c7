package tokenizer

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// pattern is a regular expression as tokenizer.json files write them: the Perl-like syntax of Oniguruma as far as
// tokenizers use it, which includes look-ahead, and so lies outside package regexp. It backtracks, leftmost alternative
// first. The three most common expressions have splitters of their own (split.go), which are judged by this one.
type pattern struct {
	prog  []instr
	start int32
}

type opcode uint8

const (
	opChar   opcode = iota // one character of class
	opSplit                // try x, then y
	opAhead                // look-ahead: the program at x matches here; negated if neg
	opAtomic               // the program at x, without giving back what it took
	opBOL                  // at the start of a line
	opEOL                  // at the end of a line
	opMatch
)

type instr struct {
	op    opcode
	neg   bool
	x, y  int32
	class *charClass
}

// charClass is a set of characters.
type charClass struct {
	negate bool
	ranges []rune // pairs, both ends included
	tables []*unicode.RangeTable
	not    []*unicode.RangeTable // complements, as \S within brackets
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

// Limits on what a pattern in a file may demand.
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

// compilePattern reads a regular expression. Errors give the byte offset in it.
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

// The program is built backwards: every construct is compiled given the place where matching goes on after it. So a
// node is a function from that place to its own start.
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
					break // Oniguruma reads {n,m}+ as a repeated repetition
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

// repeat is n between lo and hi times.
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
			loop := p.emit(instr{op: opSplit}) // its targets are known once the body is
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

func (p *patternParser) brackets(fold bool) (*charClass, error) {
	open := p.pos
	p.pos++
	c := &charClass{fold: fold}
	if strings.HasPrefix(p.src[p.pos:], "^") {
		c.negate = true
		p.pos++
	}
	for first := true; ; first = false {
		if p.pos == len(p.src) {
			p.pos = open
			return nil, p.errorf("unclosed [")
		}
		rest := p.src[p.pos:]
		switch {
		case rest[0] == ']' && !first:
			p.pos++
			return c.seal(), nil
		case rest[0] == '[' || strings.HasPrefix(rest, "&&"):
			return nil, p.errorf("sets within sets are not supported")
		case rest[0] == '\\':
			if err := p.escape(c); err != nil {
				return nil, err
			}
		default:
			r, size := utf8.DecodeRuneInString(rest)
			p.pos += size
			c.ranges = append(c.ranges, r, r)
		}
		// A range, if what came before was one character and something follows the dash.
		if rest = p.src[p.pos:]; len(rest) > 1 && rest[0] == '-' && rest[1] != ']' && c.endsInChar(p.src[:p.pos]) {
			p.pos++
			lo := c.ranges[len(c.ranges)-2]
			hi := &charClass{}
			if rest[1] == '\\' {
				if err := p.escape(hi); err != nil {
					return nil, err
				}
			} else {
				r, size := utf8.DecodeRuneInString(p.src[p.pos:])
				p.pos += size
				hi.ranges = []rune{r, r}
			}
			if len(hi.ranges) != 2 || hi.ranges[0] < lo {
				return nil, p.errorf("bad range")
			}
			c.ranges[len(c.ranges)-1] = hi.ranges[0]
		}
	}
}

// endsInChar reports whether the last thing added to the class, spelled at the end of src, was one character.
func (c *charClass) endsInChar(src string) bool {
	n := len(c.ranges)
	if n < 2 || c.ranges[n-2] != c.ranges[n-1] {
		return false
	}
	r, size := utf8.DecodeLastRuneInString(src)
	if r == c.ranges[n-1] {
		return true
	}
	// An escape that stands for a character, \n or \x41, rather than for a class.
	i := strings.LastIndexByte(src[:len(src)-size], '\\')
	return i >= 0 && i+1 < len(src) && strings.IndexByte("nrtfvaex", src[i+1]) >= 0
}

var escapedChars = map[byte]rune{'n': '\n', 'r': '\r', 't': '\t', 'f': '\f', 'v': '\v', 'a': '\a', 'e': 0x1B}

// escape adds what a backslash sequence stands for to c.
func (p *patternParser) escape(c *charClass) error {
	rest := p.src[p.pos+1:]
	if rest == "" {
		return p.errorf("a backslash at the end")
	}
	r, size := utf8.DecodeRuneInString(rest)
	switch {
	case r == 'p' || r == 'P':
		name, used := "", 0
		if len(rest) > 1 && rest[1] == '{' {
			end := strings.IndexByte(rest, '}')
			if end < 0 {
				return p.errorf("unclosed {")
			}
			name, used = rest[2:end], end+1
		} else if len(rest) > 1 {
			name, used = rest[1:2], 2
		}
		negate := r == 'P'
		if strings.HasPrefix(name, "^") {
			name, negate = name[1:], !negate
		}
		t := unicode.Categories[name]
		if t == nil {
			t = unicode.Scripts[name]
		}
		if t == nil {
			t = unicode.Properties[name]
		}
		if t == nil {
			return p.errorf("unknown Unicode property %q", name)
		}
		p.pos += 1 + used
		c.add(negate, t)
	case r == 's' || r == 'S':
		p.pos += 2
		c.add(r == 'S', unicode.White_Space)
	case r == 'd' || r == 'D':
		p.pos += 2
		c.add(r == 'D', unicode.Nd)
	case r == 'w':
		p.pos += 2
		c.tables = append(c.tables, unicode.L, unicode.M, unicode.Nd, unicode.Pc)
	case r == 'x':
		digits, used := "", 0
		if len(rest) > 1 && rest[1] == '{' {
			end := strings.IndexByte(rest, '}')
			if end < 0 {
				return p.errorf("unclosed {")
			}
			digits, used = rest[2:end], end+1
		} else if len(rest) > 2 {
			digits, used = rest[1:3], 3
		}
		v, err := strconv.ParseUint(digits, 16, 32)
		if err != nil || v > unicode.MaxRune {
			return p.errorf("bad \\x")
		}
		p.pos += 1 + used
		c.ranges = append(c.ranges, rune(v), rune(v))
	case r < 128 && escapedChars[byte(r)] != 0:
		p.pos += 2
		c.ranges = append(c.ranges, escapedChars[byte(r)], escapedChars[byte(r)])
	case r < 128 && (r >= '0' && r <= '9' || r|0x20 >= 'a' && r|0x20 <= 'z'):
		return p.errorf("\\%c is not supported", r)
	default:
		p.pos += 1 + size
		c.ranges = append(c.ranges, r, r)
	}
	return nil
}

func (c *charClass) add(negate bool, t *unicode.RangeTable) {
	if negate {
		c.not = append(c.not, t)
	} else {
		c.tables = append(c.tables, t)
	}
}

// matcher runs a pattern over one text. Steps bounds its work, so that a pattern that backtracks without end is an
// error and no hang.
type matcher struct {
	*pattern
	text  string
	stack []backtrack
	steps int
}

type backtrack struct{ pc, pos int32 }

var errPatternSteps = errors.New("regular expression backtracks too much")

func (p *pattern) matcher(text string) *matcher {
	return &matcher{pattern: p, text: text, steps: 1<<14 + 256*len(text)}
}

// at returns the end of the match that starts at pos, or −1.
func (m *matcher) at(pos int) (int, error) { return m.run(m.start, pos) }

func (m *matcher) run(pc int32, pos int) (int, error) {
	base := len(m.stack)
	defer func() { m.stack = m.stack[:base] }()
	for {
		if m.steps--; m.steps < 0 {
			return -1, errPatternSteps
		}
		in := &m.prog[pc]
		ok := true
		switch in.op {
		case opMatch:
			return pos, nil
		case opSplit:
			m.stack = append(m.stack, backtrack{in.y, int32(pos)})
			pc = in.x
		case opChar:
			r, size := rune(-1), 0
			if pos < len(m.text) {
				if r, size = rune(m.text[pos]), 1; r >= utf8.RuneSelf {
					r, size = utf8.DecodeRuneInString(m.text[pos:])
				}
			}
			if ok = size > 0 && in.class.matches(r); ok {
				pos += size
				pc = in.x
			}
		case opAhead, opAtomic:
			end, err := m.run(in.x, pos)
			if err != nil {
				return -1, err
			}
			if in.op == opAtomic {
				if ok = end >= 0; ok {
					pos = end
				}
			} else {
				ok = (end >= 0) != in.neg
			}
			pc = in.y
		case opBOL:
			ok = pos == 0 || m.text[pos-1] == '\n'
			pc = in.x
		case opEOL:
			ok = pos == len(m.text) || m.text[pos] == '\n'
			pc = in.x
		}
		if !ok {
			if len(m.stack) == base {
				return -1, nil
			}
			b := m.stack[len(m.stack)-1]
			m.stack = m.stack[:len(m.stack)-1]
			pc, pos = b.pc, int(b.pos)
		}
	}
}

// find returns the leftmost non-empty match at or after from; start is −1 if there is none. Tokenizers have no use for
// empty matches.
func (m *matcher) find(from int) (start, end int, err error) {
	for i := from; i < len(m.text); {
		end, err := m.at(i)
		if err != nil {
			return -1, -1, err
		}
		if end > i {
			return i, end, nil
		}
		_, size := utf8.DecodeRuneInString(m.text[i:])
		i += size
	}
	return -1, -1, nil
}

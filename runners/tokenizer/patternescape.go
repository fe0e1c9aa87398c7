package tokenizer

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

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
		// A range, if a single character comes before the dash and something follows it.
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

var escapedChars = map[byte]rune{'n': '\n', 'r': '\r', 't': '\t', 'f': '\f', 'v': '\v', 'a': '\a', 'e': 0x1B}

// escape adds the characters of a backslash sequence to c.
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

package tokenizer

import (
	"errors"
	"unicode/utf8"
)

// matcher runs a pattern over one text. The limit steps makes a pattern that backtracks too much an error.
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

// find returns the leftmost match at or after from that is not empty; start is −1 if there is none. Tokenizers ignore
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

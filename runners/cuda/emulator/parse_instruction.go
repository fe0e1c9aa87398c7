package emulator

import (
	"fmt"
	"strconv"
	"strings"
)

type operandKind uint8

const (
	sinkOperand     operandKind = iota // _
	registerOperand                    // %r1, !%p1
	integerOperand                     // 12
	floatOperand                       // 0f3F800000
	doubleOperand                      // 0d3FF0000000000000
	nameOperand                        // a label, an array, a special register
	addressOperand                     // [%rd1+8], of base and offset
	vectorOperand                      // {%r1, %r2}
)

type operand struct {
	kind    operandKind
	name    string
	reg     register
	not     bool
	bits    uint64 // of a number
	offset  int64  // of an address
	list    []operand
	partner *operand // %p2 of %p1|%p2
}

// statement is an instruction as written.
type statement struct {
	line     int
	text     string
	scope    *scope
	guard    *operand
	opcode   string
	operands []operand
}

// instruction reads [@[!]p] opcode operands;
func (p *parser) instruction(s *scope) (statement, error) {
	first := p.peek()
	st := statement{line: first.line, scope: s}
	if p.accept('@') {
		not := p.accept('!')
		t, err := p.expect('w', "a predicate")
		if err != nil {
			return st, err
		}
		r, ok := s.register(t.text)
		if !ok || r.width != 1 {
			return st, fmt.Errorf("line %d: %q is no predicate", t.line, t.text)
		}
		st.guard = &operand{kind: registerOperand, name: t.text, reg: r, not: not}
	}
	t, err := p.expect('w', "an instruction")
	if err != nil {
		return st, err
	}
	st.opcode = t.text
	for p.peek().kind != ';' {
		o, err := p.operand(s, 0)
		if err != nil {
			return st, err
		}
		st.operands = append(st.operands, o)
		if !p.accept(',') && p.peek().kind != ';' {
			return st, fmt.Errorf("line %d: %q behind an operand of %s", p.peek().line, p.peek().text, st.opcode)
		}
	}
	end := p.next().end
	st.text = strings.Join(strings.Fields(p.text[first.start:end]), " ")
	return st, nil
}

func (p *parser) operand(s *scope, depth int) (operand, error) {
	t := p.next()
	switch {
	case t.kind == '!':
		o, err := p.operand(s, depth)
		o.not = true
		if err == nil && (o.kind != registerOperand || o.reg.width != 1) {
			err = fmt.Errorf("line %d: ! of %q, which is no predicate", t.line, o.name)
		}
		return o, err
	case t.kind == '{' && depth == 0:
		v := operand{kind: vectorOperand, name: "{…}"}
		for !p.accept('}') {
			o, err := p.operand(s, 1)
			if err != nil {
				return v, err
			}
			v.list = append(v.list, o)
			if !p.accept(',') && p.peek().kind != '}' {
				return v, fmt.Errorf("line %d: %q inside { }", p.peek().line, p.peek().text)
			}
		}
		return v, nil
	case t.kind == '[' && depth == 0:
		return p.address(s)
	case t.kind == '-':
		o, err := p.operand(s, 1)
		if err == nil && o.kind != integerOperand {
			err = fmt.Errorf("line %d: - before %q, which is no whole number", t.line, o.name)
		}
		o.bits, o.name = -o.bits, "-"+o.name
		return o, err
	case t.kind != 'w':
		return operand{}, fmt.Errorf("line %d: %q where an operand should be", t.line, t.text)
	}
	o := operand{name: t.text}
	switch {
	case t.text == "_":
	case t.text[0] >= '0' && t.text[0] <= '9':
		if err := o.parseNumber(t.text); err != nil {
			return o, fmt.Errorf("line %d: %w", t.line, err)
		}
	default:
		if r, ok := s.register(t.text); ok {
			o.kind, o.reg = registerOperand, r
		} else if _, _, special := specialOf(t.text); !special && t.text[0] == '%' {
			return o, fmt.Errorf("line %d: unknown register %s", t.line, t.text)
		} else {
			o.kind = nameOperand
		}
	}
	if depth == 0 && p.accept('|') {
		q, err := p.operand(s, 1)
		if err != nil {
			return o, err
		}
		o.partner = &q
	}
	return o, nil
}

func (o *operand) parseNumber(text string) error {
	var err error
	switch {
	case len(text) > 1 && (text[:2] == "0f" || text[:2] == "0F"):
		o.kind = floatOperand
		if len(text) != 10 {
			return fmt.Errorf("%q does not have the 8 digits of a float", text)
		}
		o.bits, err = strconv.ParseUint(text[2:], 16, 32)
	case len(text) > 1 && (text[:2] == "0d" || text[:2] == "0D"):
		o.kind = doubleOperand
		if len(text) != 18 {
			return fmt.Errorf("%q does not have the 16 digits of a double", text)
		}
		o.bits, err = strconv.ParseUint(text[2:], 16, 64)
	default:
		o.kind = integerOperand
		o.bits, err = strconv.ParseUint(strings.TrimSuffix(text, "U"), 0, 64)
	}
	if err != nil {
		return fmt.Errorf("%q is not a number", text)
	}
	return nil
}

// address reads base, base+offset or a number, up to ].
func (p *parser) address(s *scope) (operand, error) {
	base, err := p.operand(s, 1)
	if err != nil {
		return base, err
	}
	a := operand{kind: addressOperand, name: base.name, list: []operand{base}}
	switch base.kind {
	case registerOperand, nameOperand:
	case integerOperand:
		a.offset, a.list = int64(base.bits), nil
	default:
		return a, fmt.Errorf("line %d: %q is no address", p.peek().line, base.name)
	}
	for p.peek().kind == '+' || p.peek().kind == '-' {
		sign := int64(1)
		if p.peek().kind == '-' {
			sign = -1
		}
		p.next()
		o, err := p.operand(s, 1)
		if err != nil {
			return a, err
		}
		if o.kind != integerOperand {
			return a, fmt.Errorf("line %d: offset %q is no whole number", p.peek().line, o.name)
		}
		a.offset += sign * int64(o.bits)
	}
	// [map, {x, y}] of a tensor copy.
	if p.accept(',') {
		o, err := p.operand(s, 0)
		if err != nil {
			return a, err
		}
		a.list = append(a.list, o)
	}
	_, err = p.expect(']', "]")
	return a, err
}

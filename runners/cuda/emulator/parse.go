package emulator

import (
	"fmt"
	"strconv"
	"strings"
)

// register is a virtual register: predicates are masks of lanes, registers of up
// to 32 bits live in one file of the warp, those of 64 bits in another.
type register struct {
	width int // bits: 1, 8, 16, 32, 64
	index int // in its file
}

// variable is a .shared or .local array.
type variable struct {
	name   string
	space  space
	align  int
	bytes  int  // 0 where the launch decides
	extern bool // dynamic shared memory
	order  int
}

// scope is a { } of a function: its registers, labels and arrays hide those
// outside.
type scope struct {
	parent    *scope
	registers map[string]register
	labels    map[string]int // index of the statement behind it
	variables map[string]*variable
}

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

type parser struct {
	text   string
	list   []token
	at     int
	module *scope
	order  int
}

// Parse reads the text of a PTX module. Errors name the line. Instructions that
// the interpreter does not know are errors when they are executed.
func Parse(text string) (*Module, error) {
	list, err := tokens(text)
	if err != nil {
		return nil, err
	}
	p := &parser{text: text, list: list, module: newScope(nil)}
	m := &Module{kernels: map[string]*Kernel{}}
	for p.peek().kind != 0 {
		k, err := p.declaration()
		if err != nil {
			return nil, err
		}
		if k == nil {
			continue
		}
		if m.kernels[k.name] != nil {
			return nil, fmt.Errorf("line %d: a second kernel %s", k.line, k.name)
		}
		m.kernels[k.name] = k
	}
	return m, nil
}

func newScope(parent *scope) *scope {
	return &scope{parent, map[string]register{}, map[string]int{}, map[string]*variable{}}
}

func (p *parser) peek() token { return p.list[p.at] }

func (p *parser) next() token {
	t := p.list[p.at]
	if t.kind != 0 {
		p.at++
	}
	return t
}

func (p *parser) accept(kind byte) bool {
	if p.peek().kind == kind {
		p.at++
		return true
	}
	return false
}

func (p *parser) expect(kind byte, what string) (token, error) {
	t := p.next()
	if t.kind != kind {
		return t, fmt.Errorf("line %d: %q where %s should be", t.line, t.text, what)
	}
	return t, nil
}

// number reads a whole number of at least 0 and at most limit.
func (p *parser) number(limit int) (int, error) {
	t, err := p.expect('w', "a number")
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(t.text, 0, 63)
	if err != nil || n > uint64(limit) {
		return 0, fmt.Errorf("line %d: %q is not a number from 0 to %d", t.line, t.text, limit)
	}
	return int(n), nil
}

func (p *parser) skipLine() {
	for line := p.peek().line; p.peek().kind != 0 && p.peek().line == line; {
		p.next()
	}
}

// declaration reads what stands outside functions; a kernel where it is one.
func (p *parser) declaration() (*Kernel, error) {
	t := p.peek()
	switch t.text {
	case ".version", ".target", ".file":
		p.skipLine()
		return nil, nil
	case ".address_size":
		p.next()
		n, err := p.number(1 << 10)
		if err == nil && n != 64 {
			err = fmt.Errorf("line %d: addresses of %d bits: only 64 are supported", t.line, n)
		}
		return nil, err
	case ";":
		p.next()
		return nil, nil
	}
	extern := false
	for {
		switch t = p.peek(); t.text {
		case ".extern":
			extern = true
			p.next()
			continue
		case ".visible", ".weak":
			p.next()
			continue
		case ".entry":
			p.next()
			return p.entry()
		case ".shared":
			return nil, p.variable(p.module, extern)
		}
		return nil, fmt.Errorf("line %d: %q is not supported outside kernels: have .shared and .entry", t.line, t.text)
	}
}

var typeBits = map[string]int{
	".pred": 1, ".b8": 8, ".u8": 8, ".s8": 8, ".b16": 16, ".u16": 16, ".s16": 16, ".f16": 16, ".bf16": 16,
	".b32": 32, ".u32": 32, ".s32": 32, ".f32": 32, ".f16x2": 32, ".bf16x2": 32,
	".b64": 64, ".u64": 64, ".s64": 64, ".f64": 64,
}

const maxVariable = 1 << 20 // bytes

// variable reads .space [.align n] .type name[n];
func (p *parser) variable(s *scope, extern bool) error {
	v := &variable{space: sharedSpace, extern: extern}
	if p.next().text == ".local" {
		v.space = localSpace
	}
	bytes, name, err := p.element(&v.align)
	if err != nil {
		return err
	}
	v.name = name.text
	for v.bytes = bytes; p.accept('['); {
		n := 0
		if p.peek().kind != ']' {
			if n, err = p.number(maxVariable); err != nil {
				return err
			}
		} else if !extern {
			return fmt.Errorf("line %d: %s has no length", name.line, v.name)
		}
		v.bytes *= n
		if _, err := p.expect(']', "]"); err != nil {
			return err
		}
		if v.bytes > maxVariable {
			return fmt.Errorf("line %d: %s of more than %d bytes", name.line, v.name, maxVariable)
		}
	}
	if _, err := p.expect(';', "; (initial values are not supported)"); err != nil {
		return err
	}
	if s.variables[v.name] != nil {
		return fmt.Errorf("line %d: a second array %s", name.line, v.name)
	}
	v.order = p.order
	p.order++
	s.variables[v.name] = v
	return nil
}

// element reads [.align n] .type name and returns the bytes of the type.
func (p *parser) element(align *int) (bytes int, name token, err error) {
	for {
		t, err := p.expect('w', "a type")
		if err != nil {
			return 0, t, err
		}
		switch bits := typeBits[t.text]; {
		case t.text == ".align":
			if *align, err = p.number(1 << 12); err != nil {
				return 0, t, err
			}
			if *align == 0 || *align&(*align-1) != 0 {
				return 0, t, fmt.Errorf("line %d: alignment %d is no power of two", t.line, *align)
			}
		case bits >= 8:
			*align = max(*align, bits/8)
			// .ptr .global .align 4 of a parameter says what it points to.
			for p.peek().text == ".ptr" || p.peek().text == ".global" || p.peek().text == ".shared" || p.peek().text == ".align" {
				if p.next().text == ".align" {
					if _, err := p.number(1 << 12); err != nil {
						return 0, t, err
					}
				}
			}
			name, err = p.expect('w', "a name")
			return bits / 8, name, err
		default:
			return 0, t, fmt.Errorf("line %d: %q where a type should be", t.line, t.text)
		}
	}
}

// entry reads name(parameters) directives { body }.
func (p *parser) entry() (*Kernel, error) {
	name, err := p.expect('w', "the kernel's name")
	if err != nil {
		return nil, err
	}
	k := &Kernel{name: name.text, line: name.line}
	k.parameterOffsets = map[string]int{}
	if p.accept('(') {
		for !p.accept(')') {
			if err := p.parameter(k); err != nil {
				return nil, err
			}
			if !p.accept(',') && p.peek().kind != ')' {
				return nil, fmt.Errorf("line %d: %q where , or ) should be", p.peek().line, p.peek().text)
			}
		}
	}
	for !p.accept('{') {
		t := p.next()
		switch t.text {
		case ".maxntid", ".reqntid":
			k.maxThreads = 1
			for {
				n, err := p.number(1 << 10)
				if err != nil {
					return nil, err
				}
				k.maxThreads = min(k.maxThreads*n, 1<<10)
				if !p.accept(',') {
					break
				}
			}
		case ".minnctapersm", ".maxnctapersm", ".maxnreg":
			n, err := p.number(1 << 20)
			if err != nil {
				return nil, err
			}
			if t.text == ".minnctapersm" {
				k.minBlocks = n
			}
		case ".noreturn":
		case ".pragma":
			for t := p.next(); t.kind != ';' && t.kind != 0; t = p.next() {
			}
		default:
			return nil, fmt.Errorf("line %d: %q where the body of %s should be", t.line, t.text, k.name)
		}
	}
	return k, p.body(k)
}

func (p *parser) parameter(k *Kernel) error {
	if t := p.next(); t.text != ".param" {
		return fmt.Errorf("line %d: %q where .param should be", t.line, t.text)
	}
	align := 1
	bytes, name, err := p.element(&align)
	if err != nil {
		return err
	}
	if p.accept('[') {
		n, err := p.number(4096)
		if err != nil {
			return err
		}
		bytes *= n
		if _, err := p.expect(']', "]"); err != nil {
			return err
		}
	}
	at := (k.parameterBytes + align - 1) / align * align
	if bytes == 0 || at+bytes > 32<<10 {
		return fmt.Errorf("line %d: parameter %s of %d bytes at %d: parameters have 32764 bytes", name.line, name.text, bytes, at)
	}
	if _, ok := k.parameterOffsets[name.text]; ok {
		return fmt.Errorf("line %d: a second parameter %s", name.line, name.text)
	}
	k.parameterOffsets[name.text] = at
	k.parameters = append(k.parameters, parameter{at, bytes})
	k.parameterBytes = at + bytes
	return nil
}

const maxRegisters = 1 << 16

// body reads statements up to the } of the function, and decodes them.
func (p *parser) body(k *Kernel) error {
	s := newScope(p.module)
	var statements []statement
	var counts [3]int // registers of the files
	for {
		t := p.peek()
		switch {
		case t.kind == '{':
			p.next()
			s = newScope(s)
		case t.kind == '}':
			p.next()
			if s = s.parent; s == p.module {
				return k.decode(statements, counts, t.line)
			}
		case t.text == ".reg":
			p.next()
			if err := p.registers(s, &counts); err != nil {
				return err
			}
		case t.text == ".shared" || t.text == ".local":
			if err := p.variable(s, false); err != nil {
				return err
			}
		case t.text == ".pragma":
			for t := p.next(); t.kind != ';' && t.kind != 0; t = p.next() {
			}
		case t.text == ".loc":
			p.skipLine()
		case t.kind == ';':
			p.next()
		case t.kind == 'w' && p.list[p.at+1].kind == ':':
			p.at += 2
			if _, ok := s.labels[t.text]; ok {
				return fmt.Errorf("line %d: a second label %s", t.line, t.text)
			}
			s.labels[t.text] = len(statements)
		case t.kind == '@' || t.kind == 'w' && t.text[0] != '.':
			st, err := p.instruction(s)
			if err != nil {
				return err
			}
			statements = append(statements, st)
		default:
			return fmt.Errorf("line %d: %q where an instruction of %s should be", t.line, t.text, k.name)
		}
	}
}

// registers reads .type %r<5>; or .type a, b;
func (p *parser) registers(s *scope, counts *[3]int) error {
	t := p.next()
	bits, ok := typeBits[t.text]
	if !ok {
		return fmt.Errorf("line %d: registers of type %q: have .pred and types of 8 to 64 bits", t.line, t.text)
	}
	file := fileOf(bits)
	declare := func(name string) error {
		if _, ok := s.registers[name]; ok {
			return fmt.Errorf("line %d: a second register %s", t.line, name)
		}
		if counts[file] >= maxRegisters {
			return fmt.Errorf("line %d: more than %d registers", t.line, maxRegisters)
		}
		s.registers[name] = register{bits, counts[file]}
		counts[file]++
		return nil
	}
	for {
		name, err := p.expect('w', "a register's name")
		if err != nil {
			return err
		}
		if p.accept('<') {
			n, err := p.number(maxRegisters)
			if err != nil {
				return err
			}
			for i := range n {
				if err := declare(name.text + strconv.Itoa(i)); err != nil {
					return err
				}
			}
			if _, err := p.expect('>', ">"); err != nil {
				return err
			}
		} else if err := declare(name.text); err != nil {
			return err
		}
		if !p.accept(',') {
			_, err := p.expect(';', ";")
			return err
		}
	}
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

func (s *scope) register(name string) (register, bool) {
	for ; s != nil; s = s.parent {
		if r, ok := s.registers[name]; ok {
			return r, true
		}
	}
	return register{}, false
}

func (s *scope) variable(name string) *variable {
	for ; s != nil; s = s.parent {
		if v := s.variables[name]; v != nil {
			return v
		}
	}
	return nil
}

func (s *scope) label(name string) (int, bool) {
	for ; s != nil; s = s.parent {
		if at, ok := s.labels[name]; ok {
			return at, true
		}
	}
	return 0, false
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

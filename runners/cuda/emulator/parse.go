package emulator

import (
	"fmt"
	"strconv"
)

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

// declaration reads a declaration outside functions; it returns a kernel, or nil for others.
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

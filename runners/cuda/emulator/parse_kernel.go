package emulator

import (
	"fmt"
	"strconv"
)

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

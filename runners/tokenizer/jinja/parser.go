package jinja

import (
	"fmt"
	"slices"
	"strings"
)

// maxNesting bounds the nesting of expressions and statements. The parser is
// recursive, and Go cannot recover from a stack overflow.
const maxNesting = 200

type parser struct {
	tokens     []token
	at         int
	nesting    int
	loops      int // the number of loops around, within the same function
	generation bool
	tags       []string // names of the open statements
}

func (p *parser) current() token { return p.tokens[p.at] }

func (p *parser) look() token {
	return p.tokens[min(p.at+1, len(p.tokens)-1)]
}

func (p *parser) next() token {
	t := p.tokens[p.at]
	if t.kind != tokenEOF {
		p.at++
	}
	return t
}

func (t token) operator(op string) bool { return t.kind == tokenOperator && t.text == op }
func (t token) word(word string) bool   { return t.kind == tokenName && t.text == word }

func (p *parser) isOperator(op string) bool { return p.current().operator(op) }
func (p *parser) isWord(word string) bool   { return p.current().word(word) }

func (p *parser) skipOperator(op string) bool {
	if p.isOperator(op) {
		p.next()
		return true
	}
	return false
}

func (p *parser) skipWord(word string) bool {
	if p.isWord(word) {
		p.next()
		return true
	}
	return false
}

func (p *parser) unexpected(want string) error {
	t := p.current()
	if t.kind == tokenEOF {
		return syntaxError(t.line, "unexpected end of template, expected %s", want)
	}
	return syntaxError(t.line, "expected %s, got %s", want, repr(t.describe()))
}

func (p *parser) expectOperator(op string) error {
	if !p.skipOperator(op) {
		return p.unexpected("token '" + op + "'")
	}
	return nil
}

func (p *parser) expectWord(word string) error {
	if !p.skipWord(word) {
		return p.unexpected("'" + word + "'")
	}
	return nil
}

func (p *parser) expectKind(kind tokenKind) error {
	if p.current().kind != kind {
		return p.unexpected(token{kind: kind}.describe())
	}
	p.next()
	return nil
}

func (p *parser) name() (token, error) {
	t := p.current()
	if t.kind != tokenName {
		return t, p.unexpected("a name")
	}
	p.next()
	return t, nil
}

// nest counts one more level of nesting. The function that it returns ends the level.
func (p *parser) nest() (func(), error) {
	if p.nesting++; p.nesting > maxNesting {
		return nil, syntaxError(p.current().line, "nested deeper than %d", maxNesting)
	}
	return func() { p.nesting-- }, nil
}

func (p *parser) template() ([]node, error) {
	return p.until()
}

// until reads text and statements up to a statement with one of the names ends, whose
// name is then the current token. Without ends it reads to the end.
func (p *parser) until(ends ...string) (body []node, err error) {
	var out *output
	add := func(n node, line int) {
		if out == nil {
			out = &output{line: line}
			body = append(body, out)
		}
		out.items = append(out.items, n)
	}
	for {
		t := p.current()
		switch t.kind {
		case tokenEOF:
			if ends == nil {
				return body, nil
			}
			return nil, p.openError("Unexpected end of template.", ends)
		case tokenData:
			p.next()
			add(&constant{t.text}, t.line)
		case tokenVariableBegin:
			p.next()
			x, err := p.tuple(tupleOptions{condition: true})
			if err != nil {
				return nil, err
			}
			add(x, t.line)
			if err := p.expectKind(tokenVariableEnd); err != nil {
				return nil, err
			}
		case tokenBlockBegin:
			p.next()
			out = nil
			if t := p.current(); t.kind == tokenName && slices.Contains(ends, t.text) {
				return body, nil
			}
			s, err := p.statement(ends)
			if err != nil {
				return nil, err
			}
			body = append(body, s)
			if err := p.expectKind(tokenBlockEnd); err != nil {
				return nil, err
			}
		default:
			return nil, p.unexpected("text")
		}
	}
}

func (p *parser) openError(what string, ends []string) error {
	if len(ends) > 0 {
		what += fmt.Sprintf(" Jinja was looking for the following tags: '%s'.", strings.Join(ends, "' or '"))
	}
	if n := len(p.tags); n > 0 {
		what += fmt.Sprintf(" The innermost block that needs to be closed is '%s'.", p.tags[n-1])
	}
	return syntaxError(p.current().line, "%s", what)
}

// block reads the rest of a tag and its body up to a statement with one of the names
// ends. It skips that name and returns it.
func (p *parser) block(ends ...string) ([]node, string, error) {
	p.skipOperator(":")
	if err := p.expectKind(tokenBlockEnd); err != nil {
		return nil, "", err
	}
	body, err := p.until(ends...)
	if err != nil {
		return nil, "", err
	}
	return body, p.next().text, nil
}

func (p *parser) statement(ends []string) (node, error) {
	leave, err := p.nest()
	if err != nil {
		return nil, err
	}
	defer leave()
	t := p.current()
	if t.kind != tokenName {
		return nil, syntaxError(t.line, "tag name expected")
	}
	p.tags = append(p.tags, t.text)
	defer func() { p.tags = p.tags[:len(p.tags)-1] }()
	switch t.text {
	case "for":
		return p.forLoop()
	case "if":
		return p.ifNode()
	case "set":
		return p.set()
	case "macro":
		return p.macro()
	case "call":
		return p.callBlock()
	case "filter":
		return p.filterBlock()
	case "with":
		return p.with()
	case "print":
		return p.print()
	case "generation":
		if p.generation {
			return p.generated()
		}
	case "break", "continue":
		p.next()
		if p.loops == 0 {
			return nil, errorAt(t.line, "SyntaxError", "'%s' outside loop", t.text)
		}
		if t.text == "break" {
			return &breakNode{t.line}, nil
		}
		return &continueNode{t.line}, nil
	case "block", "extends", "include", "import", "from", "autoescape":
		return nil, errorAt(t.line, Unsupported, "the statement %s", t.text)
	}
	p.tags = p.tags[:len(p.tags)-1]
	err = p.openError(fmt.Sprintf("Encountered unknown tag '%s'.", t.text), ends)
	p.tags = append(p.tags, t.text)
	return nil, err
}

func (p *parser) forLoop() (node, error) {
	n := &forLoop{line: p.next().line}
	var err error
	if n.target, err = p.target(tupleOptions{end: "in"}); err != nil {
		return nil, err
	}
	if err = p.expectWord("in"); err != nil {
		return nil, err
	}
	if n.over, err = p.tuple(tupleOptions{end: "recursive"}); err != nil {
		return nil, err
	}
	if p.skipWord("if") {
		if n.test, err = p.expression(); err != nil {
			return nil, err
		}
	}
	n.recursive = p.skipWord("recursive")
	outer := p.loops
	p.loops++
	body, end, err := p.block("endfor", "else")
	p.loops = outer
	if err != nil {
		return nil, err
	}
	if n.body = body; end == "else" {
		if n.recursive {
			p.loops = 0
		}
		n.otherwise, _, err = p.block("endfor")
		p.loops = outer
		if err != nil {
			return nil, err
		}
	}
	return n, nil
}

func (p *parser) ifNode() (node, error) {
	n := &ifNode{line: p.current().line}
	for {
		p.next()
		t, err := p.tuple(tupleOptions{})
		if err != nil {
			return nil, err
		}
		body, end, err := p.block("elif", "else", "endif")
		if err != nil {
			return nil, err
		}
		n.tests, n.bodies = append(n.tests, t), append(n.bodies, body)
		switch end {
		case "elif":
			p.at-- // block has skipped the word that this loop skips
		case "else":
			n.otherwise, _, err = p.block("endif")
			return n, err
		default:
			return n, nil
		}
	}
}

func (p *parser) set() (node, error) {
	line := p.next().line
	target, err := p.target(tupleOptions{namespace: true})
	if err != nil {
		return nil, err
	}
	if p.skipOperator("=") {
		x, err := p.tuple(tupleOptions{condition: true})
		return &setNode{target: target, x: x, line: line}, err
	}
	n := &setBlock{target: target, line: line}
	if n.filter, err = p.filters(nil, false); err != nil {
		return nil, err
	}
	n.body, _, err = p.block("endset")
	return n, err
}

func (p *parser) with() (node, error) {
	n := &with{line: p.next().line}
	for p.current().kind != tokenBlockEnd {
		if len(n.targets) > 0 {
			if err := p.expectOperator(","); err != nil {
				return nil, err
			}
		}
		target, err := p.target(tupleOptions{})
		if err != nil {
			return nil, err
		}
		if err := p.expectOperator("="); err != nil {
			return nil, err
		}
		x, err := p.expression()
		if err != nil {
			return nil, err
		}
		n.targets, n.values = append(n.targets, target), append(n.values, x)
	}
	var err error
	n.body, _, err = p.block("endwith")
	return n, err
}

func (p *parser) print() (node, error) {
	n := &output{line: p.next().line}
	for p.current().kind != tokenBlockEnd {
		if len(n.items) > 0 {
			if err := p.expectOperator(","); err != nil {
				return nil, err
			}
		}
		x, err := p.expression()
		if err != nil {
			return nil, err
		}
		n.items = append(n.items, x)
	}
	return n, nil
}

// reserved reports whether a name is a constant.
func reserved(id string) bool {
	return slices.Contains([]string{"true", "false", "none", "True", "False", "None"}, id)
}

// target reads the target of an assignment.
func (p *parser) target(o tupleOptions) (node, error) {
	o.simple = true
	line := p.current().line
	n, err := p.tuple(o)
	if err != nil {
		return nil, err
	}
	return n, assign(n, line)
}

// assign marks an expression as the target of an assignment.
func assign(n node, line int) error {
	switch n := n.(type) {
	case *name:
		n.store = true
		return nil
	case *attributeTarget:
		return nil
	case *tuple:
		for _, x := range n.items {
			if err := assign(x, line); err != nil {
				return err
			}
		}
		return nil
	}
	return syntaxError(line, "can't assign to this expression")
}

package jinja

// inner reads the body of a macro or call block. It runs as a separate function,
// so break and continue cannot refer to a loop around it.
func (p *parser) inner(end string) ([]node, error) {
	outer := p.loops
	p.loops = 0
	body, _, err := p.block(end)
	p.loops = outer
	return body, err
}

func (p *parser) macro() (node, error) {
	n := &macroNode{line: p.next().line}
	t, err := p.name()
	if err != nil {
		return nil, err
	}
	if reserved(t.text) {
		return nil, syntaxError(t.line, "can't assign to '%s'", t.text)
	}
	n.name = t.text
	if err := p.signature(&n.signature); err != nil {
		return nil, err
	}
	n.body, err = p.inner("endmacro")
	return n, err
}

func (p *parser) signature(s *signature) error {
	if err := p.expectOperator("("); err != nil {
		return err
	}
	for !p.isOperator(")") {
		if len(s.parameters) > 0 {
			if err := p.expectOperator(","); err != nil {
				return err
			}
		}
		t, err := p.name()
		if err != nil {
			return err
		}
		if reserved(t.text) {
			return syntaxError(t.line, "can't assign to '%s'", t.text)
		}
		for _, other := range s.parameters {
			if other.id == t.text {
				return errorAt(t.line, "SyntaxError", "duplicate argument '%s'", t.text)
			}
		}
		if p.skipOperator("=") {
			x, err := p.expression()
			if err != nil {
				return err
			}
			s.defaults = append(s.defaults, x)
		} else if len(s.defaults) > 0 {
			return syntaxError(t.line, "non-default argument follows default argument")
		}
		s.parameters = append(s.parameters, &name{id: t.text, store: true, line: t.line})
	}
	p.next()
	return nil
}

func (p *parser) callBlock() (node, error) {
	n := &callBlock{line: p.next().line}
	if p.isOperator("(") {
		if err := p.signature(&n.signature); err != nil {
			return nil, err
		}
	}
	x, err := p.expression()
	if err != nil {
		return nil, err
	}
	c, ok := x.(*call)
	if !ok {
		return nil, syntaxError(n.line, "expected call")
	}
	n.call = c
	n.body, err = p.inner("endcall")
	return n, err
}

func (p *parser) generated() (node, error) {
	n := &callBlock{line: p.next().line}
	var err error
	n.body, err = p.inner("endgeneration")
	return n, err
}

func (p *parser) filterBlock() (node, error) {
	n := &filterBlock{line: p.next().line}
	var err error
	if n.filter, err = p.filters(nil, true); err != nil {
		return nil, err
	}
	n.body, _, err = p.block("endfilter")
	return n, err
}

package jinja

// postfix reads .name, [item] and (arguments).
func (p *parser) postfix(x node) (node, error) {
	var err error
	for err == nil {
		switch t := p.current(); {
		case t.operator("."):
			p.next()
			switch a := p.next(); a.kind {
			case tokenName:
				x = &attribute{x, a.text}
			case tokenInteger:
				x = &item{x, &constant{a.value}}
			default:
				return nil, syntaxError(a.line, "expected name or number")
			}
		case t.operator("["):
			x, err = p.subscript(x)
		case t.operator("("):
			x, err = p.call(x)
		default:
			return x, nil
		}
	}
	return nil, err
}

func (p *parser) subscript(x node) (node, error) {
	line := p.next().line
	var all []node
	for !p.isOperator("]") {
		if len(all) > 0 {
			if err := p.expectOperator(","); err != nil {
				return nil, err
			}
		}
		at, err := p.subscribed()
		if err != nil {
			return nil, err
		}
		all = append(all, at)
	}
	p.next()
	if len(all) == 1 {
		return &item{x, all[0]}, nil
	}
	for _, at := range all {
		if _, ok := at.(*slice); ok {
			return nil, syntaxError(line, "invalid syntax: a slice among several subscripts")
		}
	}
	return &item{x, &tuple{all}}, nil
}

func (p *parser) subscribed() (node, error) {
	s := &slice{}
	var err error
	if !p.isOperator(":") {
		if s.from, err = p.expression(); err != nil || !p.isOperator(":") {
			return s.from, err
		}
	}
	p.next()
	end := func() bool { return p.isOperator(":") || p.isOperator("]") || p.isOperator(",") }
	if !end() {
		if s.to, err = p.expression(); err != nil {
			return nil, err
		}
	}
	if p.skipOperator(":") && !p.isOperator("]") && !p.isOperator(",") {
		s.step, err = p.expression()
	}
	return s, err
}

func (p *parser) call(f node) (node, error) {
	a, err := p.arguments()
	return &call{f, a}, err
}

func (p *parser) arguments() (a arguments, err error) {
	line := p.next().line
	first := true
	for !p.isOperator(")") {
		if !first {
			if err := p.expectOperator(","); err != nil {
				return a, err
			}
			if p.isOperator(")") {
				break
			}
		}
		first = false
		ok := a.mapping == nil
		switch t := p.current(); {
		case t.operator("*"):
			ok = ok && a.list == nil
			p.next()
			a.list, err = p.expression()
		case t.operator("**"):
			p.next()
			a.mapping, err = p.expression()
		case t.kind == tokenName && p.look().operator("="):
			p.next()
			p.next()
			var x node
			x, err = p.expression()
			for _, k := range a.named {
				if k.name == t.text {
					return a, errorAt(line, "SyntaxError", "keyword argument repeated: %s", t.text)
				}
			}
			a.named = append(a.named, namedNode{t.text, x})
		default:
			ok = ok && a.list == nil && a.named == nil
			var x node
			x, err = p.expression()
			a.plain = append(a.plain, x)
		}
		if err != nil {
			return a, err
		}
		if !ok {
			return a, syntaxError(line, "invalid syntax for function call expression")
		}
	}
	p.next()
	return a, nil
}

// dotted reads a name that may have dots in it.
func (p *parser) dotted() (string, error) {
	t, err := p.name()
	if err != nil {
		return "", err
	}
	id := t.text
	for p.skipOperator(".") {
		if t, err = p.name(); err != nil {
			return "", err
		}
		id += "." + t.text
	}
	return id, nil
}

// filters reads any number of |name(arguments). If inline is set, the first comes
// without its |.
func (p *parser) filters(x node, inline bool) (node, error) {
	for inline || p.isOperator("|") {
		if !inline {
			p.next()
		}
		inline = false
		f := &filter{x: x, line: p.current().line}
		var err error
		if f.name, err = p.dotted(); err != nil {
			return nil, err
		}
		if p.isOperator("(") {
			if f.arguments, err = p.arguments(); err != nil {
				return nil, err
			}
		}
		x = f
	}
	return x, nil
}

func (p *parser) test(x node) (node, error) {
	t := &test{x: x, line: p.next().line}
	negated := p.skipWord("not")
	var err error
	if t.name, err = p.dotted(); err != nil {
		return nil, err
	}
	c := p.current()
	switch {
	case c.operator("("):
		t.arguments, err = p.arguments()
	case c.word("is"):
		return nil, syntaxError(c.line, "You cannot chain multiple tests with is")
	case c.word("else") || c.word("or") || c.word("and"):
	case c.kind == tokenName || c.kind == tokenString || c.kind == tokenInteger || c.kind == tokenFloat || c.operator("[") || c.operator("{"):
		var a node
		if a, err = p.primary(false); err == nil {
			a, err = p.postfix(a)
		}
		t.plain = []node{a}
	}
	if err != nil {
		return nil, err
	}
	if negated {
		return &not{t}, nil
	}
	return t, nil
}

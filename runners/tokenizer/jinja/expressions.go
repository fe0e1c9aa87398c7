package jinja

import "strings"

// tupleOptions say what a list of expressions with commas between them may hold.
type tupleOptions struct {
	simple    bool   // names and literals
	condition bool   // x if y else z
	explicit  bool   // in brackets: may be empty
	namespace bool   // ns.attribute
	end       string // a word that ends it
}

func (p *parser) tuple(o tupleOptions) (node, error) {
	var items []node
	isTuple := false
	for {
		if len(items) > 0 {
			if err := p.expectOperator(","); err != nil {
				return nil, err
			}
		}
		t := p.current()
		if t.kind == tokenVariableEnd || t.kind == tokenBlockEnd || t.operator(")") || o.end != "" && t.word(o.end) {
			break
		}
		var x node
		var err error
		switch {
		case o.simple:
			x, err = p.primary(o.namespace)
		case o.condition:
			x, err = p.expression()
		default:
			x, err = p.or()
		}
		if err != nil {
			return nil, err
		}
		items = append(items, x)
		if !p.isOperator(",") {
			break
		}
		isTuple = true
	}
	if !isTuple {
		if len(items) > 0 {
			return items[0], nil
		}
		if !o.explicit {
			return nil, syntaxError(p.current().line, "Expected an expression, got %s", repr(p.current().describe()))
		}
	}
	return &tuple{items}, nil
}

// expression reads x, or x if y else z.
func (p *parser) expression() (node, error) {
	leave, err := p.nest()
	if err != nil {
		return nil, err
	}
	defer leave()
	x, err := p.or()
	if err != nil {
		return nil, err
	}
	for p.skipWord("if") {
		c := &condition{yes: x}
		if c.test, err = p.or(); err != nil {
			return nil, err
		}
		if p.skipWord("else") {
			if c.no, err = p.expression(); err != nil {
				return nil, err
			}
		}
		x = c
	}
	return x, nil
}

func (p *parser) or() (node, error) {
	x, err := p.and()
	for err == nil && p.skipWord("or") {
		l := &logic{or: true, left: x}
		l.right, err = p.and()
		x = l
	}
	return x, err
}

func (p *parser) and() (node, error) {
	x, err := p.not()
	for err == nil && p.skipWord("and") {
		l := &logic{left: x}
		l.right, err = p.not()
		x = l
	}
	return x, err
}

func (p *parser) not() (node, error) {
	if !p.skipWord("not") {
		return p.comparison()
	}
	leave, err := p.nest()
	if err != nil {
		return nil, err
	}
	defer leave()
	x, err := p.not()
	return &not{x}, err
}

func (p *parser) comparison() (node, error) {
	x, err := p.sum()
	if err != nil {
		return nil, err
	}
	var ops []comparison
	for {
		op, t := "", p.current()
		switch {
		case t.kind == tokenOperator && strings.Contains(" == != < <= > >= ", " "+t.text+" "):
			op = t.text
		case t.word("in"):
			op = "in"
		case t.word("not") && p.look().word("in"):
			p.next()
			op = "not in"
		}
		if op == "" {
			break
		}
		p.next()
		right, err := p.sum()
		if err != nil {
			return nil, err
		}
		ops = append(ops, comparison{op, right})
	}
	if ops == nil {
		return x, nil
	}
	return &compare{x, ops}, nil
}

// chain reads operands with operators of one rank between them, from left to right.
func (p *parser) chain(operand func() (node, error), ops ...string) (node, error) {
	x, err := operand()
	for err == nil {
		op := ""
		for _, o := range ops {
			if p.isOperator(o) {
				op = o
			}
		}
		if op == "" {
			return x, nil
		}
		p.next()
		b := &binary{op: op, left: x}
		b.right, err = operand()
		x = b
	}
	return nil, err
}

func (p *parser) sum() (node, error) { return p.chain(p.concat, "+", "-") }

func (p *parser) concat() (node, error) {
	x, err := p.product()
	if err != nil || !p.isOperator("~") {
		return x, err
	}
	c := &concat{[]node{x}}
	for p.skipOperator("~") {
		if x, err = p.product(); err != nil {
			return nil, err
		}
		c.items = append(c.items, x)
	}
	return c, nil
}

func (p *parser) product() (node, error) { return p.chain(p.power, "*", "/", "//", "%") }

func (p *parser) power() (node, error) {
	return p.chain(func() (node, error) { return p.unary(true) }, "**")
}

func (p *parser) unary(filters bool) (x node, err error) {
	leave, err := p.nest()
	if err != nil {
		return nil, err
	}
	defer leave()
	if p.isOperator("-") || p.isOperator("+") {
		u := &unary{negative: p.next().text == "-"}
		u.x, err = p.unary(false)
		x = u
	} else {
		x, err = p.primary(false)
	}
	if err != nil {
		return nil, err
	}
	if x, err = p.postfix(x); err != nil || !filters {
		return x, err
	}
	for {
		switch t := p.current(); {
		case t.operator("|"):
			x, err = p.filters(x, false)
		case t.word("is"):
			x, err = p.test(x)
		case t.operator("("):
			x, err = p.call(x)
		default:
			return x, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

func (p *parser) primary(namespace bool) (node, error) {
	t := p.current()
	switch {
	case t.kind == tokenName:
		p.next()
		switch t.text {
		case "true", "True":
			return &constant{true}, nil
		case "false", "False":
			return &constant{false}, nil
		case "none", "None":
			return &constant{none{}}, nil
		}
		if namespace && p.skipOperator(".") {
			a, err := p.name()
			return &attributeTarget{id: t.text, attribute: a.text, line: t.line}, err
		}
		return &name{id: t.text, line: t.line}, nil
	case t.kind == tokenString:
		var parts []string
		for p.current().kind == tokenString {
			parts = append(parts, p.next().text)
		}
		return &constant{strings.Join(parts, "")}, nil
	case t.kind == tokenInteger || t.kind == tokenFloat:
		p.next()
		return &constant{t.value}, nil
	case t.operator("("):
		leave, err := p.nest()
		if err != nil {
			return nil, err
		}
		defer leave()
		p.next()
		x, err := p.tuple(tupleOptions{condition: true, explicit: true})
		if err != nil {
			return nil, err
		}
		return x, p.expectOperator(")")
	case t.operator("["):
		p.next()
		items, err := p.items("]")
		return &list{items}, err
	case t.operator("{"):
		p.next()
		return p.dict()
	}
	return nil, syntaxError(t.line, "unexpected %s", repr(t.describe()))
}

// items reads expressions with commas between them and their end.
func (p *parser) items(end string) ([]node, error) {
	var items []node
	for !p.isOperator(end) {
		if len(items) > 0 {
			if err := p.expectOperator(","); err != nil {
				return nil, err
			}
			if p.isOperator(end) {
				break
			}
		}
		x, err := p.expression()
		if err != nil {
			return nil, err
		}
		items = append(items, x)
	}
	p.next()
	return items, nil
}

func (p *parser) dict() (node, error) {
	d := &dictNode{}
	for !p.isOperator("}") {
		if len(d.keys) > 0 {
			if err := p.expectOperator(","); err != nil {
				return nil, err
			}
			if p.isOperator("}") {
				break
			}
		}
		k, err := p.expression()
		if err != nil {
			return nil, err
		}
		if err := p.expectOperator(":"); err != nil {
			return nil, err
		}
		v, err := p.expression()
		if err != nil {
			return nil, err
		}
		d.keys, d.values = append(d.keys, k), append(d.values, v)
	}
	p.next()
	return d, nil
}

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

// filters reads |name(arguments) as often as it comes; inline: the first
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

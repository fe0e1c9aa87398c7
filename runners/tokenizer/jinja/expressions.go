package jinja

import "strings"

// tupleOptions say what may be in a list of expressions with commas between them.
type tupleOptions struct {
	simple    bool   // names and literals
	condition bool   // x if y else z
	explicit  bool   // in brackets, so it may be empty
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

// chain reads operands with operators of equal precedence, from left to right.
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

// items reads expressions with commas between them, and the operator end.
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

package jinja

import "strings"

// flow says how a statement ended.
type flow int

const (
	onwards flow = iota
	breaking
	continuing
)

func (r *run) enter(loads []load) error {
	for _, l := range loads {
		var v Value
		switch l.source {
		case fromCaller:
			v = r.names[l.name]
		case fromOuter:
			v = *r.place(l.from)
		}
		*r.place(l.to) = v
	}
	return r.step(len(loads))
}

func (r *run) place(s slot) *Value {
	at := r.at
	for range s.up {
		at = at.parent
	}
	return &at.slots[s.index]
}

func (r *run) statements(nodes []node) (flow, error) {
	if err := r.deeper(); err != nil {
		return onwards, err
	}
	defer func() { r.depth-- }()
	for _, n := range nodes {
		if err := r.step(1); err != nil {
			return onwards, err
		}
		f, line, err := r.statement(n)
		if err != nil {
			if e, ok := err.(*Error); ok && e.Line == 0 && line > 0 {
				c := *e
				c.Line = line
				err = &c
			}
			return onwards, err
		}
		if f != onwards {
			return f, nil
		}
	}
	return onwards, nil
}

func (r *run) statement(n node) (f flow, line int, err error) {
	switch n := n.(type) {
	case *output:
		return onwards, n.line, r.output(n)
	case *ifNode:
		for i, t := range n.tests {
			v, err := r.eval(t)
			if err != nil {
				return onwards, n.line, err
			}
			if truth(v) {
				f, err := r.statements(n.bodies[i])
				return f, n.line, err
			}
		}
		f, err := r.statements(n.otherwise)
		return f, n.line, err
	case *forLoop:
		f, err := r.forLoop(n)
		return f, n.line, err
	case *setNode:
		if err := r.checkTarget(n.target); err != nil {
			return onwards, n.line, err
		}
		v, err := r.eval(n.x)
		if err == nil {
			err = r.assign(n.target, v)
		}
		return onwards, n.line, err
	case *setBlock:
		f, err := r.setBlock(n)
		return f, n.line, err
	case *macroNode:
		*r.place(n.slot) = &macroValue{n.name, &n.signature, r.at}
		return onwards, n.line, nil
	case *callBlock:
		return onwards, n.line, r.callBlock(n)
	case *filterBlock:
		if err := r.enter(n.load); err != nil {
			return onwards, n.line, err
		}
		s, f, err := r.captured(n.body)
		if err != nil || f != onwards {
			return f, n.line, err
		}
		v, err := r.filterText(n.filter, s)
		if err != nil {
			return onwards, n.line, err
		}
		return onwards, n.line, r.print(v)
	case *with:
		if err := r.enter(n.load); err != nil {
			return onwards, n.line, err
		}
		for i, target := range n.targets {
			v, err := r.eval(n.values[i])
			if err == nil {
				err = r.assign(target, v)
			}
			if err != nil {
				return onwards, n.line, err
			}
		}
		f, err := r.statements(n.body)
		return f, n.line, err
	case *breakNode:
		return breaking, n.line, nil
	case *continueNode:
		return continuing, n.line, nil
	}
	return onwards, 0, fail(Unsupported, "a statement %T", n)
}

func (r *run) output(n *output) error {
	for _, x := range n.items {
		v, err := r.eval(x)
		if err != nil {
			return err
		}
		if err := r.print(v); err != nil {
			return err
		}
	}
	return nil
}

// print writes a value's text to the output.
func (r *run) print(v Value) error {
	s, ok := textOf(v)
	if !ok {
		var err error
		if s, err = r.str(v); err != nil {
			return err
		}
	}
	if err := r.take(len(s)); err != nil {
		return err
	}
	r.out.WriteString(s)
	return nil
}

// captured renders statements to a text.
func (r *run) captured(body []node) (string, flow, error) {
	outer := r.out
	r.out = &strings.Builder{}
	defer func() { r.out = outer }()
	f, err := r.statements(body)
	return r.out.String(), f, err
}

func (r *run) setBlock(n *setBlock) (flow, error) {
	if err := r.enter(n.load); err != nil {
		return onwards, err
	}
	s, f, err := r.captured(n.body)
	if err != nil || f != onwards {
		return f, err
	}
	if err := r.checkTarget(n.target); err != nil {
		return onwards, err
	}
	var v Value = s
	if n.filter != nil {
		if v, err = r.filterText(n.filter, s); err != nil {
			return onwards, err
		}
	}
	return onwards, r.assign(n.target, v)
}

// checkTarget returns an error for an attribute of a value that is not a namespace. It
// is called before anything is evaluated.
func (r *run) checkTarget(target node) error {
	switch n := target.(type) {
	case *attributeTarget:
		if _, ok := (*r.place(n.slot)).(*namespaceValue); !ok {
			return fail("TemplateRuntimeError", "cannot assign attribute on non-namespace object")
		}
	case *tuple:
		for _, x := range n.items {
			if err := r.checkTarget(x); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *run) assign(target node, v Value) error {
	switch n := target.(type) {
	case *name:
		*r.place(n.slot) = v
		return nil
	case *attributeTarget:
		ns, ok := (*r.place(n.slot)).(*namespaceValue)
		if !ok {
			return fail("TemplateRuntimeError", "cannot assign attribute on non-namespace object")
		}
		ns.dict.setText(n.attribute, v)
		return r.take(entryBytes)
	}
	targets := target.(*tuple).items
	next, err := r.iterate(v)
	if err != nil {
		return fail("TypeError", "cannot unpack non-iterable %s object", typeName(v))
	}
	values := make([]Value, 0, len(targets))
	for {
		x, ok, err := next()
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		if len(values) == len(targets) {
			return fail("ValueError", "too many values to unpack (expected %d)", len(targets))
		}
		values = append(values, x)
	}
	if len(values) < len(targets) {
		return fail("ValueError", "not enough values to unpack (expected %d, got %d)", len(targets), len(values))
	}
	for i, t := range targets {
		if err := r.assign(t, values[i]); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) forLoop(n *forLoop) (flow, error) {
	over, err := r.eval(n.over)
	if err != nil {
		return onwards, err
	}
	if !n.recursive {
		return r.loopOver(n, over, 0, nil)
	}
	at := r.at
	var recurse func(r *run, over Value, depth int) (string, error)
	recurse = func(r *run, over Value, depth int) (string, error) {
		outer, out := r.at, r.out
		r.at, r.out = newActivation(n.function, at), &strings.Builder{}
		defer func() { r.at, r.out = outer, out }()
		if err := r.take(valueBytes + itemBytes*len(r.at.slots)); err != nil {
			return "", err
		}
		_, err := r.loopOver(n, over, depth, recurse)
		return r.out.String(), err
	}
	s, err := recurse(r, over, 0)
	if err != nil {
		return onwards, err
	}
	return onwards, r.print(s)
}

func (r *run) loopOver(n *forLoop, over Value, depth int, recurse func(*run, Value, int) (string, error)) (flow, error) {
	next, err := r.iterate(over)
	if err != nil {
		return onwards, err
	}
	if n.test != nil {
		if next, err = r.tested(n, next); err != nil {
			return onwards, err
		}
		over = nil
	}
	loop := r.newLoop(over, next, depth)
	loop.recurse = recurse
	empty := true
	for {
		x, ok, err := loop.advance()
		if err != nil {
			return onwards, err
		}
		if !ok {
			break
		}
		if err := r.step(1); err != nil {
			return onwards, err
		}
		if err := r.assign(n.target, x); err != nil {
			return onwards, err
		}
		*r.place(n.loop) = loop
		if err := r.enter(n.load); err != nil {
			return onwards, err
		}
		f, err := r.statements(n.body)
		if err != nil {
			return onwards, err
		}
		if f == breaking {
			// Jinja2's code notes that a loop was not empty only at the end of its
			// body, so break and continue skip that.
			break
		}
		if f == onwards {
			empty = false
		}
	}
	if !empty || n.otherwise == nil {
		return onwards, nil
	}
	if err := r.enter(n.elseLoad); err != nil {
		return onwards, err
	}
	return r.statements(n.otherwise)
}

// tested returns an iterator over the items for which a loop's test is true.
func (r *run) tested(n *forLoop, next iterator) (iterator, error) {
	var at *activation
	outer := r.at
	return func() (Value, bool, error) {
		current := r.at
		defer func() { r.at = current }()
		if at == nil {
			at = newActivation(n.testFunction, outer)
			r.at = at
			if err := r.enter(n.testLoad); err != nil {
				return nil, false, err
			}
		}
		r.at = at
		for {
			x, ok, err := next()
			if err != nil || !ok {
				return nil, false, err
			}
			if err := r.assign(n.testTarget, x); err != nil {
				return nil, false, err
			}
			v, err := r.eval(n.test)
			if err != nil {
				return nil, false, err
			}
			if !truth(v) {
				continue
			}
			if t, ok := n.testTarget.(*tuple); ok { // make a new tuple from the values of the names
				x, err = r.repack(t)
			}
			return x, true, err
		}
	}, nil
}

func (r *run) repack(t *tuple) (Value, error) {
	packed := newTuple()
	for _, x := range t.items {
		switch x := x.(type) {
		case *tuple:
			v, err := r.repack(x)
			if err != nil {
				return nil, err
			}
			packed.items = append(packed.items, v)
		case *name:
			packed.items = append(packed.items, *r.place(x.slot))
		}
	}
	return packed, r.take(valueBytes + itemBytes*len(t.items))
}

package jinja

import (
	"maps"
	"slices"
	"strings"
)

// function is a part of a template with its own variables while it runs: the whole
// template, a macro, the body of a recursive loop, the test of a loop.
type function struct {
	parent *function
	slots  map[identifier]int
}

func newFunction(parent *function) *function {
	return &function{parent: parent, slots: map[identifier]int{}}
}

// load says how a slot gets its value when a frame is entered.
type load struct {
	to     slot
	from   slot // source fromOuter
	source source
	name   string
}

// frame is the frame that the binder works on.
type frame struct {
	*symbols
	function *function
	parent   *frame
	soft     bool // within an if: an unknown filter or test is an error only when it runs
}

func (f *frame) inner() *frame {
	return &frame{symbols: newSymbols(f.symbols), function: f.function, parent: f}
}

// innerFunction returns an inner frame with its own function.
func (f *frame) innerFunction() *frame {
	i := f.inner()
	i.function = newFunction(f.function)
	return i
}

// slot returns the slot of an identifier, relative to the frame.
func (f *frame) slot(id identifier) slot {
	owner := f
	for owner.level > id.level {
		owner = owner.parent
	}
	up := 0
	for fn := f.function; fn != owner.function; fn = fn.parent {
		up++
	}
	index, ok := owner.function.slots[id]
	if !ok {
		index = len(owner.function.slots)
		owner.function.slots[id] = index
	}
	return slot{up, index}
}

func (f *frame) loadsInto() []load {
	ids := slices.SortedFunc(maps.Keys(f.loads), func(a, b identifier) int {
		if a.level != b.level {
			return a.level - b.level
		}
		return strings.Compare(a.name, b.name)
	})
	var all []load
	for _, id := range ids {
		o := f.loads[id]
		if o.source == fromParameter {
			continue
		}
		l := load{to: f.slot(id), source: o.source, name: id.name}
		if o.source == fromOuter {
			l.from = f.slot(o.outer)
		}
		all = append(all, l)
	}
	return all
}

// bind sets the slot of every name of a template.
func (t *Template) bind() error {
	f := &frame{symbols: newSymbols(nil), function: newFunction(nil)}
	if undeclared(t.body, "self")["self"] {
		return fail(Unsupported, "the variable self")
	}
	for _, n := range t.body {
		inspect(n, func(n node) bool {
			if n, ok := n.(*name); ok && n.id == "strftime_now" {
				t.usesNow = true
			}
			return true
		})
	}
	f.see(t.body...)
	t.root = f.function
	t.load = f.loadsInto()
	return f.bind(t.body...)
}

// undeclared returns those of the names that are used before they are assigned.
func undeclared(nodes []node, names ...string) map[string]bool {
	open, used := map[string]bool{}, map[string]bool{}
	for _, n := range names {
		open[n] = true
	}
	for _, n := range nodes {
		inspect(n, func(n node) bool {
			if n, ok := n.(*name); ok {
				if !n.store && open[n.id] {
					used[n.id] = true
				} else if n.store {
					delete(open, n.id)
				}
			}
			return true
		})
	}
	return used
}

func (f *frame) name(id string, line int) (slot, error) {
	known, ok := f.find(id)
	if !ok {
		return slot{}, syntaxError(line, "the name %s is not known here", repr(id))
	}
	return f.slot(known), nil
}

func (f *frame) bind(nodes ...node) error {
	for _, n := range nodes {
		if n == nil {
			continue
		}
		if err := f.bindOne(n); err != nil {
			return err
		}
	}
	return nil
}

func (f *frame) bindOne(n node) (err error) {
	switch n := n.(type) {
	case *name:
		n.slot, err = f.name(n.id, n.line)
	case *attributeTarget:
		n.slot, err = f.name(n.id, n.line)
	case *filter:
		if n.known = filters[n.name]; n.known == nil && !f.soft {
			return errorAt(n.line, "TemplateAssertionError", "No filter named '%s'.", n.name)
		}
		return f.bind(children(n)...)
	case *test:
		if n.known = tests[n.name]; n.known == nil && !f.soft {
			return errorAt(n.line, "TemplateAssertionError", "No test named '%s'.", n.name)
		}
		return f.bind(children(n)...)
	case *condition:
		return f.softly().bind(children(n)...)
	case *ifNode:
		return f.softly().bind(children(n)...)
	case *forLoop:
		return f.bindLoop(n)
	case *macroNode:
		if err := f.bindSignature(&n.signature, n.line); err != nil {
			return err
		}
		n.slot, err = f.name(n.name, n.line)
	case *callBlock:
		if err := f.bindSignature(&n.signature, n.line); err != nil {
			return err
		}
		if n.call != nil {
			return f.bind(n.call)
		}
	case *setBlock:
		i := f.inner()
		i.see(n.body...)
		n.load = i.loadsInto()
		if err := i.bind(n.body...); err != nil {
			return err
		}
		if err := i.bind(n.filter); err != nil {
			return err
		}
		return f.bind(n.target)
	case *filterBlock:
		i := f.inner()
		i.see(append(slices.Clone(n.body), n.filter)...)
		n.load = i.loadsInto()
		return i.bind(append(slices.Clone(n.body), n.filter)...)
	case *with:
		i := f.inner()
		for _, target := range n.targets {
			i.parameters(target)
		}
		i.see(n.body...)
		n.load = i.loadsInto()
		if err := f.bind(n.values...); err != nil {
			return err
		}
		return i.bind(append(slices.Clone(n.targets), n.body...)...)
	default:
		return f.bind(children(n)...)
	}
	return err
}

func (f *frame) softly() *frame {
	s := *f
	s.soft = true
	return &s
}

func (f *frame) bindLoop(n *forLoop) error {
	var renamed error
	inspect(n, func(n node) bool {
		if n, ok := n.(*name); ok && n.store && n.id == "loop" {
			renamed = errorAt(n.line, "TemplateAssertionError", "Can't assign to special loop variable in for-loop target")
		}
		return true
	})
	if renamed != nil {
		return renamed
	}
	body := f.inner()
	if n.recursive {
		body = f.innerFunction()
		n.function = body.function
	}
	if n.recursive || undeclared(n.body, "loop")["loop"] {
		n.loop = body.slot(body.parameter("loop"))
	} else {
		n.loop = body.slot(identifier{body.level, " loop"})
	}
	body.parameters(n.target)
	body.see(n.body...)
	n.load = body.loadsInto()

	otherwise := f.inner()
	otherwise.function = body.function
	otherwise.see(n.otherwise...)
	n.elseLoad = otherwise.loadsInto()

	if n.test != nil {
		t := f.innerFunction()
		n.testFunction = t.function
		n.testTarget = cloneTarget(n.target)
		t.parameters(n.testTarget)
		t.see(n.test)
		n.testLoad = t.loadsInto()
		if err := t.bind(n.testTarget, n.test); err != nil {
			return err
		}
	}
	if err := f.bind(n.over); err != nil {
		return err
	}
	if err := body.bind(n.target); err != nil {
		return err
	}
	if err := body.bind(n.body...); err != nil {
		return err
	}
	return otherwise.bind(n.otherwise...)
}

// cloneTarget copies the target of a loop, because the loop's test runs before its
// body and has its own variables.
func cloneTarget(n node) node {
	switch n := n.(type) {
	case *name:
		c := *n
		return &c
	case *attributeTarget:
		c := *n
		return &c
	case *tuple:
		c := &tuple{}
		for _, x := range n.items {
			c.items = append(c.items, cloneTarget(x))
		}
		return c
	}
	return n
}

func (f *frame) bindSignature(s *signature, line int) error {
	i := f.innerFunction()
	s.function = i.function
	for _, p := range s.parameters {
		i.parameter(p.id)
	}
	i.see(s.defaults...)
	i.see(s.body...)
	used := undeclared(s.body, "caller", "kwargs", "varargs")
	own := map[string]*slot{}
	for k, p := range s.parameters {
		at := i.slot(i.refs[p.id])
		s.given = append(s.given, at)
		if p.id == "caller" && used["caller"] && k < len(s.parameters)-len(s.defaults) {
			return errorAt(line, "TemplateAssertionError", `When defining macros or call blocks the special "caller" argument must be omitted or be given a default.`)
		}
		own[p.id] = &at
	}
	for _, special := range []struct {
		name string
		to   **slot
	}{{"caller", &s.caller}, {"kwargs", &s.kwargs}, {"varargs", &s.varargs}} {
		if used[special.name] && own[special.name] == nil {
			at := i.slot(i.parameter(special.name))
			*special.to = &at
		}
	}
	s.load = i.loadsInto()
	if err := i.bind(s.defaults...); err != nil {
		return err
	}
	return i.bind(s.body...)
}

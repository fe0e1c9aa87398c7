package jinja

import (
	"slices"
	"strings"
)

func (r *run) evalArguments(a *arguments) ([]Value, []named, error) {
	args, err := r.evalAll(a.plain)
	if err != nil {
		return nil, nil, err
	}
	var names []named
	for _, k := range a.named {
		v, err := r.eval(k.x)
		if err != nil {
			return nil, nil, err
		}
		names = append(names, named{k.name, v})
	}
	if a.list != nil {
		v, err := r.eval(a.list)
		if err != nil {
			return nil, nil, err
		}
		more, err := r.collect(v)
		if err != nil {
			return nil, nil, err
		}
		args = append(args, more...)
	}
	if a.mapping != nil {
		v, err := r.eval(a.mapping)
		if err != nil {
			return nil, nil, err
		}
		d, ok := v.(*dictValue)
		if !ok {
			return nil, nil, fail("TypeError", "argument after ** must be a mapping, not %s", typeName(v))
		}
		if err := r.take(valueBytes * len(d.keys)); err != nil {
			return nil, nil, err
		}
		for i, k := range d.keys {
			name, ok := textOf(k)
			if !ok {
				return nil, nil, fail("TypeError", "keywords must be strings")
			}
			if slices.ContainsFunc(names, func(n named) bool { return n.name == name }) {
				return nil, nil, fail("TypeError", "got multiple values for keyword argument '%s'", name)
			}
			names = append(names, named{name, d.values[i]})
		}
	}
	return args, names, nil
}

// evalCall calls a function; caller is the body of a call block, or nil.
func (r *run) evalCall(n *call, caller Value) (Value, error) {
	f, err := r.eval(n.f)
	if err != nil {
		return nil, err
	}
	args, names, err := r.evalArguments(&n.arguments)
	if err != nil {
		return nil, err
	}
	if caller != nil {
		if slices.ContainsFunc(names, func(n named) bool { return n.name == "caller" }) {
			return nil, fail("TypeError", "got multiple values for keyword argument 'caller'")
		}
		names = append(names, named{"caller", caller})
	}
	return r.call(f, args, names)
}

func (r *run) call(f Value, args []Value, names []named) (Value, error) {
	switch f := f.(type) {
	case *undefined:
		return nil, f.fail()
	case *builtin:
		return f.call(r, args, names)
	case *macroValue:
		return r.callMacro(f, args, names)
	case *loopValue:
		a, err := bindArguments("loop", "iterable", args, names)
		if err != nil {
			return nil, err
		}
		if f.recurse == nil {
			return nil, fail("TypeError", "The loop must have the 'recursive' marker to be called recursively.")
		}
		if err := r.within(macroDepth); err != nil {
			return nil, err
		}
		defer func() { r.depth -= macroDepth }()
		s, err := f.recurse(r, a[0], f.depth0+1)
		return s, err
	case *joiner:
		if len(args)+len(names) > 0 {
			return nil, fail("TypeError", "a joiner takes no arguments")
		}
		if !f.used {
			f.used = true
			return "", nil
		}
		return f.separator, nil
	}
	return nil, fail("TypeError", "'%s' object is not callable", typeName(f))
}

// macroDepth is the number of levels that a call of a macro counts. Python stops at
// about two hundred nested macros.
const macroDepth = 4

func (r *run) within(n int) error {
	if r.depth += n; r.depth > r.limits.Depth {
		r.depth -= n
		return fail(OverLimit, "nested deeper than %d", r.limits.Depth)
	}
	return nil
}

func (m *macroValue) usesCaller() bool {
	return m.caller != nil || slices.ContainsFunc(m.parameters, func(p *name) bool {
		return p.id == "caller" && undeclared(m.body, "caller")["caller"]
	})
}

func (r *run) callMacro(m *macroValue, args []Value, names []named) (Value, error) {
	if err := r.within(macroDepth); err != nil {
		return nil, err
	}
	defer func() { r.depth -= macroDepth }()
	at := newActivation(m.function, m.at)
	if err := r.take(valueBytes + itemBytes*len(at.slots)); err != nil {
		return nil, err
	}
	take := func(name string) Value {
		for i, k := range names {
			if k.name == name {
				names = append(slices.Clone(names[:i]), names[i+1:]...)
				return k.value
			}
		}
		return nil
	}
	for i, s := range m.given {
		if i < len(args) {
			at.slots[s.index] = args[i]
		} else {
			at.slots[s.index] = take(m.parameters[i].id)
		}
	}
	if m.caller != nil {
		c := take("caller")
		if _, ok := c.(none); ok || c == nil {
			c = &undefined{"UndefinedError", "No caller defined"}
		}
		at.slots[m.caller.index] = c
	}
	if m.kwargs != nil {
		d := newDict()
		for _, k := range names {
			d.setText(k.name, k.value)
		}
		at.slots[m.kwargs.index] = d
	} else if len(names) > 0 {
		if names[0].name == "caller" {
			return nil, fail("TypeError", "macro %s was invoked with two values for the special caller argument. This is most likely a bug.", repr(m.name))
		}
		return nil, fail("TypeError", "macro %s takes no keyword argument %s", repr(m.name), repr(names[0].name))
	}
	if m.varargs != nil {
		at.slots[m.varargs.index] = newTuple(args[min(len(m.given), len(args)):]...)
	} else if len(args) > len(m.given) {
		return nil, fail("TypeError", "macro %s takes not more than %d argument(s)", repr(m.name), len(m.given))
	}
	return r.runMacro(m, at)
}

func (r *run) runMacro(m *macroValue, at *activation) (Value, error) {
	outer, out := r.at, r.out
	r.at, r.out = at, &strings.Builder{}
	defer func() { r.at, r.out = outer, out }()
	if err := r.enter(m.load); err != nil {
		return nil, err
	}
	for i, s := range m.given {
		if at.slots[s.index] != nil {
			continue
		}
		k := i - len(m.given) + len(m.defaults)
		if k < 0 {
			id := m.parameters[i].id
			at.slots[s.index] = &undefined{"UndefinedError", "parameter " + repr(id) + " was not provided"}
			continue
		}
		v, err := r.eval(m.defaults[k])
		if err != nil {
			return nil, err
		}
		at.slots[s.index] = v
	}
	_, err := r.statements(m.body)
	return r.out.String(), err
}

func (r *run) callBlock(n *callBlock) error {
	caller := &macroValue{"", &n.signature, r.at}
	var v Value
	var err error
	if n.call == nil {
		v, err = r.callMacro(caller, nil, nil)
	} else {
		v, err = r.evalCall(n.call, caller)
	}
	if err != nil {
		return err
	}
	return r.print(v)
}

// bindArguments returns the values of parameters. parameters is a list of names: a ?
// after a name makes it optional (its value is nil if absent), and those before a /
// cannot be given by name.
func bindArguments(function, parameters string, args []Value, names []named) ([]Value, error) {
	list := strings.Fields(parameters)
	out := make([]Value, 0, len(list))
	anonymous := 0
	for i, p := range list {
		if p == "/" {
			anonymous = i
		}
	}
	if anonymous > 0 {
		list = slices.Delete(slices.Clone(list), anonymous, anonymous+1)
	}
	if len(args) > len(list) {
		return nil, fail("TypeError", "%s() takes at most %d arguments (%d given)", function, len(list), len(args))
	}
	out = append(out, args...)
	for len(out) < len(list) {
		out = append(out, nil)
	}
	for _, k := range names {
		at := -1
		for i, p := range list {
			if strings.TrimSuffix(p, "?") == k.name && i >= anonymous {
				at = i
			}
		}
		if at < 0 {
			return nil, fail("TypeError", "%s() got an unexpected keyword argument '%s'", function, k.name)
		}
		if out[at] != nil {
			return nil, fail("TypeError", "%s() got multiple values for argument '%s'", function, k.name)
		}
		out[at] = k.value
	}
	for i, p := range list {
		if out[i] == nil && !strings.HasSuffix(p, "?") {
			return nil, fail("TypeError", "%s() missing 1 required positional argument: '%s'", function, p)
		}
	}
	return out, nil
}

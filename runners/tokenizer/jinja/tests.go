package jinja

// testFunction is a test. a has the value and the arguments.
type testFunction func(r *run, a []Value) (bool, error)

func (r *run) test(n *test) (Value, error) {
	x, err := r.eval(n.x)
	if err != nil {
		return nil, err
	}
	args, names, err := r.evalArguments(&n.arguments)
	if err != nil {
		return nil, err
	}
	yes, err := r.applyTest(n.name, x, args, names)
	return yes, err
}

// testParameters are the parameters of tests that have more than the value.
var testParameters = map[string]string{"divisibleby": "value num", "sameas": "value other", "in": "value seq"}

func (r *run) applyTest(name string, x Value, args []Value, names []named) (bool, error) {
	f := tests[name]
	if f == nil {
		return false, fail("TemplateRuntimeError", "No test named %s found.", repr(name))
	}
	parameters, ok := testParameters[name]
	switch {
	case ok:
	case comparisons[name] != "":
		parameters = "a b /"
	case name == "callable":
		parameters = "obj /"
	default:
		parameters = "value"
	}
	a, err := bindArguments(name, parameters, append([]Value{x}, args...), names)
	if err != nil {
		return false, err
	}
	return f(r, a)
}

var comparisons = map[string]string{
	"==": "==", "eq": "==", "equalto": "==", "!=": "!=", "ne": "!=", ">": ">", "gt": ">", "greaterthan": ">",
	">=": ">=", "ge": ">=", "<": "<", "lt": "<", "lessthan": "<", "<=": "<=", "le": "<=",
}

var tests map[string]testFunction

func init() { // not in the declaration, because the tests named test and filter use the tables
	of := func(f func(Value) bool) testFunction {
		return func(_ *run, a []Value) (bool, error) { return f(a[0]), nil }
	}
	remainder := func(by, want int64) testFunction {
		return func(r *run, a []Value) (bool, error) {
			v, err := r.operate("%", a[0], by)
			if err != nil {
				return false, err
			}
			return r.equal(v, want)
		}
	}
	isText := func(v Value) bool { _, ok := textOf(v); return ok }
	tests = map[string]testFunction{
		"odd":  remainder(2, 1),
		"even": remainder(2, 0),
		"divisibleby": func(r *run, a []Value) (bool, error) {
			v, err := r.operate("%", a[0], a[1])
			if err != nil {
				return false, err
			}
			return r.equal(v, int64(0))
		},
		"defined":   of(func(v Value) bool { _, ok := v.(*undefined); return !ok }),
		"undefined": of(func(v Value) bool { _, ok := v.(*undefined); return ok }),
		"filter": func(r *run, a []Value) (bool, error) {
			_, err := r.hash(a[0])
			s, ok := textOf(a[0])
			return ok && filters[s] != nil, err
		},
		"test": func(r *run, a []Value) (bool, error) {
			_, err := r.hash(a[0])
			s, ok := textOf(a[0])
			return ok && tests[s] != nil, err
		},
		"none":     of(func(v Value) bool { return v == none{} }),
		"boolean":  of(func(v Value) bool { _, ok := v.(bool); return ok }),
		"true":     of(func(v Value) bool { return v == true }),
		"false":    of(func(v Value) bool { return v == false }),
		"integer":  of(func(v Value) bool { return typeName(v) == "int" }),
		"float":    of(func(v Value) bool { return typeName(v) == "float" }),
		"number":   of(isNumber),
		"string":   of(isText),
		"mapping":  of(func(v Value) bool { return typeName(v) == "dict" }),
		"sequence": of(isSequence),
		"iterable": of(isIterable),
		"callable": of(func(v Value) bool {
			switch v.(type) {
			case *builtin, *macroValue, *loopValue, *joiner, *undefined:
				return true
			}
			return false
		}),
		"escaped": of(func(v Value) bool { _, ok := v.(markup); return ok }),
		"in":      func(r *run, a []Value) (bool, error) { return r.contains(a[0], a[1]) },
		"lower":   caseTest(isLower),
		"upper":   caseTest(isUpper),
		"sameas":  func(r *run, a []Value) (bool, error) { return sameAs(a[0], a[1]) },
	}
	for name, op := range comparisons {
		tests[name] = func(r *run, a []Value) (bool, error) { return r.compare(op, a[0], a[1]) }
	}
}

func caseTest(is func(string) bool) testFunction {
	return func(r *run, a []Value) (bool, error) {
		s, err := r.str(a[0])
		return is(s), err
	}
}

func isSequence(v Value) bool {
	switch v.(type) {
	case string, markup, *listValue, *tupleValue, *dictValue, *rangeValue, *undefined:
		return true
	}
	return false
}

func isIterable(v Value) bool {
	switch v.(type) {
	case *view, *generator, *loopValue:
		return true
	}
	return isSequence(v)
}

// sameAs is Python's is, unless the result depends on how Python stores values.
func sameAs(a, b Value) (bool, error) {
	switch a.(type) {
	case bool, none:
		return a == b, nil
	}
	switch b.(type) {
	case bool, none:
		return false, nil
	}
	if typeName(a) != typeName(b) {
		return false, nil
	}
	switch a.(type) {
	case *listValue, *dictValue, *namespaceValue, *macroValue, *loopValue:
		return a == b, nil
	}
	return false, fail(Unsupported, "the test sameas of a %s", typeName(a))
}

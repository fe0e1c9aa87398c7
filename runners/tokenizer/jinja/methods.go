package jinja

import "math"

// method is a method of a type: its parameters, in the form of bindArguments; or
// raw, which binds its arguments itself.
type method struct {
	parameters string
	call       func(r *run, x Value, a []Value) (Value, error)
	raw        func(r *run, x Value, args []Value, names []named) (Value, error)
}

// methodOf returns a method bound to its value, or nil if there is none.
func methodOf(x Value, name string) *builtin {
	var m *method
	switch x.(type) {
	case string, markup:
		m = textMethods[name]
	case *listValue, *tupleValue:
		m = sequenceMethods[name]
		if _, ok := x.(*tupleValue); ok && name == "copy" {
			m = nil
		}
	case *dictValue:
		m = dictMethods[name]
	case *rangeValue:
		if m = sequenceMethods[name]; name == "copy" {
			m = nil
		}
	case float64:
		m = floatMethods[name]
	}
	if m == nil {
		return nil
	}
	return &builtin{name, func(r *run, args []Value, names []named) (Value, error) {
		if s, ok := textOf(x); ok {
			if err := r.scan(len(s)); err != nil {
				return nil, err
			}
		}
		if v, ok := x.(*rangeValue); ok {
			items, err := r.collect(v)
			if err != nil {
				return nil, err
			}
			a, err := bindArguments(name, "value /", args, names)
			if err != nil {
				return nil, err
			}
			return m.call(r, &listValue{items}, append(a, nil, nil))
		}
		if m.raw != nil {
			return m.raw(r, x, args, names)
		}
		a, err := bindArguments(name, m.parameters, args, names)
		if err != nil {
			return nil, err
		}
		return m.call(r, x, a)
	}}
}

// wholeArgument returns an argument that must be a whole number, clamped to int64.
// If it is absent, it is otherwise.
func wholeArgument(v Value, otherwise int64) (int64, error) {
	if v == nil {
		return otherwise, nil
	}
	n, ok := wholeOf(v)
	if !ok {
		if u, ok := v.(*undefined); ok {
			return 0, fail("TypeError", "'%s' object cannot be interpreted as an integer", typeName(u))
		}
		return 0, fail("TypeError", "'%s' object cannot be interpreted as an integer", typeName(v))
	}
	return clamp(n), nil
}

// sizeArgument is wholeArgument for a number that Python keeps in a machine word.
func sizeArgument(v Value, otherwise int64) (int64, error) {
	n, err := wholeArgument(v, otherwise)
	if err == nil && (n == math.MaxInt64 || n == math.MinInt64) {
		return 0, fail("OverflowError", "Python int too large to convert to C ssize_t")
	}
	return n, err
}

// span returns the range of n items that start and end select; both may be absent or
// none. If start is beyond n, so is from.
func span(start, end Value, n int) (from, to int, err error) {
	index := func(v Value, otherwise int) (int, error) {
		if _, ok := v.(none); ok || v == nil {
			return otherwise, nil
		}
		w, ok := wholeOf(v)
		if !ok {
			return 0, fail("TypeError", "slice indices must be integers or None or have an __index__ method")
		}
		i := clamp(w)
		if i < 0 {
			i = max(i+int64(n), 0)
		}
		return int(min(i, int64(n)+1)), nil
	}
	if from, err = index(start, 0); err == nil {
		to, err = index(end, n)
	}
	return from, min(to, n), err
}

var sequenceMethods = map[string]*method{
	"count": {parameters: "value /", call: func(r *run, x Value, a []Value) (Value, error) {
		items, _ := sequence(x)
		n := int64(0)
		for _, y := range items {
			same, err := r.same(y, a[0])
			if err != nil {
				return nil, err
			}
			if same {
				n++
			}
		}
		return n, nil
	}},
	"index": {parameters: "value start? stop? /", call: func(r *run, x Value, a []Value) (Value, error) {
		items, _ := sequence(x)
		from, to, err := span(a[1], a[2], len(items))
		if err != nil {
			return nil, err
		}
		for i := from; i < to; i++ {
			same, err := r.same(items[i], a[0])
			if err != nil {
				return nil, err
			}
			if same {
				return int64(i), nil
			}
		}
		what, err := r.repr(a[0])
		if err != nil {
			return nil, err
		}
		return nil, fail("ValueError", "%s is not in %s", what, typeName(x))
	}},
	"copy": {parameters: "", call: func(r *run, x Value, _ []Value) (Value, error) {
		items, _ := sequence(x)
		return r.makeList(append([]Value{}, items...))
	}},
}

var dictMethods = map[string]*method{
	"get": {parameters: "key default? /", call: func(r *run, x Value, a []Value) (Value, error) {
		d := x.(*dictValue)
		h, err := r.hash(a[0])
		if err != nil {
			return nil, err
		}
		if i, ok := d.at[h]; ok {
			return d.values[i], nil
		}
		if a[1] == nil {
			return none{}, nil
		}
		return a[1], nil
	}},
	"keys":   viewMethod("dict_keys"),
	"values": viewMethod("dict_values"),
	"items":  viewMethod("dict_items"),
	"copy": {parameters: "", call: func(r *run, x Value, _ []Value) (Value, error) {
		d := x.(*dictValue)
		if err := r.take(entryBytes * (1 + len(d.keys))); err != nil {
			return nil, err
		}
		return d.copy(), nil
	}},
}

func viewMethod(kind string) *method {
	return &method{parameters: "", call: func(r *run, x Value, _ []Value) (Value, error) {
		return &view{kind, x.(*dictValue)}, nil
	}}
}

var floatMethods = map[string]*method{
	"is_integer": {parameters: "", call: func(r *run, x Value, _ []Value) (Value, error) {
		f := x.(float64)
		return f == math.Trunc(f) && !math.IsInf(f, 0), nil
	}},
}

package jinja

import (
	"slices"
	"strings"
)

// getter returns a function that gets an attribute such as "a.0.b" of a value, or
// the value itself if attribute is nil. If fold is set, text is lower-cased for
// comparison.
func (r *run) getter(attribute, otherwise Value, fold bool) func(Value) (Value, error) {
	var parts []Value
	if s, ok := textOf(attribute); ok {
		for _, p := range strings.Split(s, ".") {
			var part Value = p
			if isDigits(p) {
				if n, err := readInteger(p, 10); err == nil {
					part = n
				}
			}
			parts = append(parts, part)
		}
	} else if _, ok := attribute.(none); !ok && attribute != nil {
		parts = []Value{attribute}
	}
	if _, ok := otherwise.(none); ok {
		otherwise = nil
	}
	return func(v Value) (Value, error) {
		for _, p := range parts {
			var err error
			if v, err = r.item(v, p); err != nil {
				return nil, err
			}
			if _, ok := v.(*undefined); ok && otherwise != nil {
				v = otherwise
			}
		}
		if s, ok := textOf(v); ok && fold {
			return r.makeText(lower(s))
		}
		return v, nil
	}
}

func given(v Value) bool { return v != nil && truth(v) }

// mapped returns an iterator over f of each item.
func (r *run) mapped(over Value, f func(Value) (Value, error)) (iterator, error) {
	next, err := r.iterate(over)
	if err != nil {
		return nil, err
	}
	return func() (Value, bool, error) {
		v, ok, err := next()
		if err != nil || !ok {
			return nil, false, err
		}
		v, err = f(v)
		return v, true, err
	}, nil
}

// lazily returns a generator that calls begin when its first item is needed.
func lazily(begin func() (iterator, error)) *generator {
	var next iterator
	return &generator{name: "generator", next: func() (Value, bool, error) {
		if next == nil {
			var err error
			if next, err = begin(); err != nil {
				return nil, false, err
			}
		}
		return next()
	}}
}

func nothing() (Value, bool, error) { return nil, false, nil }

func mapFilter(r *run, x Value, args []Value, names []named) (Value, error) {
	return lazily(func() (iterator, error) {
		if !truth(x) {
			return nothing, nil
		}
		if len(args) == 0 {
			var attribute, otherwise Value
			for _, k := range names {
				switch k.name {
				case "attribute":
					attribute = k.value
				case "default":
					otherwise = k.value
				}
			}
			if attribute == nil {
				return nil, fail("FilterArgumentError", "map requires a filter argument")
			}
			for _, k := range names {
				if k.name != "attribute" && k.name != "default" {
					return nil, fail("FilterArgumentError", "Unexpected keyword argument %s", repr(k.name))
				}
			}
			return r.mapped(x, r.getter(attribute, otherwise, false))
		}
		name, ok := textOf(args[0])
		if !ok {
			return nil, fail("TypeError", "map: the filter's name is a %s", typeName(args[0]))
		}
		return r.mapped(x, func(v Value) (Value, error) {
			if err := r.deeper(); err != nil {
				return nil, err
			}
			defer func() { r.depth-- }()
			return r.applyFilter(name, v, args[1:], names)
		})
	}), nil
}

func selectFilter(byAttribute, want bool) func(*run, Value, []Value, []named) (Value, error) {
	return func(r *run, x Value, args []Value, names []named) (Value, error) {
		return lazily(func() (iterator, error) {
			if !truth(x) {
				return nothing, nil
			}
			get := r.getter(nil, nil, false)
			rest := args
			if byAttribute {
				if len(args) == 0 {
					return nil, fail("FilterArgumentError", "Missing parameter for attribute name")
				}
				get, rest = r.getter(args[0], nil, false), args[1:]
			}
			next, err := r.iterate(x)
			if err != nil {
				return nil, err
			}
			return func() (Value, bool, error) {
				for {
					item, ok, err := next()
					if err != nil || !ok {
						return nil, false, err
					}
					v, err := get(item)
					if err != nil {
						return nil, false, err
					}
					yes := truth(v)
					if len(rest) > 0 {
						name, ok := textOf(rest[0])
						if !ok {
							return nil, false, fail("TypeError", "the test's name is a %s", typeName(rest[0]))
						}
						if yes, err = r.applyTest(name, v, rest[1:], names); err != nil {
							return nil, false, err
						}
					}
					if yes == want {
						return item, true, nil
					}
				}
			}, nil
		}), nil
	}
}

func itemsFilter(r *run, a []Value) (Value, error) {
	return lazily(func() (iterator, error) {
		switch d := a[0].(type) {
		case *undefined:
			return nothing, nil
		case *dictValue:
			return r.iterate(&view{"dict_items", d})
		}
		return nil, fail("TypeError", "Can only get item pairs from a mapping.")
	}), nil
}

func joinFilter(r *run, a []Value) (Value, error) {
	separator := ""
	var err error
	if a[1] != nil {
		if separator, err = r.str(a[1]); err != nil {
			return nil, err
		}
	}
	next, err := r.mapped(a[0], r.getter(a[2], nil, false))
	if err != nil {
		return nil, err
	}
	t := text{r: r}
	for i := 0; ; i++ {
		v, ok, err := next()
		if err != nil {
			return nil, err
		}
		if !ok {
			return t.String(), t.err
		}
		if i > 0 {
			t.add(separator)
		}
		if r.write(&t, v, nil); t.err != nil {
			return nil, t.err
		}
	}
}

func reverseFilter(r *run, a []Value) (Value, error) {
	if _, ok := textOf(a[0]); ok {
		return r.slice(a[0], [3]Value{none{}, none{}, int64(-1)})
	}
	next, ok, err := r.reversed(a[0])
	if err != nil {
		return nil, err
	}
	if ok {
		name := "reversed"
		switch a[0].(type) {
		case *listValue:
			name = "list_reverseiterator"
		case *dictValue:
			name = "dict_reversekeyiterator"
		case *rangeValue:
			name = "range_iterator"
		}
		return &generator{name, next}, nil
	}
	items, err := r.collect(a[0])
	if err != nil {
		if kindOf(err) == "TypeError" {
			err = fail("FilterArgumentError", "argument must be iterable")
		}
		return nil, err
	}
	slices.Reverse(items)
	return &listValue{items}, nil
}

func batchFilter(r *run, a []Value) (Value, error) {
	return lazily(func() (iterator, error) {
		size, err := wholeArgument(a[1], 0)
		if err != nil {
			// Python compares lengths with any value, and none is equal.
			size = -1
		}
		next, err := r.iterate(a[0])
		if err != nil {
			return nil, err
		}
		var ahead Value
		done := false
		return func() (Value, bool, error) {
			var items []Value
			if ahead != nil {
				items, ahead = []Value{ahead}, nil
			}
			for !done {
				v, ok, err := next()
				if err != nil {
					return nil, false, err
				}
				if !ok {
					done = true
					break
				}
				if int64(len(items)) == size {
					ahead = v
					out, err := r.makeList(items)
					return out, true, err
				}
				items = append(items, v)
			}
			if len(items) == 0 {
				return nil, false, nil
			}
			if missing := size - int64(len(items)); missing > 0 && a[2] != nil && a[2] != (none{}) {
				if err := r.takeTimes(missing, itemBytes); err != nil {
					return nil, false, err
				}
				for range missing {
					items = append(items, a[2])
				}
			}
			out, err := r.makeList(items)
			return out, true, err
		}, nil
	}), nil
}

func sliceFilter(r *run, a []Value) (Value, error) {
	return lazily(func() (iterator, error) {
		items, err := r.collect(a[0])
		if err != nil {
			return nil, err
		}
		n, err := wholeArgument(a[1], 0)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			return nil, fail("ZeroDivisionError", "integer division or modulo by zero")
		}
		size, extra := int64(len(items))/n, int64(len(items))%n
		at, i := int64(0), int64(0)
		return func() (Value, bool, error) {
			if i >= n {
				return nil, false, nil
			}
			end := at + size
			if i < extra {
				end++
			}
			part := append([]Value{}, items[at:end]...)
			if a[2] != nil && a[2] != (none{}) && i >= extra {
				part = append(part, a[2])
			}
			at = end
			i++
			out, err := r.makeList(part)
			if err == nil {
				err = r.step(1)
			}
			return out, true, err
		}, nil
	}), nil
}

func extremeFilter(op string) func(*run, []Value) (Value, error) {
	return func(r *run, a []Value) (Value, error) {
		next, err := r.iterate(a[0])
		if err != nil {
			return nil, err
		}
		get := r.getter(a[2], nil, !given(a[1]))
		var best, bestKey Value
		for {
			v, ok, err := next()
			if err != nil {
				return nil, err
			}
			if !ok {
				break
			}
			key, err := get(v)
			if err != nil {
				return nil, err
			}
			if best != nil {
				better, err := r.order(op, key, bestKey)
				if err != nil {
					return nil, err
				}
				if !better {
					continue
				}
			}
			best, bestKey = v, key
		}
		if best == nil {
			return &undefined{"UndefinedError", "No aggregated item, sequence was empty."}, nil
		}
		return best, nil
	}
}

func sumFilter(r *run, a []Value) (Value, error) {
	next, err := r.mapped(a[0], r.getter(a[1], nil, false))
	if err != nil {
		return nil, err
	}
	var total Value = int64(0)
	if a[2] != nil {
		total = a[2]
	}
	if _, ok := textOf(total); ok {
		return nil, fail("TypeError", "sum() can't sum strings [use ''.join(seq) instead]")
	}
	for {
		v, ok, err := next()
		if err != nil || !ok {
			return total, err
		}
		if total, err = r.operate("+", total, v); err != nil {
			return nil, err
		}
	}
}

func uniqueFilter(r *run, a []Value) (Value, error) {
	return lazily(func() (iterator, error) {
		next, err := r.iterate(a[0])
		if err != nil {
			return nil, err
		}
		get := r.getter(a[2], nil, !given(a[1]))
		seen := map[string]bool{}
		return func() (Value, bool, error) {
			for {
				v, ok, err := next()
				if err != nil || !ok {
					return nil, false, err
				}
				key, err := get(v)
				if err != nil {
					return nil, false, err
				}
				h, err := r.hash(key)
				if err != nil {
					return nil, false, err
				}
				if !seen[h] {
					seen[h] = true
					return v, true, r.take(entryBytes)
				}
			}
		}, nil
	}), nil
}

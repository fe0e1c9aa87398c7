package jinja

import "unicode/utf8"

// iterator returns the next value, or false at the end.
type iterator = func() (Value, bool, error)

// iterate returns an iterator over a value, as Python's for does.
func (r *run) iterate(v Value) (iterator, error) {
	if s, ok := textOf(v); ok {
		return func() (Value, bool, error) {
			if s == "" {
				return nil, false, nil
			}
			_, n := utf8.DecodeRuneInString(s)
			c := s[:n]
			s = s[n:]
			return c, true, r.step(1)
		}, nil
	}
	i := 0
	switch v := v.(type) {
	case *undefined:
		return func() (Value, bool, error) { return nil, false, nil }, nil
	case *listValue:
		return r.over(v.items), nil
	case *tupleValue:
		return r.over(v.items), nil
	case *dictValue:
		return r.over(v.keys), nil
	case *view:
		if v.kind != "dict_items" {
			return r.over(v.items()), nil
		}
		return func() (Value, bool, error) {
			if i == len(v.dict.keys) {
				return nil, false, nil
			}
			i++
			return newTuple(v.dict.keys[i-1], v.dict.values[i-1]), true, r.took(valueBytes + 2*itemBytes)
		}, nil
	case *rangeValue:
		at := int64(0)
		return func() (Value, bool, error) {
			if at == v.length {
				return nil, false, nil
			}
			at++
			return v.item(at - 1), true, r.step(1)
		}, nil
	case *generator:
		return v.next, nil
	case *loopValue:
		return func() (Value, bool, error) {
			x, ok, err := v.advance()
			if !ok || err != nil {
				return nil, false, err
			}
			return newTuple(x, v), true, r.step(1)
		}, nil
	}
	return nil, fail("TypeError", "'%s' object is not iterable", typeName(v))
}

// took counts one step and some bytes.
func (r *run) took(bytes int) error {
	if err := r.step(1); err != nil {
		return err
	}
	return r.take(bytes)
}

func (r *run) over(items []Value) iterator {
	i := 0
	return func() (Value, bool, error) {
		if i >= len(items) {
			return nil, false, nil
		}
		i++
		return items[i-1], true, r.step(1)
	}
}

// collect returns the items of a value as a new slice.
func (r *run) collect(v Value) ([]Value, error) {
	next, err := r.iterate(v)
	if err != nil {
		return nil, err
	}
	all := []Value{}
	for {
		x, ok, err := next()
		if err != nil || !ok {
			return all, err
		}
		if err := r.take(itemBytes); err != nil {
			return nil, err
		}
		all = append(all, x)
	}
}

// reversed is Python's reversed as an iterator; ok is false if the value has none.
func (r *run) reversed(v Value) (next iterator, ok bool, err error) {
	var items []Value
	switch v := v.(type) {
	case string, markup:
		if items, err = r.collect(v); err != nil {
			return nil, true, err
		}
	case *listValue:
		items = v.items
	case *tupleValue:
		items = v.items
	case *dictValue:
		items = v.keys
	case *view:
		if err := r.takeTimes(int64(len(v.dict.keys)), valueBytes); err != nil {
			return nil, true, err
		}
		items = v.items()
	case *rangeValue:
		i := v.length
		return func() (Value, bool, error) {
			if i == 0 {
				return nil, false, nil
			}
			i--
			return v.item(i), true, r.step(1)
		}, true, nil
	case *undefined:
	default:
		return nil, false, nil
	}
	i := len(items)
	return func() (Value, bool, error) {
		if i == 0 {
			return nil, false, nil
		}
		i--
		return items[i], true, r.step(1)
	}, true, nil
}

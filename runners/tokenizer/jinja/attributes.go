package jinja

import (
	"math/big"
	"slices"
	"strings"
)

// attribute is x.name: an attribute of the value's type, or else an item.
func (r *run) attribute(x Value, name string) (Value, error) {
	v, ok, err := r.ownAttribute(x, name)
	if ok || err != nil {
		return v, err
	}
	if v, ok, err := r.find(x, name); ok || err != nil {
		return v, err
	}
	return missing(x, name), nil
}

// evalItem is x[at].
func (r *run) evalItem(n *item) (Value, error) {
	x, err := r.eval(n.x)
	if err != nil {
		return nil, err
	}
	if s, ok := n.at.(*slice); ok {
		var at [3]Value
		for i, n := range []node{s.from, s.to, s.step} {
			at[i] = none{}
			if n != nil {
				if at[i], err = r.eval(n); err != nil {
					return nil, err
				}
			}
		}
		return r.slice(x, at)
	}
	at, err := r.eval(n.at)
	if err != nil {
		return nil, err
	}
	return r.item(x, at)
}

// item is x[at]: an item, or else an attribute of the value's type.
func (r *run) item(x, at Value) (Value, error) {
	v, ok, err := r.find(x, at)
	if ok || err != nil {
		return v, err
	}
	if name, ok := textOf(at); ok {
		v, ok, err := r.ownAttribute(x, name)
		if ok || err != nil {
			return v, err
		}
		return missing(x, name), nil
	}
	what, err := r.repr(at)
	if err != nil {
		return nil, err
	}
	return &undefined{"UndefinedError", typeRepr(x) + " has no element " + what}, nil
}

func missing(x Value, name string) *undefined {
	return &undefined{"UndefinedError", repr(typeRepr(x)) + " has no attribute " + repr(name)}
}

// find is Python's x[at]; ok is false if there is no such item.
func (r *run) find(x, at Value) (_ Value, ok bool, err error) {
	switch x := x.(type) {
	case *undefined:
		return nil, false, x.fail()
	case *dictValue:
		h, err := r.hash(at)
		if err != nil {
			if kindOf(err) == "TypeError" {
				err = nil
			}
			return nil, false, err
		}
		i, ok := x.at[h]
		if !ok {
			return nil, false, nil
		}
		return x.values[i], true, nil
	}
	n, whole := wholeOf(at)
	if !whole {
		return nil, false, nil
	}
	at64 := clamp(n)
	if s, ok := textOf(x); ok {
		s, ok, err := r.character(s, at64)
		return likeText(x, s), ok, err
	}
	if v, ok := x.(*rangeValue); ok {
		if at64 < 0 {
			at64 += v.length
		}
		if at64 < 0 || at64 >= v.length {
			return nil, false, nil
		}
		return v.item(at64), true, nil
	}
	items, ok := sequence(x)
	if !ok {
		return nil, false, nil
	}
	if at64 < 0 {
		at64 += int64(len(items))
	}
	if at64 < 0 || at64 >= int64(len(items)) {
		return nil, false, nil
	}
	return items[at64], true, nil
}

// character returns a text's character at an index.
func (r *run) character(s string, at int64) (string, bool, error) {
	if err := r.scan(len(s)); err != nil {
		return "", false, err
	}
	n, err := r.length(s)
	if err != nil {
		return "", false, err
	}
	if at < 0 {
		at += int64(n)
	}
	if at < 0 || at >= int64(n) {
		return "", false, nil
	}
	if n == len(s) {
		return s[at : at+1], true, nil
	}
	for i, c := range s {
		if at == 0 {
			return s[i : i+len(string(c))], true, nil
		}
		at--
	}
	return "", false, nil
}

// slice is x[from:to:step].
func (r *run) slice(x Value, at [3]Value) (Value, error) {
	if u, ok := x.(*undefined); ok {
		return nil, u.fail()
	}
	s, isText := textOf(x)
	items, isSequence := sequence(x)
	if !isText && !isSequence {
		switch x.(type) {
		case *rangeValue:
			return nil, fail(Unsupported, "a slice of a range: make it a list first")
		case *dictValue:
			return nil, fail("TypeError", "unhashable type: 'slice'")
		}
		return nil, fail("TypeError", "'%s' object is not subscriptable", typeName(x))
	}
	n := len(items)
	if isText {
		var err error
		if n, err = r.length(s); err != nil {
			return nil, err
		}
	}
	from, step, count, err := bounds(at, n)
	if err != nil {
		return nil, err
	}
	if err := r.step(n >> 8); err != nil {
		return nil, err
	}
	if !isText {
		if err := r.take(valueBytes + itemBytes*count); err != nil {
			return nil, err
		}
		out := make([]Value, 0, count)
		for i := from; len(out) < count; i += step {
			out = append(out, items[i])
		}
		if _, ok := x.(*listValue); ok {
			return &listValue{out}, nil
		}
		return newTuple(out...), nil
	}
	ascii := n == len(s)
	if step == 1 && (ascii || count == 0) {
		return likeText(x, s[min(from, len(s)):min(from, len(s))+count]), nil
	}
	if err := r.take(4 * (n + count)); err != nil {
		return nil, err
	}
	all := []rune(s)
	out := make([]rune, 0, count)
	for i := from; len(out) < count; i += step {
		out = append(out, all[i])
	}
	return likeText(x, string(out)), nil
}

// bounds turns a slice of a value of length n into its first index, its step and
// its number of items.
func bounds(at [3]Value, n int) (from, step, count int, err error) {
	var whole [3]*big.Int
	for i, v := range at {
		if _, ok := v.(none); ok {
			continue
		}
		w, ok := wholeOf(v)
		if !ok {
			return 0, 0, 0, fail("TypeError", "slice indices must be integers or None or have an __index__ method")
		}
		whole[i] = w
	}
	step = 1
	if whole[2] != nil {
		// All steps beyond the length give the same result.
		s := max(min(clamp(whole[2]), int64(n)+1), -int64(n)-1)
		if step = int(s); step == 0 {
			return 0, 0, 0, fail("ValueError", "slice step cannot be zero")
		}
	}
	index := func(w *big.Int, otherwise, low, high int) int {
		if w == nil {
			return otherwise
		}
		i := clamp(w)
		if i < 0 {
			i = max(i+int64(n), int64(low))
		}
		return int(min(i, int64(high)))
	}
	if step > 0 {
		from = index(whole[0], 0, 0, n)
		to := index(whole[1], n, 0, n)
		if to > from {
			count = (to - from + step - 1) / step
		}
		return from, step, count, nil
	}
	from = index(whole[0], n-1, -1, n-1)
	to := index(whole[1], -1, -1, n-1)
	if from > to {
		count = (from - to - step - 1) / -step
	}
	return from, step, count, nil
}

// mutating are the methods that the sandbox forbids, by type.
var mutating = map[string]string{
	"list": " append clear pop reverse insert sort extend remove ",
	"dict": " clear pop popitem setdefault update ",
}

// others are the attributes that values have in Python but not here, by type.
var others = map[string]string{
	"str":        " encode maketrans translate ",
	"Markup":     " encode maketrans translate escape ",
	"list":       " ",
	"dict":       " fromkeys ",
	"int":        " as_integer_ratio bit_count bit_length conjugate from_bytes to_bytes ",
	"bool":       " as_integer_ratio bit_count bit_length conjugate from_bytes to_bytes ",
	"float":      " as_integer_ratio conjugate fromhex hex ",
	"dict_items": " isdisjoint mapping ", "dict_keys": " isdisjoint mapping ", "dict_values": " mapping ",
	"generator": " close gi_code gi_frame gi_running gi_suspended gi_yieldfrom send throw ",
}

// ownAttribute is Python's getattr in the sandbox; ok is false if the value has no
// such attribute.
func (r *run) ownAttribute(x Value, name string) (_ Value, ok bool, err error) {
	switch x := x.(type) {
	case *undefined:
		if strings.HasPrefix(name, "__") && strings.HasSuffix(name, "__") {
			return nil, false, nil
		}
		return nil, false, x.fail()
	case *namespaceValue:
		v, ok := x.dict.text(name)
		if ok && strings.HasPrefix(name, "_") {
			return unsafe(x, name), true, nil
		}
		return v, ok, nil
	case *loopValue:
		if v, ok, err := r.loopAttribute(x, name); ok || err != nil {
			return v, ok, err
		}
	case *macroValue:
		if v, ok := macroAttribute(x, name); ok {
			return v, true, nil
		}
	case *tupleValue:
		if x.group && (name == "grouper" || name == "list") {
			return x.items[slices.Index([]string{"grouper", "list"}, name)], true, nil
		}
	case *rangeValue:
		if v, ok := map[string]int64{"start": x.start, "stop": x.stop, "step": x.step}[name]; ok {
			return v, true, nil
		}
	case *cycler:
		switch name {
		case "current":
			return x.items[x.at], true, nil
		case "next", "reset":
			return &builtin{name, func(r *run, args []Value, k []named) (Value, error) {
				if len(args)+len(k) > 0 {
					return nil, fail("TypeError", "%s() takes no arguments", name)
				}
				v := x.items[x.at]
				x.at = (x.at + 1) % len(x.items)
				if name == "reset" {
					x.at = 0
					return none{}, nil
				}
				return v, nil
			}}, true, nil
		}
	}
	if v, ok := numberAttribute(x, name); ok {
		return v, true, nil
	}
	kind := typeName(x)
	if strings.HasPrefix(name, "__") && strings.HasSuffix(name, "__") || strings.Contains(mutating[kind], " "+name+" ") {
		return unsafe(x, name), true, nil
	}
	if m := methodOf(x, name); m != nil {
		return m, true, nil
	}
	if strings.Contains(others[kind], " "+name+" ") {
		return nil, false, fail(Unsupported, "%s.%s", kind, name)
	}
	return nil, false, nil
}

func unsafe(x Value, name string) *undefined {
	return &undefined{"SecurityError", "access to attribute " + repr(name) + " of " + repr(typeName(x)) + " object is unsafe."}
}

func macroAttribute(m *macroValue, name string) (Value, bool) {
	switch name {
	case "name":
		if m.name == "" {
			return none{}, true
		}
		return m.name, true
	case "arguments":
		t := newTuple()
		for _, p := range m.parameters {
			t.items = append(t.items, p.id)
		}
		return t, true
	case "catch_kwargs":
		return m.kwargs != nil, true
	case "catch_varargs":
		return m.varargs != nil, true
	case "caller":
		return m.usesCaller(), true
	}
	return nil, false
}

func numberAttribute(x Value, name string) (Value, bool) {
	if !isNumber(x) {
		return nil, false
	}
	n, whole := wholeOf(x)
	switch {
	case name == "real" && !whole:
		return x, true
	case name == "imag" && !whole:
		return 0.0, true
	case (name == "real" || name == "numerator") && whole:
		return integer(n), true
	case name == "imag" && whole:
		return int64(0), true
	case name == "denominator" && whole:
		return int64(1), true
	}
	return nil, false
}

package jinja

import "strings"

func (r *run) eval(n node) (Value, error) {
	if err := r.step(1); err != nil {
		return nil, err
	}
	switch n := n.(type) {
	case *constant:
		return n.value, nil
	case *name:
		if v := *r.place(n.slot); v != nil {
			return v, nil
		}
		return undefinedName(n.id), nil
	}
	if err := r.deeper(); err != nil {
		return nil, err
	}
	v, err := r.evalDeeper(n)
	r.depth--
	return v, err
}

func (r *run) evalDeeper(n node) (Value, error) {
	switch n := n.(type) {
	case *attribute:
		x, err := r.eval(n.x)
		if err != nil {
			return nil, err
		}
		return r.attribute(x, n.name)
	case *item:
		return r.evalItem(n)
	case *filter:
		x, err := r.eval(n.x)
		if err != nil {
			return nil, err
		}
		return r.filter(n, x)
	case *test:
		return r.test(n)
	case *call:
		return r.evalCall(n, nil)
	case *binary:
		left, right, err := r.two(n.left, n.right)
		if err != nil {
			return nil, err
		}
		return r.operate(n.op, left, right)
	case *concat:
		t := text{r: r}
		items, err := r.evalAll(n.items)
		if err != nil {
			return nil, err
		}
		for _, x := range items {
			r.write(&t, x, nil)
		}
		return t.String(), t.err
	case *compare:
		return r.evalCompare(n)
	case *logic:
		x, err := r.eval(n.left)
		if err != nil || truth(x) == n.or {
			return x, err
		}
		return r.eval(n.right)
	case *not:
		x, err := r.eval(n.x)
		return !truth(x), err
	case *unary:
		x, err := r.eval(n.x)
		if err != nil {
			return nil, err
		}
		return r.sign(n.negative, x)
	case *condition:
		t, err := r.eval(n.test)
		switch {
		case err != nil:
			return nil, err
		case truth(t):
			return r.eval(n.yes)
		case n.no != nil:
			return r.eval(n.no)
		}
		return &undefined{"UndefinedError", "the inline if-expression evaluated to false and no else section was defined."}, nil
	case *list:
		items, err := r.evalAll(n.items)
		if err != nil {
			return nil, err
		}
		return &listValue{items}, nil
	case *tuple:
		items, err := r.evalAll(n.items)
		if err != nil {
			return nil, err
		}
		return newTuple(items...), nil
	case *dictNode:
		d := newDict()
		for i := range n.keys {
			k, v, err := r.two(n.keys[i], n.values[i])
			if err != nil {
				return nil, err
			}
			if err := r.setKey(d, k, v); err != nil {
				return nil, err
			}
		}
		return d, nil
	}
	return nil, fail(Unsupported, "an expression %T", n)
}

func (r *run) setKey(d *dictValue, key, v Value) error {
	h, err := r.hash(key)
	if err != nil {
		return err
	}
	d.set(h, key, v)
	return r.take(entryBytes)
}

func (r *run) two(a, b node) (x, y Value, err error) {
	if x, err = r.eval(a); err == nil {
		y, err = r.eval(b)
	}
	return x, y, err
}

func (r *run) evalAll(nodes []node) ([]Value, error) {
	all := make([]Value, len(nodes))
	for i, n := range nodes {
		var err error
		if all[i], err = r.eval(n); err != nil {
			return nil, err
		}
	}
	return all, r.take(valueBytes + itemBytes*len(all))
}

func (r *run) evalCompare(n *compare) (Value, error) {
	left, err := r.eval(n.x)
	if err != nil {
		return nil, err
	}
	for _, c := range n.ops {
		right, err := r.eval(c.x)
		if err != nil {
			return nil, err
		}
		yes, err := r.compare(c.op, left, right)
		if err != nil || !yes {
			return false, err
		}
		left = right
	}
	return true, nil
}

func (r *run) compare(op string, a, b Value) (bool, error) {
	switch op {
	case "==":
		return r.equal(a, b)
	case "!=":
		same, err := r.equal(a, b)
		return !same, err
	case "in":
		return r.contains(a, b)
	case "not in":
		is, err := r.contains(a, b)
		return !is, err
	}
	return r.order(op, a, b)
}

func (r *run) sign(negative bool, x Value) (Value, error) {
	switch x := x.(type) {
	case *undefined:
		return nil, x.fail()
	case float64:
		if negative {
			return -x, nil
		}
		return x, nil
	}
	n, ok := wholeOf(x)
	if !ok {
		op := "+"
		if negative {
			op = "-"
		}
		return nil, fail("TypeError", "bad operand type for unary %s: '%s'", op, typeName(x))
	}
	if negative {
		return r.wholeArithmetic("-", bigZero, n)
	}
	return integer(n), nil
}

// operate applies an operator to two values.
func (r *run) operate(op string, left, right Value) (Value, error) {
	for _, v := range []Value{left, right} {
		u, ok := v.(*undefined)
		if !ok {
			continue
		}
		if s, ok := textOf(left); ok && op == "%" {
			return r.percent(left, s, right) // '…' % undefined formats it
		}
		return nil, u.fail()
	}
	if isNumber(left) && isNumber(right) {
		return r.arithmetic(op, left, right)
	}
	switch op {
	case "+":
		return r.add(left, right)
	case "*":
		for _, c := range [2][2]Value{{left, right}, {right, left}} {
			if v, ok, err := r.repeat(c[0], c[1]); ok {
				return v, err
			}
		}
	case "%":
		if s, ok := textOf(left); ok {
			return r.percent(left, s, right)
		}
	case "-":
		_, a := left.(*view)
		_, b := right.(*view)
		if a || b {
			return nil, fail(Unsupported, "a set, the result of - for views of dictionaries")
		}
	}
	if op == "**" {
		op = "** or pow()"
	}
	return nil, fail("TypeError", "unsupported operand type(s) for %s: '%s' and '%s'", op, typeName(left), typeName(right))
}

func (r *run) add(left, right Value) (Value, error) {
	a, aText := textOf(left)
	b, bText := textOf(right)
	if aText && bText {
		_, aSafe := left.(markup)
		_, bSafe := right.(markup)
		if !aSafe && !bSafe {
			if err := r.take(len(a) + len(b)); err != nil {
				return nil, err
			}
			return a + b, nil
		}
		var t text
		t.r = r
		for _, v := range []Value{left, right} {
			s, err := r.escape(v)
			if err != nil {
				return nil, err
			}
			t.add(s)
		}
		return markup(t.String()), t.err
	}
	x, xOK := sequence(left)
	y, yOK := sequence(right)
	if xOK && yOK && sameSequence(left, right) {
		if err := r.take(valueBytes + itemBytes*(len(x)+len(y))); err != nil {
			return nil, err
		}
		all := append(append(make([]Value, 0, len(x)+len(y)), x...), y...)
		if _, ok := left.(*listValue); ok {
			return &listValue{all}, nil
		}
		return newTuple(all...), nil
	}
	switch {
	case aText:
		return nil, fail("TypeError", `can only concatenate str (not "%s") to str`, typeName(right))
	case xOK:
		return nil, fail("TypeError", `can only concatenate %s (not "%s") to %[1]s`, typeName(left), typeName(right))
	}
	return nil, fail("TypeError", "unsupported operand type(s) for +: '%s' and '%s'", typeName(left), typeName(right))
}

// repeat is v * times for a text or sequence v; ok is false if * is not that.
func (r *run) repeat(v, times Value) (_ Value, ok bool, err error) {
	n, whole := wholeOf(times)
	s, isText := textOf(v)
	items, isSequence := sequence(v)
	if !isText && !isSequence {
		return nil, false, nil
	}
	if !whole {
		if _, also := textOf(times); also || typeName(times) == "float" || typeName(times) == "NoneType" {
			return nil, true, fail("TypeError", "can't multiply sequence by non-int of type '%s'", typeName(times))
		}
		if _, also := sequence(times); also {
			return nil, true, fail("TypeError", "can't multiply sequence by non-int of type '%s'", typeName(times))
		}
		return nil, false, nil
	}
	count := max(clamp(n), 0)
	if isText {
		if err := r.takeTimes(count, int64(len(s))); err != nil {
			return nil, true, err
		}
		if s != "" {
			s = strings.Repeat(s, int(count))
		}
		return likeText(v, s), true, nil
	}
	if err := r.takeTimes(count, int64(itemBytes*len(items))); err != nil {
		return nil, true, err
	}
	all := []Value{}
	if len(items) > 0 {
		for range count {
			all = append(all, items...)
		}
	}
	if _, ok := v.(*listValue); ok {
		return &listValue{all}, true, nil
	}
	return newTuple(all...), true, nil
}

// likeText returns s, marked safe if v is.
func likeText(v Value, s string) Value {
	if _, ok := v.(markup); ok {
		return markup(s)
	}
	return s
}

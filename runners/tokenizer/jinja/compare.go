package jinja

import (
	"cmp"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
)

// hash returns a text that is equal for two values exactly if they are the same
// key in Python.
func (r *run) hash(v Value) (string, error) {
	if err := r.step(1); err != nil {
		return "", err
	}
	switch v := v.(type) {
	case string:
		return "s" + v, r.take(len(v))
	case markup:
		return "s" + string(v), r.take(len(v))
	case none:
		return "n", nil
	case *undefined:
		return "u", nil
	case float64:
		if v == math.Trunc(v) && !math.IsInf(v, 0) {
			n, _ := big.NewFloat(v).Int(nil)
			return "i" + n.Text(36), nil
		}
		return "f" + strconv.FormatUint(math.Float64bits(v), 36), nil
	case *tupleValue:
		if err := r.deeper(); err != nil {
			return "", err
		}
		defer func() { r.depth-- }()
		var b strings.Builder
		b.WriteByte('t')
		for _, x := range v.items {
			h, err := r.hash(x)
			if err != nil {
				return "", err
			}
			if err := r.take(len(h)); err != nil {
				return "", err
			}
			fmt.Fprintf(&b, "%d:%s", len(h), h)
		}
		return b.String(), nil
	case *listValue, *dictValue:
		return "", fail("TypeError", "unhashable type: '%s'", typeName(v))
	case *view:
		if v.kind != "dict_values" {
			return "", fail("TypeError", "unhashable type: '%s'", v.kind)
		}
	case *rangeValue:
		return fmt.Sprintf("r%d,%d,%d", v.length, v.start, v.step), nil
	}
	if n, ok := wholeOf(v); ok {
		return "i" + n.Text(36), nil
	}
	return fmt.Sprintf("p%T%p", v, v), nil
}

// compareNumbers compares two numbers exactly; ok is false if one is not a number.
func compareNumbers(a, b Value) (c int, ok bool) {
	x, xWhole := wholeOf(a)
	y, yWhole := wholeOf(b)
	if xWhole && yWhole {
		return x.Cmp(y), true
	}
	f, fOK := a.(float64)
	g, gOK := b.(float64)
	switch {
	case fOK && gOK:
		return cmp.Compare(f, g), !math.IsNaN(f) && !math.IsNaN(g)
	case fOK && yWhole && !math.IsNaN(f):
		if math.IsInf(f, 0) {
			return int(math.Copysign(1, f)), true
		}
		return big.NewFloat(f).Cmp(new(big.Float).SetInt(y)), true
	case gOK && xWhole && !math.IsNaN(g):
		if math.IsInf(g, 0) {
			return -int(math.Copysign(1, g)), true
		}
		return new(big.Float).SetInt(x).Cmp(big.NewFloat(g)), true
	}
	return 0, false
}

// equal is Python's ==.
func (r *run) equal(a, b Value) (bool, error) {
	if err := r.step(1); err != nil {
		return false, err
	}
	if isNumber(a) && isNumber(b) {
		c, ok := compareNumbers(a, b)
		return ok && c == 0, nil
	}
	if s, ok := textOf(a); ok {
		t, ok := textOf(b)
		return ok && s == t, r.scan(min(len(s), len(t)))
	}
	if err := r.deeper(); err != nil {
		return false, err
	}
	defer func() { r.depth-- }()
	switch a := a.(type) {
	case none:
		_, ok := b.(none)
		return ok, nil
	case *undefined:
		_, ok := b.(*undefined)
		return ok, nil
	case *listValue:
		if b, ok := b.(*listValue); ok {
			return r.equalItems(a.items, b.items)
		}
		return false, nil
	case *tupleValue:
		if b, ok := b.(*tupleValue); ok {
			return r.equalItems(a.items, b.items)
		}
		return false, nil
	case *dictValue:
		b, ok := b.(*dictValue)
		if !ok || len(a.keys) != len(b.keys) {
			return false, nil
		}
		for h, i := range a.at {
			k, ok := b.at[h]
			if !ok {
				return false, nil
			}
			if same, err := r.same(a.values[i], b.values[k]); err != nil || !same {
				return false, err
			}
		}
		return true, nil
	case *rangeValue:
		b, ok := b.(*rangeValue)
		return ok && a.length == b.length && (a.length == 0 || a.start == b.start && (a.length == 1 || a.step == b.step)), nil
	case *view:
		if b, ok := b.(*view); ok && a != b && a.kind != "dict_values" && b.kind != "dict_values" {
			return false, fail(Unsupported, "== of %s", a.kind)
		}
	}
	return a == b, nil
}

// same is Python's comparison for a value in a list: identical or equal.
func (r *run) same(a, b Value) (bool, error) {
	if f, ok := a.(float64); ok && math.IsNaN(f) {
		return false, nil
	}
	switch a.(type) {
	case *listValue, *tupleValue, *dictValue, *loopValue, *macroValue, *builtin, *generator:
		if a == b {
			return true, nil
		}
	}
	return r.equal(a, b)
}

func (r *run) equalItems(a, b []Value) (bool, error) {
	if len(a) != len(b) {
		return false, nil
	}
	for i := range a {
		if same, err := r.same(a[i], b[i]); err != nil || !same {
			return false, err
		}
	}
	return true, nil
}

// order is Python's <, <=, > or >=.
func (r *run) order(op string, a, b Value) (bool, error) {
	if err := r.step(1); err != nil {
		return false, err
	}
	for _, v := range []Value{a, b} {
		if u, ok := v.(*undefined); ok {
			return false, u.fail()
		}
	}
	if isNumber(a) && isNumber(b) {
		c, ok := compareNumbers(a, b)
		return ok && ordered(op, c), nil
	}
	if s, ok := textOf(a); ok {
		if t, ok := textOf(b); ok {
			return ordered(op, strings.Compare(s, t)), r.scan(min(len(s), len(t)))
		}
	}
	x, xOK := sequence(a)
	y, yOK := sequence(b)
	if xOK && yOK && sameSequence(a, b) {
		if err := r.deeper(); err != nil {
			return false, err
		}
		defer func() { r.depth-- }()
		for i := range min(len(x), len(y)) {
			same, err := r.same(x[i], y[i])
			if err != nil {
				return false, err
			}
			if !same {
				return r.order(op, x[i], y[i])
			}
		}
		return ordered(op, cmp.Compare(len(x), len(y))), nil
	}
	if _, ok := a.(*view); ok {
		if _, ok := b.(*view); ok {
			return false, fail(Unsupported, "%s between views of dictionaries", op)
		}
	}
	return false, fail("TypeError", "'%s' not supported between instances of '%s' and '%s'", op, typeName(a), typeName(b))
}

func sameSequence(a, b Value) bool {
	_, aList := a.(*listValue)
	_, bList := b.(*listValue)
	return aList == bList
}

func ordered(op string, c int) bool {
	switch op {
	case "<":
		return c < 0
	case "<=":
		return c <= 0
	case ">":
		return c > 0
	}
	return c >= 0
}

// contains is Python's in.
func (r *run) contains(v, container Value) (bool, error) {
	if s, ok := textOf(container); ok {
		t, ok := textOf(v)
		if !ok {
			return false, fail("TypeError", "'in <string>' requires string as left operand, not %s", typeName(v))
		}
		return strings.Contains(s, t), r.scan(len(s))
	}
	switch c := container.(type) {
	case *dictValue:
		h, err := r.hash(v)
		_, ok := c.at[h]
		return ok, err
	case *view:
		if c.kind == "dict_keys" {
			h, err := r.hash(v)
			_, ok := c.dict.at[h]
			return ok, err
		}
	case *namespaceValue, *macroValue, *builtin, *cycler, *joiner:
		return false, fail("TypeError", "argument of type '%s' is not iterable", typeName(c))
	}
	next, err := r.iterate(container)
	if err != nil {
		return false, fail("TypeError", "argument of type '%s' is not iterable", typeName(container))
	}
	for {
		x, ok, err := next()
		if err != nil || !ok {
			return false, err
		}
		if same, err := r.same(x, v); err != nil || same {
			return same, err
		}
	}
}

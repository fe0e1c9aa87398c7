package emulator

// compare decodes setp.comparison[.boolean][.ftz].type p[|q], a, b[, c].
func (d *decoder) compare() {
	if !d.arity(3, 4) || len(d.parts) < 3 {
		d.fail("setp has a comparison, a type and operands")
		return
	}
	i, o := d.i, d.st.operands
	typ := d.parts[len(d.parts)-1]
	width := typeBits["."+typ]
	if width < 16 {
		d.err = errUnknown
		return
	}
	i.d = d.destination(&o[0], predicates)
	if o[0].partner != nil {
		i.second = d.destination(o[0].partner, predicates)
	}
	boolean, ftz := "", false
	for _, m := range d.parts[2 : len(d.parts)-1] {
		switch m {
		case "and", "or", "xor":
			boolean = m
		case "ftz":
			ftz = true
		default:
			d.err = errUnknown
			return
		}
	}
	if (boolean != "") != (len(o) == 4) {
		d.fail("%d operands", len(o))
		return
	}
	i.members = -1
	if boolean != "" {
		i.c, i.list = d.negatable(&o[3]), []int32{int32(boolean[0])}
		i.arrive = o[3].not
	}
	i.a, i.b = d.source(&o[1], width), d.source(&o[2], width)
	var compare any
	switch c := d.parts[1]; {
	case typ == "f32":
		f := comparison[float32](c)
		if f == nil {
			break
		}
		compare = func(x, y uint32) bool { return f(single(x), single(y)) }
		if ftz {
			compare = func(x, y uint32) bool { return f(flush(single(x)), flush(single(y))) }
		}
	case typ == "f64":
		if f := comparison[float64](c); f != nil {
			compare = func(x, y uint64) bool { return f(double(x), double(y)) }
		}
	case typ[0] != 's' && typ[0] != 'u' && (typ[0] != 'b' || typ == "bf16" || c != "eq" && c != "ne"):
	case width == 64 && typ[0] == 's':
		if f := wholeComparison[int64](c); f != nil {
			compare = func(x, y uint64) bool { return f(int64(x), int64(y)) }
		}
	case width == 64:
		if f := wholeComparison[uint64](c); f != nil {
			compare = f
		}
	case typ == "s16":
		if f := wholeComparison[int16](c); f != nil {
			compare = func(x, y uint32) bool { return f(int16(x), int16(y)) }
		}
	case typ[0] == 's':
		if f := wholeComparison[int32](c); f != nil {
			compare = func(x, y uint32) bool { return f(int32(x), int32(y)) }
		}
	default:
		if f := wholeComparison[uint32](c); f != nil {
			compare = f
		}
	}
	i.f = compare
	switch d.parts[1] + "." + typ {
	case "lt.s32":
		i.exec = execLess
		return
	case "gt.s32":
		i.exec, i.a, i.b = execLess, i.b, i.a
		return
	case "ge.s32":
		i.exec, i.signed = execLess, true
		return
	case "le.s32":
		i.exec, i.a, i.b, i.signed = execLess, i.b, i.a, true
		return
	case "eq.s32", "eq.u32", "eq.b32":
		i.exec = execEqual
		return
	case "ne.s32", "ne.u32", "ne.b32":
		i.exec, i.signed = execEqual, true
		return
	}
	switch compare.(type) {
	case nil:
		d.err = errUnknown
	case func(x, y uint32) bool:
		i.exec = execCompareWord
	case func(x, y uint64) bool:
		i.exec = execCompareLong
	}
}

func wholeComparison[T int16 | int32 | int64 | uint32 | uint64](name string) func(x, y T) bool {
	switch name {
	case "eq":
		return func(x, y T) bool { return x == y }
	case "ne":
		return func(x, y T) bool { return x != y }
	case "lt", "lo":
		return func(x, y T) bool { return x < y }
	case "le", "ls":
		return func(x, y T) bool { return x <= y }
	case "gt", "hi":
		return func(x, y T) bool { return x > y }
	case "ge", "hs":
		return func(x, y T) bool { return x >= y }
	}
	return nil
}

// comparison of floats. Where an operand is NaN, those that end in u are true and the others
// false.
func comparison[T float32 | float64](name string) func(x, y T) bool {
	switch name {
	case "eq":
		return func(x, y T) bool { return x == y }
	case "ne":
		return func(x, y T) bool { return x < y || x > y }
	case "lt":
		return func(x, y T) bool { return x < y }
	case "le":
		return func(x, y T) bool { return x <= y }
	case "gt":
		return func(x, y T) bool { return x > y }
	case "ge":
		return func(x, y T) bool { return x >= y }
	case "equ":
		return func(x, y T) bool { return !(x < y || x > y) }
	case "neu":
		return func(x, y T) bool { return x != y }
	case "ltu":
		return func(x, y T) bool { return !(x >= y) }
	case "leu":
		return func(x, y T) bool { return !(x > y) }
	case "gtu":
		return func(x, y T) bool { return !(x <= y) }
	case "geu":
		return func(x, y T) bool { return !(x < y) }
	case "num":
		return func(x, y T) bool { return x == x && y == y }
	case "nan":
		return func(x, y T) bool { return x != x || y != y }
	}
	return nil
}

func execCompareWord(w *warp, i *instruction, mask uint32) {
	i.setPredicates(w, compareLanes(&w.r[i.a], &w.r[i.b], i.f.(func(x, y uint32) bool), mask), mask)
}

func execCompareLong(w *warp, i *instruction, mask uint32) {
	i.setPredicates(w, compareLanes(&w.q[i.a], &w.q[i.b], i.f.(func(x, y uint64) bool), mask), mask)
}

// The most frequent comparisons have loops of their own; with i.signed they give the
// opposite.

func execLess(w *warp, i *instruction, mask uint32) {
	a, b := &w.r[i.a], &w.r[i.b]
	v := uint32(0)
	for l := range lanes {
		if int32(a[l]) < int32(b[l]) {
			v |= 1 << l
		}
	}
	if i.signed {
		v = ^v
	}
	i.setPredicates(w, v, mask)
}

func execEqual(w *warp, i *instruction, mask uint32) {
	a, b := &w.r[i.a], &w.r[i.b]
	v := uint32(0)
	for l := range lanes {
		if a[l] == b[l] {
			v |= 1 << l
		}
	}
	if i.signed {
		v = ^v
	}
	i.setPredicates(w, v, mask)
}

// setPredicates combines the comparison, and its opposite for the second predicate, with the
// third operand.
func (i *instruction) setPredicates(w *warp, v, mask uint32) {
	not := ^v
	if len(i.list) > 0 {
		c := w.p[i.c]
		if i.arrive {
			c = ^c
		}
		switch i.list[0] {
		case 'a':
			v, not = v&c, not&c
		case 'o':
			v, not = v|c, not|c
		case 'x':
			v, not = v^c, not^c
		}
	}
	w.p[i.d] = w.p[i.d]&^mask | v&mask
	if i.second >= 0 {
		w.p[i.second] = w.p[i.second]&^mask | not&mask
	}
}

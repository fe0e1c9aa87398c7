package emulator

import (
	"math/bits"
	"strings"
)

// atomic decodes atom and red, which work lane by lane, in order.
func (d *decoder) atomic() {
	i, o := d.i, d.st.operands
	red := d.parts[0] == "red"
	operation := ""
	for _, m := range d.parts[1 : len(d.parts)-1] {
		name, which, _ := strings.Cut(m, "::")
		switch name {
		case "relaxed", "acquire", "release", "acq_rel", "gpu", "cta", "sys", "cluster":
		case "global":
			i.space = globalSpace
		case "shared":
			i.space = sharedOf(which)
		case "add", "min", "max", "and", "or", "xor", "exch", "cas", "inc", "dec":
			operation = name
		default:
			d.err = errUnknown
			return
		}
	}
	typ := d.parts[len(d.parts)-1]
	width := typeBits["."+typ]
	operands := 3
	if red {
		operands--
	}
	if operation == "cas" {
		operands++
	}
	if !d.arity(operands, operands) || width < 32 {
		d.err = errUnknown
		return
	}
	f := atomicFunction(operation, typ, width)
	if f == nil || red && (operation == "cas" || operation == "exch") {
		d.err = errUnknown
		return
	}
	i.size, i.file, i.f = int8(width/8), int8(fileOf(width)), f
	if !red {
		if o[0].kind != sinkOperand {
			i.d = d.destination(&o[0], fileOf(width))
		}
		o = o[1:]
	}
	d.address(&o[0])
	i.a = d.source(&o[1], width)
	i.b = i.a
	if operation == "cas" {
		i.b = d.source(&o[2], width)
	}
	i.exec = execAtomic
}

// atomicFunction returns the function that gives the new value from the old one and the
// operands.
func atomicFunction(operation, typ string, width int) func(old, x, y uint64) uint64 {
	switch operation {
	case "exch":
		return func(_, x, _ uint64) uint64 { return x }
	case "cas":
		return func(old, x, y uint64) uint64 {
			if old == x {
				return y
			}
			return old
		}
	case "inc", "dec":
		if typ != "u32" {
			return nil
		}
		if operation == "inc" {
			return func(old, x, _ uint64) uint64 {
				if old >= x {
					return 0
				}
				return old + 1
			}
		}
		return func(old, x, _ uint64) uint64 {
			if old == 0 || old > x {
				return x
			}
			return old - 1
		}
	}
	switch f := function(operation, typ, width, nil).(type) {
	case word2:
		return func(old, x, _ uint64) uint64 { return uint64(f(uint32(old), uint32(x))) }
	case long2:
		return func(old, x, _ uint64) uint64 { return f(old, x) }
	}
	return nil
}

func execAtomic(w *warp, i *instruction, mask uint32) {
	var at [lanes]uint64
	if !w.addresses(i, mask, int(i.size), &at) {
		return
	}
	f := i.f.(func(old, x, y uint64) uint64)
	for m := mask; m != 0; m &= m - 1 {
		l := bits.TrailingZeros32(m) & 31
		var old, v uint64
		if i.file == longs {
			p := (*uint64)(pointer(at[l]))
			old = *p
			v = f(old, w.q[i.a][l], w.q[i.b][l])
			*p = v
			if i.d >= 0 {
				w.q[i.d][l] = old
			}
		} else {
			p := (*uint32)(pointer(at[l]))
			old = uint64(*p)
			v = f(old, uint64(w.r[i.a][l]), uint64(w.r[i.b][l]))
			*p = uint32(v)
			if i.d >= 0 {
				w.r[i.d][l] = uint32(old)
			}
		}
		if v != old { // otherwise spinning on a lock would count as progress
			w.block.launch.changes++
		}
	}
}

package emulator

import (
	"math"
	"math/bits"
	"strings"
)

// What execWords and their kin apply to the operands of a lane.
type (
	word1   = func(x uint32) uint32
	word2   = func(x, y uint32) uint32
	word3   = func(x, y, z uint32) uint32
	long1   = func(x uint64) uint64
	long2   = func(x, y uint64) uint64
	long3   = func(x, y, z uint64) uint64
	widen2  = func(x, y uint32) uint64
	widen3  = func(x, y uint32, z uint64) uint64
	shift2  = func(x uint64, y uint32) uint64
	count1  = func(x uint64) uint32
	single1 = func(x float32) float32
	single2 = func(x, y float32) float32
)

func single(x uint32) float32   { return math.Float32frombits(x) }
func ofSingle(x float32) uint32 { return math.Float32bits(x) }
func double(x uint64) float64   { return math.Float64frombits(x) }
func ofDouble(x float64) uint64 { return math.Float64bits(x) }

// masks is applied to the predicates of all lanes at once.
type masks func(x, y uint32) uint32

// arithmetic decodes what works on each lane alone, by the number and size of its
// operands.
func (d *decoder) arithmetic() {
	typ := d.parts[len(d.parts)-1]
	modifiers := d.parts[1 : len(d.parts)-1]
	if d.parts[0] == "div" && typ == "f32" || d.parts[0] == "ex2" || d.parts[0] == "lg2" { // .approx, .full, .rn: as near as can be
		modifiers = without(modifiers, "approx", "full")
	}
	width := typeBits["."+typ]
	f := function(d.parts[0], typ, width, modifiers)
	n, o := len(d.st.operands), d.st.operands
	if f == nil {
		d.err = errUnknown
		return
	}
	i := d.i
	i.f = f
	if n < 2 {
		d.fail("%d operands", n)
		return
	}
	want := 0
	switch f.(type) {
	case masks:
		want = 3
		i.exec, i.d, i.a, i.b = execMasks, d.destination(&o[0], predicates), d.predicate(&o[1]), 0
		if n > 2 {
			i.b = d.predicate(&o[2])
		} else if d.parts[0] == "not" {
			want = 2
		}
	case word1:
		want = 2
		i.exec, i.d, i.a = execWord1, d.destination(&o[0], words), d.word(&o[1], width)
	case long1:
		want = 2
		i.exec, i.d, i.a = execLong1, d.destination(&o[0], longs), d.long(&o[1])
	case count1:
		want = 2
		i.exec, i.d, i.a = execCount, d.destination(&o[0], words), d.long(&o[1])
	default:
		if n < 3 {
			d.fail("%d operands", n)
			return
		}
		want = 3
		switch f.(type) {
		case word2:
			i.exec, i.d, i.a, i.b = execWord2, d.destination(&o[0], words), d.word(&o[1], width), d.word(&o[2], width)
		case long2:
			i.exec, i.d, i.a, i.b = execLong2, d.destination(&o[0], longs), d.long(&o[1]), d.long(&o[2])
		case shift2:
			i.exec, i.d, i.a, i.b = execShift, d.destination(&o[0], longs), d.long(&o[1]), d.word(&o[2], 32)
		case widen2:
			file := longs
			if width == 16 {
				file = words
			}
			i.exec, i.file = execWiden2, int8(file)
			i.d, i.a, i.b = d.destination(&o[0], file), d.word(&o[1], width), d.word(&o[2], width)
		default:
			if n < 4 {
				d.fail("%d operands", n)
				return
			}
			want = 4
			switch f.(type) {
			case word3:
				i.exec, i.d, i.a, i.b, i.c = execWord3, d.destination(&o[0], words), d.word(&o[1], width), d.word(&o[2], width), d.word(&o[3], width)
				if d.parts[0] == "lop3" {
					want = 5
					if n < 5 || o[4].kind != integerOperand || o[4].bits > 255 {
						d.fail("lop3 needs a table of 8 bits")
						return
					}
					table := uint32(o[4].bits)
					i.f = func(x, y, z uint32) uint32 { return lop3(x, y, z, table) }
				}
				if d.parts[0] == "bfi" {
					want = 5
					if n < 5 {
						d.fail("%d operands", n)
						return
					}
					i.list, i.exec = []int32{d.word(&o[4], 32)}, execInsert
				}
			case long3:
				if d.parts[0] == "bfe" {
					i.exec, i.d, i.a, i.b, i.c = execExtractLong, d.destination(&o[0], longs), d.long(&o[1]), d.word(&o[2], 32), d.word(&o[3], 32)
				} else {
					i.exec, i.d, i.a, i.b, i.c = execLong3, d.destination(&o[0], longs), d.long(&o[1]), d.long(&o[2]), d.long(&o[3])
				}
			case widen3:
				i.exec, i.d, i.a, i.b, i.c = execWiden3, d.destination(&o[0], longs), d.word(&o[1], width), d.word(&o[2], width), d.long(&o[3])
			}
		}
	}
	if n != want {
		d.fail("%d operands where %d should be", n, want)
	}
	// The most frequent have loops of their own.
	switch d.st.opcode {
	case "add.rn.f32", "add.f32":
		i.exec = execAddSingle
	case "mul.rn.f32", "mul.f32":
		i.exec = execMulSingle
	case "fma.rn.f32":
		i.exec = execFmaSingle
	case "add.s64", "add.u64":
		i.exec = execAddLong
	case "add.s32", "add.u32":
		i.exec = execAddWord
	}
}

func without(list []string, words ...string) []string {
	var left []string
next:
	for _, s := range list {
		for _, w := range words {
			if s == w {
				continue next
			}
		}
		left = append(left, s)
	}
	return left
}

// function returns what an instruction does to a lane; nil where it is unknown.
func function(name, typ string, width int, modifiers []string) any {
	switch typ {
	case "pred":
		if len(modifiers) > 0 {
			return nil
		}
		return map[string]any{
			"and": masks(func(x, y uint32) uint32 { return x & y }), "or": masks(func(x, y uint32) uint32 { return x | y }),
			"xor": masks(func(x, y uint32) uint32 { return x ^ y }), "not": masks(func(x, _ uint32) uint32 { return ^x }),
		}[name]
	case "f32":
		return singleFunction(name, modifiers)
	case "f64":
		return doubleFunction(name, modifiers)
	}
	signed := typ[0] == 's'
	if width < 16 || typ[0] != 's' && typ[0] != 'u' && typ[0] != 'b' || strings.Contains(typ, "f") {
		return nil
	}
	key := name
	if len(modifiers) > 0 {
		key += "." + strings.Join(modifiers, ".")
	}
	if width == 64 {
		return longFunction(key, signed)
	}
	f := wordFunction(key, signed)
	if width == 32 || f == nil {
		return f
	}
	// 16 bits: operands are widened, results cut.
	wide := func(x uint32) uint32 {
		if signed {
			return uint32(int32(int16(x)))
		}
		return x & 0xffff
	}
	switch key {
	case "mul.hi":
		return func(x, y uint32) uint32 { return wide(x) * wide(y) >> 16 & 0xffff }
	case "mul.wide":
		return func(x, y uint32) uint64 { return uint64(wide(x) * wide(y)) }
	case "shl", "shr": // amounts are 32 bits wide
		f := f.(word2)
		return func(x, y uint32) uint32 { return f(wide(x), y) & 0xffff }
	case "popc", "clz", "brev", "bfe", "bfi", "prmt", "lop3", "mad.hi", "mad.wide":
		return nil
	}
	switch f := f.(type) {
	case word1:
		return func(x uint32) uint32 { return f(wide(x)) & 0xffff }
	case word2:
		return func(x, y uint32) uint32 { return f(wide(x), wide(y)) & 0xffff }
	case word3:
		return func(x, y, z uint32) uint32 { return f(wide(x), wide(y), wide(z)) & 0xffff }
	}
	return nil
}

func wordFunction(key string, signed bool) any {
	pick := func(s, u any) any {
		if signed {
			return s
		}
		return u
	}
	switch key {
	case "add":
		return func(x, y uint32) uint32 { return x + y }
	case "sub":
		return func(x, y uint32) uint32 { return x - y }
	case "mul.lo":
		return func(x, y uint32) uint32 { return x * y }
	case "mul.hi":
		return pick(func(x, y uint32) uint32 { return uint32(int64(int32(x)) * int64(int32(y)) >> 32) },
			func(x, y uint32) uint32 { return uint32(uint64(x) * uint64(y) >> 32) })
	case "mul.wide":
		return pick(func(x, y uint32) uint64 { return uint64(int64(int32(x)) * int64(int32(y))) },
			func(x, y uint32) uint64 { return uint64(x) * uint64(y) })
	case "mad.lo":
		return func(x, y, z uint32) uint32 { return x*y + z }
	case "mad.hi":
		return pick(func(x, y, z uint32) uint32 { return uint32(int64(int32(x))*int64(int32(y))>>32) + z },
			func(x, y, z uint32) uint32 { return uint32(uint64(x)*uint64(y)>>32) + z })
	case "mad.wide":
		return pick(func(x, y uint32, z uint64) uint64 { return uint64(int64(int32(x))*int64(int32(y))) + z },
			func(x, y uint32, z uint64) uint64 { return uint64(x)*uint64(y) + z })
	case "div": // by zero: all ones, as machines have it
		return pick(func(x, y uint32) uint32 {
			if y == 0 {
				return all
			}
			return uint32(int32(x) / int32(y))
		}, func(x, y uint32) uint32 {
			if y == 0 {
				return all
			}
			return x / y
		})
	case "rem":
		return pick(func(x, y uint32) uint32 {
			if y == 0 {
				return x
			}
			return uint32(int32(x) % int32(y))
		}, func(x, y uint32) uint32 {
			if y == 0 {
				return x
			}
			return x % y
		})
	case "min":
		return pick(func(x, y uint32) uint32 { return uint32(min(int32(x), int32(y))) }, func(x, y uint32) uint32 { return min(x, y) })
	case "max":
		return pick(func(x, y uint32) uint32 { return uint32(max(int32(x), int32(y))) }, func(x, y uint32) uint32 { return max(x, y) })
	case "abs":
		return func(x uint32) uint32 { return uint32(max(int32(x), -int32(x))) }
	case "neg":
		return func(x uint32) uint32 { return -x }
	case "and":
		return func(x, y uint32) uint32 { return x & y }
	case "or":
		return func(x, y uint32) uint32 { return x | y }
	case "xor":
		return func(x, y uint32) uint32 { return x ^ y }
	case "not":
		return func(x uint32) uint32 { return ^x }
	case "shl":
		return func(x, y uint32) uint32 { return x << y }
	case "shr":
		return pick(func(x, y uint32) uint32 { return uint32(int32(x) >> y) }, func(x, y uint32) uint32 { return x >> y })
	case "bfe":
		return func(x, position, length uint32) uint32 {
			return uint32(extract(uint64(x), position, length, 32, signed))
		}
	case "bfi":
		return func(x, y, z uint32) uint32 { return 0 } // execInsert
	case "prmt":
		return permute
	case "lop3":
		return func(x, y, z uint32) uint32 { return 0 } // lop3
	case "shf.l.wrap":
		return func(x, y, s uint32) uint32 { return uint32((uint64(y)<<32 | uint64(x)) << (s & 31) >> 32) }
	case "shf.l.clamp":
		return func(x, y, s uint32) uint32 { return uint32((uint64(y)<<32 | uint64(x)) << min(s, 32) >> 32) }
	case "shf.r.wrap":
		return func(x, y, s uint32) uint32 { return uint32((uint64(y)<<32 | uint64(x)) >> (s & 31)) }
	case "shf.r.clamp":
		return func(x, y, s uint32) uint32 { return uint32((uint64(y)<<32 | uint64(x)) >> min(s, 32)) }
	case "brev":
		return bits.Reverse32
	case "clz":
		return func(x uint32) uint32 { return uint32(bits.LeadingZeros32(x)) }
	case "popc":
		return func(x uint32) uint32 { return uint32(bits.OnesCount32(x)) }
	}
	return nil
}

func longFunction(key string, signed bool) any {
	pick := func(s, u any) any {
		if signed {
			return s
		}
		return u
	}
	high := func(x, y uint64) uint64 {
		h, _ := bits.Mul64(x, y)
		if signed {
			h -= uint64(int64(x)>>63)&y + uint64(int64(y)>>63)&x
		}
		return h
	}
	switch key {
	case "add":
		return func(x, y uint64) uint64 { return x + y }
	case "sub":
		return func(x, y uint64) uint64 { return x - y }
	case "mul.lo":
		return func(x, y uint64) uint64 { return x * y }
	case "mul.hi":
		return high
	case "mad.lo":
		return func(x, y, z uint64) uint64 { return x*y + z }
	case "mad.hi":
		return func(x, y, z uint64) uint64 { return high(x, y) + z }
	case "div":
		return pick(func(x, y uint64) uint64 {
			if y == 0 {
				return math.MaxUint64
			}
			return uint64(int64(x) / int64(y))
		}, func(x, y uint64) uint64 {
			if y == 0 {
				return math.MaxUint64
			}
			return x / y
		})
	case "rem":
		return pick(func(x, y uint64) uint64 {
			if y == 0 {
				return x
			}
			return uint64(int64(x) % int64(y))
		}, func(x, y uint64) uint64 {
			if y == 0 {
				return x
			}
			return x % y
		})
	case "min":
		return pick(func(x, y uint64) uint64 { return uint64(min(int64(x), int64(y))) }, func(x, y uint64) uint64 { return min(x, y) })
	case "max":
		return pick(func(x, y uint64) uint64 { return uint64(max(int64(x), int64(y))) }, func(x, y uint64) uint64 { return max(x, y) })
	case "abs":
		return func(x uint64) uint64 { return uint64(max(int64(x), -int64(x))) }
	case "neg":
		return func(x uint64) uint64 { return -x }
	case "and":
		return func(x, y uint64) uint64 { return x & y }
	case "or":
		return func(x, y uint64) uint64 { return x | y }
	case "xor":
		return func(x, y uint64) uint64 { return x ^ y }
	case "not":
		return func(x uint64) uint64 { return ^x }
	case "shl":
		return func(x uint64, y uint32) uint64 { return x << y }
	case "shr":
		return pick(func(x uint64, y uint32) uint64 { return uint64(int64(x) >> y) }, func(x uint64, y uint32) uint64 { return x >> y })
	case "bfe":
		return func(x, position, length uint64) uint64 {
			return extract(x, uint32(position), uint32(length), 64, signed)
		}
	case "brev":
		return bits.Reverse64
	case "clz":
		return func(x uint64) uint32 { return uint32(bits.LeadingZeros64(x)) }
	case "popc":
		return func(x uint64) uint32 { return uint32(bits.OnesCount64(x)) }
	}
	return nil
}

// extract is bfe: length bits from a position, of which only eight bits count;
// signed fields are extended by their highest bit, or that of x where they reach
// further.
func extract(x uint64, position, length uint32, width uint32, signed bool) uint64 {
	position, length = position&255, length&255
	if length == 0 {
		return 0
	}
	if signed {
		v := int64(x)
		if width == 32 {
			v = int64(int32(x))
		}
		v >>= min(position, width-1)
		if length < 64 {
			v = v << (64 - length) >> (64 - length)
		}
		return uint64(v)
	}
	x >>= position
	if length < 64 {
		x &= 1<<length - 1
	}
	return x
}

// permute is prmt.b32: each of four nibbles of the selector names one of the eight
// bytes, or its sign.
func permute(x, y, selector uint32) uint32 {
	both := uint64(y)<<32 | uint64(x)
	var v uint32
	for n := range 4 {
		s := selector >> (4 * n)
		b := uint32(both>>(8*(s&7))) & 255
		if s&8 != 0 {
			b = uint32(int32(int8(b))>>7) & 255
		}
		v |= b << (8 * n)
	}
	return v
}

// lop3 is any function of three bits, by its table for (x, y, z) = 0xF0, 0xCC, 0xAA.
func lop3(x, y, z, table uint32) uint32 {
	var v uint32
	for n := range uint32(8) {
		if table>>n&1 != 0 {
			t := all
			for bit, o := range [3]uint32{z, y, x} {
				if n>>bit&1 != 0 {
					t &= o
				} else {
					t &^= o
				}
			}
			v |= t
		}
	}
	return v
}

func singleFunction(name string, modifiers []string) any {
	ftz, saturate, approximate, nan := false, false, false, false
	for _, m := range modifiers {
		switch m {
		case "rn":
		case "ftz":
			ftz = true
		case "sat":
			saturate = true
		case "approx":
			approximate = true
		case "NaN":
			nan = true
		default:
			return nil
		}
	}
	in := func(x uint32) float32 { return single(x) }
	if ftz {
		in = func(x uint32) float32 { return flush(single(x)) }
	}
	out := func(x float32) uint32 { return result(x) }
	if ftz {
		out = func(x float32) uint32 { return result(flush(x)) }
	}
	if saturate {
		inner := out
		out = func(x float32) uint32 {
			if !(x > 0) {
				return 0
			}
			return inner(min(x, 1))
		}
	}
	one := func(f single1) any { return func(x uint32) uint32 { return out(f(in(x))) } }
	two := func(f single2) any { return func(x, y uint32) uint32 { return out(f(in(x), in(y))) } }
	wide := func(f func(float64) float64) any {
		return one(func(x float32) float32 { return float32(f(float64(x))) })
	}
	if approximate && name != "rcp" && name != "sqrt" && name != "rsqrt" && name != "sin" && name != "cos" && name != "tanh" {
		return nil
	}
	switch name {
	case "add":
		return two(func(x, y float32) float32 { return x + y })
	case "sub":
		return two(func(x, y float32) float32 { return x - y })
	case "mul":
		return two(func(x, y float32) float32 { return x * y })
	case "div":
		return two(func(x, y float32) float32 { return x / y })
	case "fma", "mad":
		return func(x, y, z uint32) uint32 { return out(fma(in(x), in(y), in(z))) }
	case "min":
		return two(func(x, y float32) float32 {
			if nan && (x != x || y != y) {
				return single(0x7fffffff)
			}
			return smallest(x, y)
		})
	case "max":
		return two(func(x, y float32) float32 {
			if nan && (x != x || y != y) {
				return single(0x7fffffff)
			}
			return largest(x, y)
		})
	case "neg":
		return func(x uint32) uint32 { return ofSingle(in(x)) ^ 1<<31 }
	case "abs":
		return func(x uint32) uint32 { return ofSingle(in(x)) &^ (1 << 31) }
	case "sqrt":
		return wide(math.Sqrt)
	case "rsqrt":
		return wide(func(x float64) float64 { return 1 / math.Sqrt(x) })
	case "rcp":
		return one(func(x float32) float32 { return 1 / x })
	case "ex2":
		return wide(math.Exp2)
	case "lg2":
		return wide(math.Log2)
	case "sin":
		return wide(math.Sin)
	case "cos":
		return wide(math.Cos)
	case "tanh":
		return wide(math.Tanh)
	}
	return nil
}

func doubleFunction(name string, modifiers []string) any {
	for _, m := range modifiers {
		if m != "rn" {
			return nil
		}
	}
	one := func(f func(x float64) float64) any { return func(x uint64) uint64 { return ofDouble(f(double(x))) } }
	two := func(f func(x, y float64) float64) any {
		return func(x, y uint64) uint64 { return ofDouble(f(double(x), double(y))) }
	}
	switch name {
	case "add":
		return two(func(x, y float64) float64 { return x + y })
	case "sub":
		return two(func(x, y float64) float64 { return x - y })
	case "mul":
		return two(func(x, y float64) float64 { return x * y })
	case "div":
		return two(func(x, y float64) float64 { return x / y })
	case "min":
		return two(smallest[float64])
	case "max":
		return two(largest[float64])
	case "fma", "mad":
		return func(x, y, z uint64) uint64 { return ofDouble(math.FMA(double(x), double(y), double(z))) }
	case "neg":
		return func(x uint64) uint64 { return x ^ 1<<63 }
	case "abs":
		return func(x uint64) uint64 { return x &^ (1 << 63) }
	case "sqrt":
		return one(math.Sqrt)
	case "rcp":
		return one(func(x float64) float64 { return 1 / x })
	}
	return nil
}

func execMasks(w *warp, i *instruction, mask uint32) {
	v := i.f.(masks)(w.p[i.a], w.p[i.b])
	w.p[i.d] = w.p[i.d]&^mask | v&mask
}

func execWord1(w *warp, i *instruction, mask uint32) {
	apply1(&w.r[i.d], &w.r[i.a], i.f.(word1), mask)
}

func execWord2(w *warp, i *instruction, mask uint32) {
	apply2(&w.r[i.d], &w.r[i.a], &w.r[i.b], i.f.(word2), mask)
}

func execWord3(w *warp, i *instruction, mask uint32) {
	apply3(&w.r[i.d], &w.r[i.a], &w.r[i.b], &w.r[i.c], i.f.(word3), mask)
}

func execInsert(w *warp, i *instruction, mask uint32) {
	d, a, b, c, e := &w.r[i.d], &w.r[i.a], &w.r[i.b], &w.r[i.c], &w.r[i.list[0]]
	for m := mask; m != 0; m &= m - 1 {
		l := bits.TrailingZeros32(m) & 31
		position, length := c[l]&255, e[l]&255
		field := uint32((uint64(1)<<min(length, 32) - 1) << position)
		d[l] = b[l]&^field | a[l]<<position&field
	}
}

func execLong1(w *warp, i *instruction, mask uint32) {
	apply1(&w.q[i.d], &w.q[i.a], i.f.(long1), mask)
}

func execLong2(w *warp, i *instruction, mask uint32) {
	apply2(&w.q[i.d], &w.q[i.a], &w.q[i.b], i.f.(long2), mask)
}

func execLong3(w *warp, i *instruction, mask uint32) {
	apply3(&w.q[i.d], &w.q[i.a], &w.q[i.b], &w.q[i.c], i.f.(long3), mask)
}

func execExtractLong(w *warp, i *instruction, mask uint32) {
	f, d, a, b, c := i.f.(long3), &w.q[i.d], &w.q[i.a], &w.r[i.b], &w.r[i.c]
	for m := mask; m != 0; m &= m - 1 {
		l := bits.TrailingZeros32(m) & 31
		d[l] = f(a[l], uint64(b[l]), uint64(c[l]))
	}
}

func execShift(w *warp, i *instruction, mask uint32) {
	apply2(&w.q[i.d], &w.q[i.a], &w.r[i.b], i.f.(shift2), mask)
}

func execCount(w *warp, i *instruction, mask uint32) {
	apply1(&w.r[i.d], &w.q[i.a], i.f.(count1), mask)
}

func execWiden2(w *warp, i *instruction, mask uint32) {
	f, a, b := i.f.(widen2), &w.r[i.a], &w.r[i.b]
	for m := mask; m != 0; m &= m - 1 {
		l := bits.TrailingZeros32(m) & 31
		v := f(a[l], b[l])
		if i.file == longs {
			w.q[i.d][l] = v
		} else {
			w.r[i.d][l] = uint32(v)
		}
	}
}

func execWiden3(w *warp, i *instruction, mask uint32) {
	apply3(&w.q[i.d], &w.r[i.a], &w.r[i.b], &w.q[i.c], i.f.(widen3), mask)
}

func execAddSingle(w *warp, i *instruction, mask uint32) {
	d, a, b := &w.r[i.d], &w.r[i.a], &w.r[i.b]
	if mask == all {
		for l := range lanes {
			d[l] = result(single(a[l]) + single(b[l]))
		}
		return
	}
	for m := mask; m != 0; m &= m - 1 {
		l := bits.TrailingZeros32(m) & 31
		d[l] = result(single(a[l]) + single(b[l]))
	}
}

func execMulSingle(w *warp, i *instruction, mask uint32) {
	d, a, b := &w.r[i.d], &w.r[i.a], &w.r[i.b]
	if mask == all {
		for l := range lanes {
			d[l] = result(single(a[l]) * single(b[l]))
		}
		return
	}
	for m := mask; m != 0; m &= m - 1 {
		l := bits.TrailingZeros32(m) & 31
		d[l] = result(single(a[l]) * single(b[l]))
	}
}

func execFmaSingle(w *warp, i *instruction, mask uint32) {
	d, a, b, c := &w.r[i.d], &w.r[i.a], &w.r[i.b], &w.r[i.c]
	if mask == all {
		for l := range lanes {
			d[l] = result(fma(single(a[l]), single(b[l]), single(c[l])))
		}
		return
	}
	for m := mask; m != 0; m &= m - 1 {
		l := bits.TrailingZeros32(m) & 31
		d[l] = result(fma(single(a[l]), single(b[l]), single(c[l])))
	}
}

func execAddWord(w *warp, i *instruction, mask uint32) {
	d, a, b := &w.r[i.d], &w.r[i.a], &w.r[i.b]
	if mask == all {
		for l := range lanes {
			d[l] = a[l] + b[l]
		}
		return
	}
	for m := mask; m != 0; m &= m - 1 {
		l := bits.TrailingZeros32(m) & 31
		d[l] = a[l] + b[l]
	}
}

func execAddLong(w *warp, i *instruction, mask uint32) {
	d, a, b := &w.q[i.d], &w.q[i.a], &w.q[i.b]
	if mask == all {
		for l := range lanes {
			d[l] = a[l] + b[l]
		}
		return
	}
	for m := mask; m != 0; m &= m - 1 {
		l := bits.TrailingZeros32(m) & 31
		d[l] = a[l] + b[l]
	}
}

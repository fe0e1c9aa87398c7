package emulator

import (
	"math"
	"math/bits"
)

// conversion is cvt of one type to another.
type conversion struct {
	from, to           string
	fromBits, toBits   int
	fromFloat, toFloat bool
	mode               rounding
	ftz, saturate      bool
}

// convert decodes cvt (PTX ISA 9.7.9.21).
func (d *decoder) convert() {
	n := len(d.parts)
	if n < 3 {
		d.err = errUnknown
		return
	}
	if d.st.opcode == "cvt.rn.satfinite.e4m3x2.f32" {
		if d.arity(3, 3) {
			i, o := d.i, d.st.operands
			i.exec, i.d, i.a, i.b = execWord2, d.destination(&o[0], words), d.word(&o[1], 32), d.word(&o[2], 32)
			i.f = func(high, low uint32) uint32 { return toE4M3(single(high))<<8 | toE4M3(single(low)) }
		}
		return
	}
	c := conversion{from: d.parts[n-1], to: d.parts[n-2]}
	whole := false
	c.mode = toZero
	for _, m := range d.parts[1 : n-2] {
		switch m {
		case "rn", "rz", "rm", "rp", "rni", "rzi", "rmi", "rpi":
			c.mode = map[byte]rounding{'n': nearest, 'z': toZero, 'm': down, 'p': up}[m[1]]
			whole = len(m) == 3
		case "ftz":
			c.ftz = true
		case "sat":
			c.saturate = true
		default:
			d.err = errUnknown
			return
		}
	}
	i, o := d.i, d.st.operands
	if c.to == "bf16x2" || c.to == "f16x2" {
		if !d.arity(3, 3) || c.from != "f32" || c.saturate {
			d.err = errUnknown
			return
		}
		f := halfFormat
		if c.to == "bf16x2" {
			f = bfloatFormat
		}
		i.exec, i.d, i.a, i.b = execWord2, d.destination(&o[0], words), d.word(&o[1], 32), d.word(&o[2], 32)
		encode := func(x uint32) uint32 { return f.encode(float64(single(x)), c.mode) }
		if c.to == "bf16x2" && c.mode == nearest {
			encode = func(x uint32) uint32 { return toBfloat(single(x)) }
		}
		i.f = func(high, low uint32) uint32 { return encode(high)<<16 | encode(low) }
		return
	}
	c.fromBits, c.toBits = typeBits["."+c.from], typeBits["."+c.to]
	if c.fromBits < 8 || c.toBits < 8 || c.from[0] == 'b' && c.from != "bf16" || c.to[0] == 'b' && c.to != "bf16" || c.from == "f16x2" || c.from == "bf16x2" {
		d.err = errUnknown
		return
	}
	if !d.arity(2, 2) {
		return
	}
	float := func(t string) bool { return t[0] == 'f' || t[0] == 'b' }
	c.fromFloat, c.toFloat = float(c.from), float(c.to)
	if c.saturate && c.toFloat && c.to != "f32" {
		d.err = errUnknown
		return
	}
	i.f = c.function(whole)
	// The register may be wider than the type.
	from := longs
	if o[1].kind == registerOperand && o[1].reg.width <= 32 || o[1].kind != registerOperand && c.fromBits <= 32 {
		from = words
	}
	to := words
	if o[0].kind == registerOperand {
		to = fileOf(o[0].reg.width)
	}
	if from == words && c.fromBits > 32 || to == words && c.toBits > 32 {
		d.fail("a register is narrower than the type")
		return
	}
	i.d, i.file = d.destination(&o[0], to), int8(to)
	i.baseFile = int8(from)
	if i.a = d.source(&o[1], 32*from); from == longs {
		i.exec = execConvertLong
	} else {
		i.exec = execConvertWord
	}
	switch d.st.opcode {
	case "cvt.u64.u32":
		if from == words {
			i.exec = execWidenUnsigned
		}
	case "cvt.s64.s32":
		if from == words {
			i.exec = execWidenSigned
		}
	case "cvt.u32.u64":
		if to == words {
			i.exec = execNarrow
		}
	case "cvt.f32.f16":
		if from == words && to == words {
			i.exec = execOfHalf
		}
	}
	if to == longs && !c.toFloat && c.to[0] == 's' && c.toBits < 64 || to == words && c.to[0] == 's' && c.toBits < 32 {
		// A signed result is extended to the register.
		f, shift := i.f.(long1), 64-c.toBits
		width := 64
		if to == words {
			width = o[0].reg.width
		}
		i.f = func(x uint64) uint64 { return uint64(int64(f(x)<<shift)>>shift) & (^uint64(0) >> (64 - width)) }
	}
}

// function returns the function that converts the bits of one type to those of another. With
// whole it rounds a float to a whole number that is still a float.
func (c conversion) function(whole bool) long1 {
	fromMask, toMask := ^uint64(0)>>(64-c.fromBits), ^uint64(0)>>(64-c.toBits)
	signed := c.from[0] == 's'
	extend := func(x uint64) uint64 {
		if signed {
			return uint64(int64(x<<(64-c.fromBits)) >> (64 - c.fromBits))
		}
		return x & fromMask
	}
	decode := func(x uint64) float64 {
		switch c.from {
		case "f16":
			return float64(halves[x&0xffff])
		case "bf16":
			return float64(bfloat(uint32(x & 0xffff)))
		case "f32":
			v := single(uint32(x))
			if c.ftz {
				v = flush(v)
			}
			return float64(v)
		}
		return double(x)
	}
	encode := func(v float64) uint64 {
		if c.saturate { // to [0, 1], NaN to 0
			if !(v > 0) {
				v = 0
			}
			v = min(v, 1)
		}
		switch c.to {
		case "f16":
			return uint64(halfFormat.encode(v, c.mode))
		case "bf16":
			return uint64(bfloatFormat.encode(v, c.mode))
		case "f32":
			if c.mode == nearest {
				return uint64(result(c.flushed(float32(v))))
			}
			return uint64(result(c.flushed(single(singleFormat.encode(v, c.mode)))))
		}
		return ofDouble(v)
	}
	switch {
	case c.fromFloat && c.toFloat && whole:
		return func(x uint64) uint64 { return encode(c.mode.whole(decode(x))) }
	case c.fromFloat && c.toFloat:
		return func(x uint64) uint64 { return encode(decode(x)) }
	case c.fromFloat:
		return func(x uint64) uint64 { return toWhole(decode(x), c.mode, c.toBits, c.to[0] == 's') }
	case c.to == "f64":
		return func(x uint64) uint64 { return ofDouble(wholeToDouble(extend(x), signed, c.mode)) }
	case c.toFloat:
		return func(x uint64) uint64 { return encode(wholeToFloat(extend(x), signed)) }
	case c.saturate:
		return func(x uint64) uint64 {
			x = extend(x)
			if signed && int64(x) < 0 {
				if c.to[0] == 'u' {
					return 0
				}
				return uint64(max(int64(x), math.MinInt64>>(64-c.toBits))) & toMask
			}
			high := toMask
			if c.to[0] == 's' {
				high >>= 1
			}
			return min(x, high)
		}
	}
	return func(x uint64) uint64 { return extend(x) & toMask }
}

func (c conversion) flushed(x float32) float32 {
	if c.ftz {
		return flush(x)
	}
	return x
}

func execConvertWord(w *warp, i *instruction, mask uint32) {
	if f, a := i.f.(long1), &w.r[i.a]; i.file == longs {
		convertLanes(&w.q[i.d], a, f, mask)
	} else {
		convertLanes(&w.r[i.d], a, f, mask)
	}
}

func execConvertLong(w *warp, i *instruction, mask uint32) {
	if f, a := i.f.(long1), &w.q[i.a]; i.file == longs {
		convertLanes(&w.q[i.d], a, f, mask)
	} else {
		convertLanes(&w.r[i.d], a, f, mask)
	}
}

// The most frequent conversions have loops of their own.

func execWidenUnsigned(w *warp, i *instruction, mask uint32) {
	a, d := &w.r[i.a], &w.q[i.d]
	for m := mask; m != 0; m &= m - 1 {
		l := bits.TrailingZeros32(m) & 31
		d[l] = uint64(a[l])
	}
}

func execWidenSigned(w *warp, i *instruction, mask uint32) {
	a, d := &w.r[i.a], &w.q[i.d]
	for m := mask; m != 0; m &= m - 1 {
		l := bits.TrailingZeros32(m) & 31
		d[l] = uint64(int64(int32(a[l])))
	}
}

func execNarrow(w *warp, i *instruction, mask uint32) {
	a, d := &w.q[i.a], &w.r[i.d]
	for m := mask; m != 0; m &= m - 1 {
		l := bits.TrailingZeros32(m) & 31
		d[l] = uint32(a[l])
	}
}

func execOfHalf(w *warp, i *instruction, mask uint32) {
	a, d := &w.r[i.a], &w.r[i.d]
	for m := mask; m != 0; m &= m - 1 {
		l := bits.TrailingZeros32(m) & 31
		d[l] = result(halves[a[l]&0xffff])
	}
}

// toE4M3 rounds to 8 bits that have no infinities: 448 is the largest number.
func toE4M3(x float32) uint32 {
	if x != x {
		return 0x7f
	}
	v, f := max(-448, min(float64(x), 448)), format{4, 3}
	if math.Abs(v) >= 256 { // the exponent that format takes for infinities
		return f.encode(v/2, nearest) + 8
	}
	return f.encode(v, nearest)
}

package emulator

import (
	"math"
	"math/bits"
)

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
	case "div": // by zero: all ones, as on a card
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

// extract is bfe: length bits from a position. Only the lower eight bits of position and
// length count. Signed fields are extended by their highest bit, or by x's where they reach
// past x.
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

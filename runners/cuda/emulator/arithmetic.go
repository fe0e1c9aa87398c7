package emulator

import (
	"math"
	"strings"
)

// The functions that execWord1, execLong1 and the like apply to the operands of a lane.
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

func single(x uint32) float32 { return math.Float32frombits(x) }

func ofSingle(x float32) uint32 { return math.Float32bits(x) }

func double(x uint64) float64 { return math.Float64frombits(x) }

func ofDouble(x float64) uint64 { return math.Float64bits(x) }

// masks is applied to the predicates of all lanes at once.
type masks func(x, y uint32) uint32

// arithmetic decodes the instructions that work on each lane alone, by the number and size
// of their operands.
func (d *decoder) arithmetic() {
	typ := d.parts[len(d.parts)-1]
	modifiers := d.parts[1 : len(d.parts)-1]
	if d.parts[0] == "div" && typ == "f32" || d.parts[0] == "ex2" || d.parts[0] == "lg2" { // .approx, .full and .rn all give the nearest float
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
	// The most frequent instructions have loops of their own.
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
	case "bf16x2":
		if name != "fma" || len(modifiers) != 1 || modifiers[0] != "rn" {
			return nil
		}
		part := func(x, y, z uint32) uint32 {
			wide := func(v uint32) float64 { return float64(single(v << 16)) }
			return bfloatFormat.encode(math.FMA(wide(x), wide(y), wide(z)), nearest)
		}
		return func(x, y, z uint32) uint32 {
			return part(x>>16, y>>16, z>>16)<<16 | part(x&0xffff, y&0xffff, z&0xffff)
		}
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
	// 16 bits: operands are widened, and results cut to 16 bits.
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

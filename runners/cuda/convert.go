package cuda

import (
	"math"
	"unsafe"

	"github.com/snapbench/snapbench/runners/cuda/card"
	"github.com/snapbench/snapbench/runners/engine"
)

// encode writes numbers as type t, rounding to nearest, ties to even.
func encode(dst []byte, src []float32, t engine.Type) {
	if len(src) == 0 {
		return
	}
	switch t {
	case engine.Float32:
		copy(dst, card.Bytes(src))
	case engine.BFloat16:
		to := unsafe.Slice((*uint16)(unsafe.Pointer(&dst[0])), len(src))
		for i, v := range src {
			to[i] = toBFloat16(v)
		}
	case engine.Float16:
		to := unsafe.Slice((*uint16)(unsafe.Pointer(&dst[0])), len(src))
		for i, v := range src {
			to[i] = toFloat16(v)
		}
	default:
		panic("cuda: encoding " + t.String())
	}
}

// decode reads numbers of type t.
func decode(dst []float32, src []byte, t engine.Type) {
	if len(dst) == 0 {
		return
	}
	switch t {
	case engine.Float32:
		copy(card.Bytes(dst), src)
	case engine.BFloat16:
		for i, v := range unsafe.Slice((*uint16)(unsafe.Pointer(&src[0])), len(dst)) {
			dst[i] = math.Float32frombits(uint32(v) << 16)
		}
	case engine.Float16:
		for i, v := range unsafe.Slice((*uint16)(unsafe.Pointer(&src[0])), len(dst)) {
			dst[i] = fromFloat16(v)
		}
	default:
		panic("cuda: decoding " + t.String())
	}
}

func toBFloat16(v float32) uint16 {
	b := math.Float32bits(v)
	if v != v {
		return uint16(b>>16) | 0x40
	}
	return uint16((b + 0x7fff + b>>16&1) >> 16)
}

func toFloat16(v float32) uint16 {
	b := math.Float32bits(v)
	sign := uint16(b >> 16 & 0x8000)
	b &= 0x7fffffff
	switch {
	case b > 0x7f800000:
		return sign | 0x7e00
	case b >= 0x47800000: // 65536 and more
		return sign | 0x7c00
	case b >= 0x38800000: // normal: 2⁻¹⁴ and more; rounding may carry into infinity, as it should
		b -= 112 << 23
		return sign | uint16((b+0xfff+b>>13&1)>>13)
	default: // subnormal: multiples of 2⁻²⁴
		return sign | uint16(math.RoundToEven(float64(math.Float32frombits(b))*(1<<24)))
	}
}

func fromFloat16(h uint16) float32 {
	sign, exponent, fraction := uint32(h&0x8000)<<16, uint32(h>>10&31), uint32(h&0x3ff)
	switch exponent {
	case 0:
		v := float32(fraction) * 0x1p-24
		return math.Float32frombits(math.Float32bits(v) | sign)
	case 31:
		return math.Float32frombits(sign | 0x7f800000 | fraction<<13)
	}
	return math.Float32frombits(sign | (exponent+112)<<23 | fraction<<13)
}

package weights

import (
	"encoding/binary"
	"fmt"
	"math"
	"sync"

	"github.com/snapbench/snapbench/runners/engine"
)

// BlockSize returns the numbers in one block of s and the bytes that it takes.
// Types that are not quantised have blocks of one number. It panics for an
// unknown storage, and for E4M3, whose scales are behind the row.
func BlockSize(s engine.Storage) (elements, bytes int) {
	switch s {
	case engine.F32:
		return 1, 4
	case engine.F16, engine.BF16:
		return 1, 2
	case engine.Q8_0:
		return 32, 34 // half d, 32 int8
	case engine.Q4_0:
		return 32, 18 // half d, 16 bytes of two nibbles
	case engine.Q4_1:
		return 32, 20 // half d, half m, nibbles
	case engine.Q5_0:
		return 32, 22 // half d, 32 fifth bits, nibbles
	case engine.Q5_1:
		return 32, 24 // half d, half m, fifth bits, nibbles
	case engine.Q4K:
		return 256, 144 // half d, half dmin, 12 bytes of 6-bit scales and mins, nibbles
	case engine.Q5K:
		return 256, 176 // the same, 32 bytes of fifth bits before the nibbles
	case engine.Q6K:
		return 256, 210 // low nibbles, upper bit pairs, 16 int8 scales, half d
	case engine.MXFP4:
		return 32, 17 // power of two, nibbles
	}
	panic(fmt.Sprintf("weights: no storage %d", s))
}

// DecodeRow writes the exact float32 values of raw, a row stored as s, to dst.
// DecodeRow panics unless raw holds exactly len(dst) numbers.
//
// In these formulas d, m and dmin are the block's half-precision numbers widened
// to float32, q is the unsigned and c the signed code, and every product and sum
// is rounded to float32:
//
//	Q8_0          d·c
//	Q4_0, Q5_0    d·(q-8), d·(q-16)
//	Q4_1, Q5_1    d·q + m
//	Q4_K, Q5_K    (d·scale)·q - (dmin·min)    scale and min of 6 bits, per 32 numbers
//	Q6_K          (d·scale)·(q-32)            scale of 8 bits, signed, per 16 numbers
//
// In blocks of 32, the low nibbles are the first 16 numbers and the high nibbles
// the last 16. Source: ggml's reference quantisation and gguf-py.
//
// MXFP4 and E4M3 are as package engine describes them.
func DecodeRow(s engine.Storage, raw []byte, dst []float32) {
	if s == engine.E4M3 {
		decodeE4M3(raw, dst)
		return
	}
	elements, bytes := BlockSize(s)
	if len(dst)%elements != 0 || len(raw) != len(dst)/elements*bytes {
		panic(fmt.Sprintf("weights: %d bytes of %s for %d numbers", len(raw), s, len(dst)))
	}
	switch s {
	case engine.F32:
		for len(dst) >= 4 && len(raw) >= 16 {
			r, d := (*[16]byte)(raw), (*[4]float32)(dst)
			d[0] = math.Float32frombits(binary.LittleEndian.Uint32(r[0:]))
			d[1] = math.Float32frombits(binary.LittleEndian.Uint32(r[4:]))
			d[2] = math.Float32frombits(binary.LittleEndian.Uint32(r[8:]))
			d[3] = math.Float32frombits(binary.LittleEndian.Uint32(r[12:]))
			raw, dst = raw[16:], dst[4:]
		}
		for i := range dst {
			dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
		}
	case engine.F16:
		decodeF16(raw, dst)
	case engine.BF16:
		for len(dst) >= 4 && len(raw) >= 8 {
			r, d := binary.LittleEndian.Uint64(raw), (*[4]float32)(dst)
			d[0] = math.Float32frombits(uint32(r) << 16)
			d[1] = math.Float32frombits(uint32(r) &^ 0xffff)
			d[2] = math.Float32frombits(uint32(r>>32) << 16)
			d[3] = math.Float32frombits(uint32(r>>32) &^ 0xffff)
			raw, dst = raw[8:], dst[4:]
		}
		for i := range dst {
			dst[i] = math.Float32frombits(uint32(binary.LittleEndian.Uint16(raw[2*i:])) << 16)
		}
	default:
		decode := blockDecoders[s]
		for len(dst) > 0 {
			decode(raw[:bytes], dst[:elements])
			raw, dst = raw[bytes:], dst[elements:]
		}
	}
}

// halfToFloat widens an IEEE half exactly. The exponent bits are moved to their
// place in a float32, and the result is multiplied by 2^112 for the difference of
// the two biases. This also turns subnormal halves into normal floats.
func halfToFloat(h uint16) float32 {
	bits := uint32(h&0x7fff) << 13
	if bits >= 0x7c00<<13 { // infinities and NaNs keep the largest exponent
		return math.Float32frombits(bits | 0x7f800000 | uint32(h&0x8000)<<16)
	}
	f := math.Float32frombits(bits) * 0x1p112
	return math.Float32frombits(math.Float32bits(f) | uint32(h&0x8000)<<16)
}

// halves has the float32 value of every half. A look-up is 2.5 times as fast as
// halfToFloat, and a model's weights use a small part of the table's 256 KiB.
var halves = sync.OnceValue(func() *[1 << 16]float32 {
	table := new([1 << 16]float32)
	for h := range table {
		table[h] = halfToFloat(uint16(h))
	}
	return table
})

func decodeF16(raw []byte, dst []float32) {
	table := halves()
	for len(dst) >= 4 && len(raw) >= 8 {
		r, d := binary.LittleEndian.Uint64(raw), (*[4]float32)(dst)
		d[0] = table[uint16(r)]
		d[1] = table[uint16(r>>16)]
		d[2] = table[uint16(r>>32)]
		d[3] = table[uint16(r>>48)]
		raw, dst = raw[8:], dst[4:]
	}
	for i := range dst {
		dst[i] = table[binary.LittleEndian.Uint16(raw[2*i:])]
	}
}

// half reads the half-precision number at the start of raw.
func half(raw []byte) float32 { return halfToFloat(binary.LittleEndian.Uint16(raw)) }

// blockDecoders decode one block, of exactly BlockSize bytes and numbers. The
// conversions float32(x*y) keep the compiler from fusing a product with the sum
// that follows.
var blockDecoders = map[engine.Storage]func(raw []byte, dst []float32){
	engine.Q8_0: decodeQ8_0,
	engine.Q4_0: decodeQ4_0, engine.Q4_1: decodeQ4_1,
	engine.Q5_0: decodeQ5_0, engine.Q5_1: decodeQ5_1,
	engine.Q4K: decodeQ4K, engine.Q5K: decodeQ5K, engine.Q6K: decodeQ6K,
	engine.MXFP4: decodeMXFP4,
}

func decodeQ8_0(raw []byte, dst []float32) {
	d := half(raw)
	q, out := (*[32]byte)(raw[2:]), (*[32]float32)(dst)
	for i := range out {
		out[i] = d * float32(int8(q[i]))
	}
}

// nibbles looks up 32 codes of four bits in the block's sixteen values.
func nibbles(q *[16]byte, values *[16]float32, out *[32]float32) {
	for i, b := range q {
		out[i] = values[b&15]
		out[i+16] = values[b>>4]
	}
}

func decodeQ4_0(raw []byte, dst []float32) {
	d := half(raw)
	var values [16]float32
	for i := range values {
		values[i] = d * float32(i-8)
	}
	nibbles((*[16]byte)(raw[2:]), &values, (*[32]float32)(dst))
}

func decodeQ4_1(raw []byte, dst []float32) {
	d, m := half(raw), half(raw[2:])
	var values [16]float32
	for i := range values {
		values[i] = float32(d*float32(i)) + m
	}
	nibbles((*[16]byte)(raw[4:]), &values, (*[32]float32)(dst))
}

func decodeQ5_0(raw []byte, dst []float32) {
	d := half(raw)
	high := binary.LittleEndian.Uint32(raw[2:])
	q, out := (*[16]byte)(raw[6:]), (*[32]float32)(dst)
	for i, b := range q {
		lo := int32(b&15) | int32(high>>i&1)<<4
		hi := int32(b>>4) | int32(high>>(i+16)&1)<<4
		out[i] = d * float32(lo-16)
		out[i+16] = d * float32(hi-16)
	}
}

func decodeQ5_1(raw []byte, dst []float32) {
	d, m := half(raw), half(raw[2:])
	high := binary.LittleEndian.Uint32(raw[4:])
	q, out := (*[16]byte)(raw[8:]), (*[32]float32)(dst)
	for i, b := range q {
		lo := int32(b&15) | int32(high>>i&1)<<4
		hi := int32(b>>4) | int32(high>>(i+16)&1)<<4
		out[i] = float32(d*float32(lo)) + m
		out[i+16] = float32(d*float32(hi)) + m
	}
}

// scaleMin unpacks the 6-bit scale and min of group j, of eight, from the 12
// bytes of Q4_K and Q5_K. Bytes 0 to 3 are for scales, bytes 4 to 7 for mins: the
// low six bits are those of the first four groups, the high two bits are the
// upper two of the last four groups. Bytes 8 to 11 have the lower four bits of
// the last four groups: the scale in the low nibble, the min in the high one.
func scaleMin(b *[12]byte, j int) (scale, min float32) {
	if j < 4 {
		return float32(b[j] & 63), float32(b[j+4] & 63)
	}
	return float32(b[j+4]&15 | b[j-4]>>6<<4), float32(b[j+4]>>4 | b[j]>>6<<4)
}

func decodeQ4K(raw []byte, dst []float32) {
	d, dmin := half(raw), half(raw[2:])
	scales := (*[12]byte)(raw[4:])
	for j := 0; j < 8; j++ { // 32 numbers each: low nibbles of 32 bytes, then their high nibbles
		scale, min := scaleMin(scales, j)
		dl, ml := d*scale, float32(dmin*min)
		q, out := (*[32]byte)(raw[16+j/2*32:]), (*[32]float32)(dst[32*j:])
		var values [16]float32
		for i := range values {
			values[i] = float32(dl*float32(i)) - ml
		}
		shift := uint(j%2) * 4
		for i, b := range q {
			out[i] = values[b>>shift&15]
		}
	}
}

func decodeQ5K(raw []byte, dst []float32) {
	d, dmin := half(raw), half(raw[2:])
	scales := (*[12]byte)(raw[4:])
	high := (*[32]byte)(raw[16:])
	for j := 0; j < 8; j++ { // as in Q4_K; the fifth bits are bits j of the 32 bytes high
		scale, min := scaleMin(scales, j)
		dl, ml := d*scale, float32(dmin*min)
		q, out := (*[32]byte)(raw[48+j/2*32:]), (*[32]float32)(dst[32*j:])
		var values [32]float32
		for i := range values {
			values[i] = float32(dl*float32(i)) - ml
		}
		shift := uint(j%2) * 4
		for i, b := range q {
			out[i] = values[(b>>shift&15|high[i]>>j<<4)&31]
		}
	}
}

func decodeQ6K(raw []byte, dst []float32) {
	d := half(raw[208:])
	scales := (*[16]byte)(raw[192:])
	for j := 0; j < 8; j++ { // 32 numbers each, under two scales
		// Numbers 0 to 63 are the low and 64 to 127 the high nibbles of 64
		// bytes; the next 128 numbers are in the next 64 bytes. The upper two
		// bits of 128 numbers are in 32 bytes.
		low, high := (*[32]byte)(raw[j/4*64+j%2*32:]), (*[32]byte)(raw[128+j/4*32:])
		lowShift, highShift := uint(j%4/2)*4, uint(j%4)*2
		out := (*[32]float32)(dst[32*j:])
		dl := [2]float32{d * float32(int8(scales[2*j])), d * float32(int8(scales[2*j+1]))}
		for i, b := range low {
			q := int32(b>>lowShift&15 | high[i]>>highShift&3<<4)
			out[i] = dl[i/16] * float32(q-32)
		}
	}
}

package cacheformat

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

var le = binary.LittleEndian

// errStored is the reason for refusing a number that its storage cannot hold.
var errStored = errors.New("becomes infinite in float16")

// finite refuses vectors with numbers that are not.
func finite(x []float32) error {
	for i, v := range x {
		if v-v != 0 {
			return fmt.Errorf("number %d is %v", i, v)
		}
	}
	return nil
}

// Magnitude returns the largest of |x|.
func Magnitude(x []float32) float32 {
	var most float32
	for _, v := range x {
		most = max(most, abs(v))
	}
	return most
}

func abs(v float32) float32 { return math.Float32frombits(math.Float32bits(v) &^ (1 << 31)) }

func clip(v, lo, hi float32) float32 { return min(max(v, lo), hi) }

// roundAway rounds half away from zero (C's roundf), exactly.
func roundAway(v float32) float32 { return float32(math.Round(float64(v))) }

// roundEven rounds half to even.
func roundEven(v float32) float32 { return float32(math.RoundToEven(float64(v))) }

// truncHalf is trunc(v ± 0.5), which is not roundAway: 0.49999997 becomes 1.
func truncHalf(v float32) float32 {
	if v >= 0 {
		return float32(math.Trunc(float64(v + 0.5)))
	}
	return float32(math.Trunc(float64(v - 0.5)))
}

// toHalf rounds to float16, half to even; beyond its range it is infinite.
func toHalf(v float32) uint16 {
	b := math.Float32bits(v)
	sign := uint16(b >> 16 & 0x8000)
	b &^= 1 << 31
	switch {
	case b > 0x7f800000:
		return sign | 0x7e00
	case b >= 0x47800000: // 65536
		return sign | 0x7c00
	case b < 0x33000000: // below half of the least
		return sign
	case b < 0x38800000: // subnormal: multiples of 2^-24
		return sign | uint16(math.RoundToEven(float64(math.Float32frombits(b))*(1<<24)))
	}
	b += 0xfff + b>>13&1
	return sign | uint16((b-0x38000000)>>13)
}

func fromHalf(h uint16) float32 {
	sign := uint32(h&0x8000) << 16
	switch e, m := uint32(h>>10&31), uint32(h&1023); e {
	case 0:
		v := float32(m) / (1 << 24)
		return math.Float32frombits(math.Float32bits(v) | sign)
	case 31:
		return math.Float32frombits(sign | 0x7f800000 | m<<13)
	default:
		return math.Float32frombits(sign | (e+112)<<23 | m<<13)
	}
}

// rounded is v in float16.
func rounded(v float32) float32 { return fromHalf(toHalf(v)) }

// putHalf stores v in float16 and refuses what becomes infinite.
func putHalf(dst []byte, what string, v float32) error {
	h := toHalf(v)
	if h&0x7c00 == 0x7c00 {
		return fmt.Errorf("%s %v %w", what, v, errStored)
	}
	le.PutUint16(dst, h)
	return nil
}

func getHalf(src []byte) float32 { return fromHalf(le.Uint16(src)) }

// toE4M3 rounds to the 8-bit float of 4 and 3 bits (arXiv 2209.05433), half to even; beyond
// 448 it saturates.
func toE4M3(v float32) byte {
	b := math.Float32bits(v)
	sign := byte(b >> 24 & 0x80)
	a := min(math.Float32frombits(b&^(1<<31)), 448)
	if a < 1.0/64 {
		return sign | byte(math.RoundToEven(float64(a)*512))
	}
	b = math.Float32bits(a)
	b += 0x7ffff + b>>20&1
	return sign | byte(b>>20-120<<3)
}

var e4m3 = func() (table [256]float32) {
	for c := range table {
		e, m := c>>3&15, c&7
		v := math.Ldexp(float64(m), -9)
		if e > 0 {
			v = math.Ldexp(float64(8+m), e-10)
		}
		if e == 15 && m == 7 {
			v = math.NaN()
		}
		if c >= 128 {
			v = math.Copysign(v, -1)
		}
		table[c] = float32(v)
	}
	return table
}()

// toE2M1 rounds to the 4-bit float of 2 and 1 bits (OCP MX 1.0, section 5.3.3), its codes half
// to even; beyond 6 it saturates.
func toE2M1(v float32) byte {
	b := math.Float32bits(v)
	sign := byte(b >> 28 & 8)
	switch a := abs(v); {
	case a <= 0.25:
		return sign
	case a < 0.75:
		return sign | 1
	case a <= 1.25:
		return sign | 2
	case a < 1.75:
		return sign | 3
	case a <= 2.5:
		return sign | 4
	case a < 3.5:
		return sign | 5
	case a <= 5:
		return sign | 6
	}
	return sign | 7
}

var e2m1 = [16]float32{0, 0.5, 1, 1.5, 2, 3, 4, 6, float32(math.Copysign(0, -1)), -0.5, -1, -1.5, -2, -3, -4, -6}

// packPairs writes codes of 4 bits, two to a byte, the earlier one low.
func packPairs(dst []byte, codes []byte) {
	clear(dst)
	for i, c := range codes {
		dst[i/2] |= c << (i % 2 * 4)
	}
}

// nibble is code i of those that packPairs wrote.
func nibble(src []byte, i int) byte { return src[i/2] >> (i % 2 * 4) & 15 }

// packBits writes codes of b bits as a little-endian stream: code i begins at bit i·b.
func packBits(dst []byte, codes []byte, b int) {
	clear(dst)
	for i, c := range codes {
		at := i * b
		w := uint16(c) << (at % 8)
		dst[at/8] |= byte(w)
		if w>>8 != 0 {
			dst[at/8+1] |= byte(w >> 8)
		}
	}
}

// bits is code i of those that packBits wrote.
func bits(src []byte, i, b int) byte {
	at := i * b
	w := uint16(src[at/8])
	if at/8+1 < len(src) {
		w |= uint16(src[at/8+1]) << 8
	}
	return byte(w >> (at % 8) & (1<<b - 1))
}

func up(n, by int) int { return (n + by - 1) / by * by }

package cacheformat

import (
	"fmt"
	"math"
	"slices"
)

const ggmlSource = "ggml's reference quantisers, gguf 0.19, quants.py"

func init() {
	Register(Format{Name: "q8_0", Help: "8-bit integers, a float16 scale for each 32 numbers", Source: ggmlSource, Key: q8{}, Value: q8{}})
	Register(Format{Name: "q4_0", Help: "4-bit integers, a float16 scale for each 32 numbers", Source: ggmlSource, Key: q4{}, Value: q4{}})
	const rotation = " of the rotated vector: llama.cpp's default for quantised caches"
	Register(Format{
		Name: "q8_0_rot", Help: "q8_0" + rotation, Source: ggmlSource + "; rotation: llama.cpp #21038",
		Key: turned{q8{}, KeyBlock}, Value: turned{q8{}, ValueBlock}, Check: checkTurned,
	})
	Register(Format{
		Name: "q4_0_rot", Help: "q4_0" + rotation, Source: ggmlSource + "; rotation: llama.cpp #21038",
		Key: turned{q4{}, KeyBlock}, Value: turned{q4{}, ValueBlock}, Check: checkTurned,
	})
}

// blocks calls do with each block of 32 numbers, of which the last may be short.
func blocks(x []float32, bytes []byte, size int, do func(x []float32, b []byte) error) error {
	for i := 0; i*32 < len(x); i++ {
		if err := do(x[i*32:min(len(x), i*32+32)], bytes[i*size:(i+1)*size]); err != nil {
			return err
		}
	}
	return nil
}

// q8 is Q8_0: a block is its float16 scale and 32 int8.
type q8 struct{}

func (q8) Group() int         { return 1 }
func (q8) Bytes(size int) int { return 34 * up(size, 32) / 32 }

func (q8) Encode(dst []byte, x []float32, _ int, _ float32) error {
	if err := finite(x); err != nil {
		return err
	}
	return blocks(x, dst, 34, func(x []float32, b []byte) error {
		s := Magnitude(x) / 127
		if err := putHalf(b, "scale", s); err != nil {
			return err
		}
		clear(b[2:])
		i := inverse(s)
		for j, v := range x {
			b[2+j] = byte(int8(roundAway(v * i)))
		}
		return nil
	})
}

// inverse is 1/s, and 0 where that overflows or s is 0.
func inverse(s float32) float32 {
	if i := 1 / s; s != 0 && i <= math.MaxFloat32 && i >= -math.MaxFloat32 {
		return i
	}
	return 0
}

func (q8) Decode(dst []float32, src []byte, _ int, _ float32) {
	blocks(dst, src, 34, func(x []float32, b []byte) error {
		s := getHalf(b)
		for j := range x {
			x[j] = float32(int8(b[2+j])) * s
		}
		return nil
	})
}

// q4 is Q4_0: a block is its float16 scale and 16 bytes, of which byte j has codes j and j+16.
type q4 struct{}

func (q4) Group() int         { return 1 }
func (q4) Bytes(size int) int { return 18 * up(size, 32) / 32 }

func (q4) Encode(dst []byte, x []float32, _ int, _ float32) error {
	if err := finite(x); err != nil {
		return err
	}
	return blocks(x, dst, 18, func(x []float32, b []byte) error {
		m := x[0] // of the largest magnitude, the first among equals
		for _, v := range x {
			if abs(v) > abs(m) {
				m = v
			}
		}
		s := m / -8
		if err := putHalf(b, "scale", s); err != nil {
			return err
		}
		i := inverse(s)
		for j := range 16 {
			b[2+j] = q4Code(x, j, i) | q4Code(x, j+16, i)<<4
		}
		return nil
	})
}

func q4Code(x []float32, j int, i float32) byte {
	if j >= len(x) {
		return 8
	}
	return byte(min(15, float32(x[j]*i)+8.5))
}

func (q4) Decode(dst []float32, src []byte, _ int, _ float32) {
	blocks(dst, src, 18, func(x []float32, b []byte) error {
		s := getHalf(b)
		for j := range x {
			x[j] = float32(int(b[2+j%16]>>(j/16*4)&15)-8) * s
		}
		return nil
	})
}

// turned multiplies vectors by the orthonormal Hadamard matrix before they are encoded, and
// after they are decoded.
type turned struct {
	Codec
	block func(size int) int
}

func (t turned) Encode(dst []byte, x []float32, size int, scale float32) error {
	if err := finite(x); err != nil {
		return err
	}
	y := slices.Clone(x)
	hadamard(y, t.block(size))
	return t.Codec.Encode(dst, y, size, scale)
}

func (t turned) Decode(dst []float32, src []byte, size int, scale float32) {
	t.Codec.Decode(dst, src, size, scale)
	hadamard(dst, t.block(size))
}

// KeyBlock is the largest 64·2^i that divides a head. Heads below 64, which llama.cpp does not
// rotate, have the largest power of two.
func KeyBlock(size int) int { return powerOfTwo(size) }

// ValueBlock is 64, and in smaller heads as for keys.
func ValueBlock(size int) int { return min(64, powerOfTwo(size)) }

func checkTurned(size int) error {
	if size > 64 && size%64 != 0 {
		return fmt.Errorf("llama.cpp rotates no heads of %d numbers, only multiples of 64: use the format without _rot", size)
	}
	return nil
}

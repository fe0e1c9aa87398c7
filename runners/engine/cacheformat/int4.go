package cacheformat

import (
	"fmt"
	"math"
	"slices"
)

func init() {
	Register(Format{
		Name: "int4_th", Help: "4-bit integers of the rotated vector, a scale and a zero point for each token and head",
		Source: "vLLM 0.33, int4_per_token_head.py", Key: int4Token{}, Value: int4Token{},
		Check: func(size int) error {
			if b := powerOfTwo(size); b > 256 {
				return fmt.Errorf("heads of %d numbers: it has signs for 256", size)
			}
			return nil
		},
	})
}

// int4Signs are the fixed signs σ of the rotation, a bit each, 1 for minus.
var int4Signs = [8]uint32{
	0x9a8ca6f2, 0x7f7fca4e, 0x59bbc293, 0x9480abc7,
	0xb55b747e, 0x54503bbe, 0xcdf467b7, 0x05dfbc5f,
}

func flipSigns(x []float32, block int) {
	signs := Signs(block)
	for i := range x {
		x[i] *= signs[i%block]
	}
}

// Signs returns the signs σ of a block of int4_th, 1 and -1.
func Signs(block int) []float32 {
	signs := make([]float32, block)
	for j := range signs {
		signs[j] = 1 - 2*float32(int4Signs[j/32]>>(j%32)&1)
	}
	return signs
}

// int4Token stores y = H(σ∘x), H the unnormalised Hadamard matrix, in 16 levels between its
// least and its greatest number. The zero point is in the low bits of the scale.
type int4Token struct{}

func (int4Token) Group() int         { return 1 }
func (int4Token) Bytes(size int) int { return (size+1)/2 + 4 }

func (int4Token) Encode(dst []byte, x []float32, size int, _ float32) error {
	if err := finite(x); err != nil {
		return err
	}
	block := powerOfTwo(size)
	y := slices.Clone(x)
	flipSigns(y, block)
	butterfly(y, block)
	if err := finite(y); err != nil {
		return fmt.Errorf("after the rotation %w", err)
	}
	low, high := slices.Min(y), slices.Max(y)
	if high-low > math.MaxFloat32 {
		return fmt.Errorf("the range from %v to %v overflows", low, high)
	}
	s := max((high-low)/15, 1e-6)
	z := clip(truncHalf(-low/s), 0, 15)
	r := 1 / s
	codes := make([]byte, size)
	for i, v := range y {
		codes[i] = byte(clip(truncHalf(float32(v*r)+z), 0, 15))
	}
	packPairs(dst[:(size+1)/2], codes)
	le.PutUint32(dst[(size+1)/2:], math.Float32bits(s)&^15|uint32(z))
	return nil
}

func (int4Token) Decode(dst []float32, src []byte, size int, _ float32) {
	word := le.Uint32(src[(size+1)/2:])
	s, z := math.Float32frombits(word&^15), float32(word&15)
	for i := range dst {
		dst[i] = (float32(nibble(src, i)) - z) * s
	}
	block := powerOfTwo(size)
	butterfly(dst, block)
	flipSigns(dst, block)
	f := 1 / float32(block) // a power of two: exact
	for i := range dst {
		dst[i] *= f
	}
}

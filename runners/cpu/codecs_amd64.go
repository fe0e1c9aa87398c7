//go:build amd64 && !noasm

package cpu

import (
	"encoding/binary"
	"math"

	"github.com/snapbench/snapbench/runners/engine/cacheformat"
)

// decodersAVX2 are, by formats' names, how their codecs' groups of keys and of values are decoded by kernels, to the bit as the formats'
// own code does it, for heads of a multiple of 32 numbers.
var decodersAVX2 = map[string][2]decodeFunc{
	"fp8_s1":          {decodeE4M3, decodeE4M3},
	"fp8_tensor":      {decodeScaledE4M3, decodeScaledE4M3},
	"fp8_head":        {decodeScaledE4M3, decodeScaledE4M3},
	"fp8_th":          {decodeE4M3Token, decodeE4M3Token},
	"int8_th":         {decodeInt8Token, decodeInt8Token},
	"int4_th":         {decodeInt4Token, decodeInt4Token},
	"mxfp4":           {decodeMXFP4, decodeMXFP4},
	"nvfp4":           {decodeNVFP4, decodeNVFP4},
	"q8_0_rot":        {turned(decodeQ8AVX2, cacheformat.KeyBlock), turned(decodeQ8AVX2, cacheformat.ValueBlock)},
	"q4_0_rot":        {turned(decodeQ4AVX2, cacheformat.KeyBlock), turned(decodeQ4AVX2, cacheformat.ValueBlock)},
	"kivi2":           {kiviKeys(2), kiviValues(2)},
	"kivi2_r128":      {kiviKeys(2), kiviValues(2)},
	"kivi4":           {kiviKeys(4), kiviValues(4)},
	"kivi4_r128":      {kiviKeys(4), kiviValues(4)},
	"tq_k8v4":         {decodeE4M3, turboValues(4)},
	"tq_4bit_nc":      {turboKeys("tq_4bit_nc", 4), turboValues(4)},
	"tq_4bit_nc_skip": {turboKeys("tq_4bit_nc", 4), turboValues(4)},
	"tq_k3v4_nc":      {turboKeys("tq_k3v4_nc", 3), turboValues(4)},
	"tq_3bit_nc":      {turboKeys("tq_3bit_nc", 3), turboValues(3)},
}

var le = binary.LittleEndian

// half is the float16 at the beginning of b.
func half(b []byte) float32 { return halfToFloat(le.Uint16(b)) }

func single(b []byte) float32 { return math.Float32frombits(le.Uint32(b)) }

func decodeE4M3(dst []float32, src []byte, size int, _ float32) {
	scaledE4M3AVX2(size, &src[0], 256, &dst[0])
}

func decodeScaledE4M3(dst []float32, src []byte, size int, scale float32) {
	scaledE4M3AVX2(size, &src[0], 256*scale, &dst[0])
}

func decodeE4M3Token(dst []float32, src []byte, size int, _ float32) {
	scaledE4M3AVX2(size, &src[0], 256*single(src[size:]), &dst[0])
}

func decodeInt8Token(dst []float32, src []byte, size int, _ float32) {
	scaledInt8AVX2(size, &src[0], single(src[size:]), &dst[0])
}

// int4Signs are the signs of every block's rotation: a smaller one has the first of them.
var int4Signs = cacheformat.Signs(256)

func decodeInt4Token(dst []float32, src []byte, size int, _ float32) {
	word := le.Uint32(src[size/2:])
	s, z := math.Float32frombits(word&^15), float32(word&15)
	var table [16]float32
	for q := range table {
		table[q] = (float32(q) - z) * s
	}
	lookupAVX2(size, 4, &src[0], &table[0], 1, &dst[0])
	block := size & -size   // the largest power of two that divides it
	f := 1 / float32(block) // a power of two, as signs: exact
	for at := 0; at < size; at += block {
		butterflyAVX2(block, 1, &dst[at])
		scaleProductAVX2(block, &dst[at], f, &int4Signs[0], &dst[at])
	}
}

func decodeMXFP4(dst []float32, src []byte, size int, _ float32) {
	for b := range size / 32 {
		block := src[17*b:]
		s := math.Float32frombits(max(uint32(block[16])<<23, 1<<22)) // 2^(E-127); 2^-127 is subnormal
		lookupAVX2(32, 4, &block[0], &fp4[0], s, &dst[32*b])
	}
}

func decodeNVFP4(dst []float32, src []byte, size int, scale float32) {
	var scales [8]float32
	for b := range size / 16 {
		if b%8 == 0 {
			n := min(8, size/16-b)
			var codes [8]byte
			copy(codes[:n], src[size/2+b:])
			scaledE4M3AVX2(8, &codes[0], 256, &scales[0])
		}
		lookupAVX2(16, 4, &src[8*b], &fp4[0], scales[b%8]/scale, &dst[16*b])
	}
}

// turned decodes what was rotated before it was encoded.
func turned(decode unpackFunc, block func(int) int) decodeFunc {
	return func(dst []float32, src []byte, size int, _ float32) {
		decode(size, &src[0], &dst[0])
		turn(dst[:size], block(size))
	}
}

// turn multiplies blocks by the orthonormal Hadamard matrix.
func turn(x []float32, block int) {
	f := float32(1 / math.Sqrt(float64(block)))
	for at := 0; at < len(x); at += block {
		butterflyAVX2(block, f, &x[at])
	}
}

// kiviKeys decodes a group of 32 keys, heads of more numbers in pieces.
func kiviKeys(bits int) decodeFunc {
	return func(dst []float32, src []byte, size int, _ float32) {
		var scales, minima [64]float32
		for c := 0; c < size; c += len(scales) {
			n := min(len(scales), size-c)
			unpackF16AVX2(n, &src[4*bits*size+2*c], &scales[0])
			unpackF16AVX2(n, &src[(4*bits+2)*size+2*c], &minima[0])
			for i := range 32 {
				bit := i * bits
				channelsAVX2(n, bit%32, bits, &src[4*(bit/32*size+c)], &scales[0], &minima[0], &dst[i*size+c])
			}
		}
	}
}

func kiviValues(bits int) decodeFunc {
	return func(dst []float32, src []byte, size int, _ float32) {
		groups := size / 32
		scales := src[size*bits/8:]
		minima := scales[2*groups:]
		for g := range groups {
			lookUp(32, bits, src[4*bits*g:], half(scales[2*g:]), half(minima[2*g:]), dst[32*g:])
		}
	}
}

func turboValues(bits int) decodeFunc {
	return func(dst []float32, src []byte, size int, _ float32) {
		scales := src[size*bits/8:]
		lookUp(size, bits, src, half(scales), half(scales[2:]), dst)
	}
}

// lookUp writes n numbers scale·code + minimum.
func lookUp(n, bits int, codes []byte, scale, minimum float32, dst []float32) {
	var table [16]float32
	for q := range 1 << bits {
		table[q] = float32(float32(q)*scale) + minimum
	}
	lookupAVX2(n, bits, &codes[0], &table[0], 1, &dst[0])
}

// turboKeys decodes keys by the levels of a format that has them.
func turboKeys(format string, bits int) decodeFunc {
	f, err := cacheformat.Get(format)
	if err != nil {
		panic(err)
	}
	tables := map[int]*[16]float32{} // by the size of heads
	for size := 32; ; size *= 2 {
		upper := f.Levels(size)
		if upper == nil {
			break
		}
		tables[size] = new([16]float32)
		for i, v := range upper {
			tables[size][len(upper)+i], tables[size][len(upper)-1-i] = v, -v
		}
	}
	return func(dst []float32, src []byte, size int, _ float32) {
		levels := tables[size]
		lookupAVX2(size, bits, &src[0], &levels[0], 1, &dst[0])
		one, norm := 1/float32(math.Sqrt(float64(float32(squaresAVX2(size, &dst[0]))+1e-16))), half(src[size*bits/8:])
		var table [16]float32
		for q := range 1 << bits {
			table[q] = levels[q] * one * norm
		}
		lookupAVX2(size, bits, &src[0], &table[0], 1, &dst[0])
		turn(dst[:size], size)
	}
}

package cacheformat

import (
	"fmt"
	"math"
	"slices"
)

func init() {
	const source = "vLLM 0.33, turboquant (arXiv 2504.19874)"
	register := func(name, help string, key Codec, bits int) {
		Register(Format{Name: name, Help: help, Source: source, Key: key, Value: tqValue{bits, key}, Check: checkTQ(key)})
	}
	register("tq_k8v4", "TurboQuant: keys as 8-bit floats, values in 4 bits", fp8{fixed: true}, 4)
	register("tq_4bit_nc", "TurboQuant: rotated keys in 4 bits with their norm, values in 4 bits", tqKey{4}, 4)
	register("tq_k3v4_nc", "TurboQuant: rotated keys in 3 bits with their norm, values in 4 bits", tqKey{3}, 4)
	register("tq_3bit_nc", "TurboQuant: rotated keys in 3 bits with their norm, values in 3 bits", tqKey{3}, 3)
	skip := *registry["tq_4bit_nc"]
	skip.Name, skip.Help = "tq_4bit_nc_skip", "tq_4bit_nc, but the first and the last two layers in 16 bits: vLLM's default"
	skip.Skips = func(layer, layers int) bool {
		n := min(2, layers/2)
		return layer < n || layer >= layers-n
	}
	Register(skip)
}

func checkTQ(key Codec) func(int) error {
	return func(size int) error {
		if k, ok := key.(tqKey); ok && centroids[[2]int{size, k.bits}] == nil {
			return fmt.Errorf("it has no levels for heads of %d numbers: it has them for 8, 16, 32, 64, 128 and 256", size)
		}
		if powerOfTwo(size) != size {
			return fmt.Errorf("heads of %d numbers: want a power of two", size)
		}
		return nil
	}
}

// Levels returns the levels of TurboQuant's keys above zero, ascending, for heads of size numbers; nil for
// other formats.
func (f *Format) Levels(size int) []float32 {
	if k, ok := f.Key.(tqKey); ok {
		return centroids[[2]int{size, k.bits}]
	}
	return nil
}

// levels returns the codes' centroids.
func levels(size, bits int) []float32 {
	upper := centroids[[2]int{size, bits}]
	all := make([]float32, 0, 2*len(upper))
	for i := len(upper) - 1; i >= 0; i-- {
		all = append(all, -upper[i])
	}
	return append(all, upper...)
}

// tqKey stores which centroid each number of the rotated key of length 1 is near, and the key's
// length as float16. Decoded centroids are brought to length 1 (the nc of the name).
type tqKey struct{ bits int }

func (tqKey) Group() int           { return 1 }
func (t tqKey) Bytes(size int) int { return (size*t.bits+7)/8 + 2 }

func (t tqKey) Encode(dst []byte, x []float32, size int, _ float32) error {
	if err := finite(x); err != nil {
		return err
	}
	norm := length(x)
	codes := (size*t.bits + 7) / 8
	if err := putHalf(dst[codes:], "norm", norm); err != nil {
		return err
	}
	y := slices.Clone(x)
	for i := range y {
		y[i] /= norm + 1e-8
	}
	hadamard(y, size)
	at := levels(size, t.bits)
	list := make([]byte, size)
	for i, v := range y {
		for c := range at[1:] {
			if v >= (at[c]+at[c+1])/2 {
				list[i] = byte(c + 1)
			}
		}
	}
	packBits(dst[:codes], list, t.bits)
	return nil
}

// length is ‖x‖₂, its squares summed in float64.
func length(x []float32) float32 {
	sum := 0.0
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	return float32(math.Sqrt(sum))
}

func (t tqKey) Decode(dst []float32, src []byte, size int, _ float32) {
	codes := (size*t.bits + 7) / 8
	at := levels(size, t.bits)
	for i := range dst {
		dst[i] = at[bits(src[:codes], i, t.bits)]
	}
	one, norm := 1/float32(math.Sqrt(float64(float32(SumSquares(dst))+1e-16))), getHalf(src[codes:])
	for i := range dst {
		dst[i] = dst[i] * one * norm
	}
	hadamard(dst, size)
}

// SumSquares returns Σx² of a multiple of eight numbers, every eighth summed apart, as vector instructions do it.
func SumSquares(x []float32) float64 {
	var sum [8]float64
	for i, v := range x {
		sum[i%8] += float64(v) * float64(v)
	}
	return ((sum[0] + sum[4]) + (sum[2] + sum[6])) + ((sum[1] + sum[5]) + (sum[3] + sum[7]))
}

// tqValue stores levels between the least and the greatest number, then their distance and the
// least as float16. A slot is a key and a value; where its size is odd, a byte is added here.
type tqValue struct {
	bits int
	key  Codec
}

func (tqValue) Group() int { return 1 }

func (t tqValue) Bytes(size int) int {
	n := (size*t.bits+7)/8 + 4
	return n + (n+t.key.Bytes(size))%2
}

func (t tqValue) Encode(dst []byte, x []float32, size int, _ float32) error {
	if err := finite(x); err != nil {
		return err
	}
	low, high := slices.Min(x), slices.Max(x)
	top := float32(int(1)<<t.bits - 1)
	s := max((high-low)/top, 1e-8)
	codes := (size*t.bits + 7) / 8
	if err := putHalf(dst[codes:], "scale", s); err != nil {
		return err
	}
	if err := putHalf(dst[codes+2:], "minimum", low); err != nil {
		return err
	}
	list := make([]byte, size)
	for i, v := range x {
		list[i] = byte(clip(float32(math.Trunc(float64(float32((v-low)/s)+0.5))), 0, top))
	}
	clear(dst[codes+4:])
	packBits(dst[:codes], list, t.bits)
	return nil
}

func (t tqValue) Decode(dst []float32, src []byte, size int, _ float32) {
	codes := (size*t.bits + 7) / 8
	s, low := getHalf(src[codes:]), getHalf(src[codes+2:])
	for i := range dst {
		dst[i] = float32(float32(bits(src[:codes], i, t.bits))*s) + low
	}
}

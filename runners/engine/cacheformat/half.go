package cacheformat

import (
	"fmt"
	"math"
)

// Half is float16: what formats leave in 16 bits.
var Half *Format

func init() {
	Register(Format{Name: "f16", Help: "16 bits: float16", Source: "IEEE 754-2019", Key: half{}, Value: half{}})
	Register(Format{Name: "bf16", Help: "16 bits: bfloat16", Source: "the upper half of float32, rounded to even", Key: bfloat{}, Value: bfloat{}})
	Half = registry["f16"]
}

type half struct{}

func (half) Group() int         { return 1 }
func (half) Bytes(size int) int { return 2 * size }

func (half) Encode(dst []byte, x []float32, _ int, _ float32) error {
	if err := finite(x); err != nil {
		return err
	}
	for i, v := range x {
		if err := putHalf(dst[2*i:], "number", v); err != nil {
			return err
		}
	}
	return nil
}

func (half) Decode(dst []float32, src []byte, _ int, _ float32) {
	for i := range dst {
		dst[i] = getHalf(src[2*i:])
	}
}

type bfloat struct{}

func (bfloat) Group() int         { return 1 }
func (bfloat) Bytes(size int) int { return 2 * size }

func (bfloat) Encode(dst []byte, x []float32, _ int, _ float32) error {
	if err := finite(x); err != nil {
		return err
	}
	for i, v := range x {
		b := math.Float32bits(v)
		b += 0x7fff + b>>16&1
		if b&0x7f800000 == 0x7f800000 {
			return fmt.Errorf("number %v becomes infinite in bfloat16", v)
		}
		le.PutUint16(dst[2*i:], uint16(b>>16))
	}
	return nil
}

func (bfloat) Decode(dst []float32, src []byte, _ int, _ float32) {
	for i := range dst {
		dst[i] = math.Float32frombits(uint32(le.Uint16(src[2*i:])) << 16)
	}
}

package cpu

import (
	"encoding/binary"
	"math"
)

// fp4 are the values of the codes of four bits of MXFP4 and NVFP4.
var fp4 = [16]float32{0, .5, 1, 1.5, 2, 3, 4, 6, float32(math.Copysign(0, -1)), -.5, -1, -1.5, -2, -3, -4, -6}

// packP4 writes a row of MXFP4 as column j of a panel, or returns false where a block is NaN.
func packP4(panel []byte, width, j int, raw []byte) bool {
	for ; len(raw) >= 17; raw, panel = raw[17:], panel[18*width:] {
		// 2^(e-127): bfloat16 has the exponent in its bits 7 to 14, and is subnormal where e is 0.
		scale := uint16(raw[0]) << 7
		switch raw[0] {
		case 0:
			scale = 1 << 6
		case 255:
			return false
		}
		binary.LittleEndian.PutUint16(panel[2*j:], scale)
		a, b := binary.LittleEndian.Uint64(raw[1:]), binary.LittleEndian.Uint64(raw[9:])
		for i, v := range [4]uint64{a, b, a >> 4, b >> 4} {
			binary.LittleEndian.PutUint32(panel[2*width+4*(i*width+j):], squeeze(v))
		}
	}
	return true
}

func p4Value(width int, block []byte, k, j int) float32 {
	d := math.Float32frombits(uint32(binary.LittleEndian.Uint16(block[2*j:])) << 16)
	word := binary.LittleEndian.Uint32(block[2*width+4*(k/8*width+j):])
	return d * fp4[word>>(4*(k%8))&15]
}

// e8Shift is what a code of E4M3 as the half of the same bits is too small by.
const e8Shift = 0x1p8

// packE8 writes a row of E4M3 as column j of a panel, or returns false where a code is NaN. The
// scales are multiplied by e8Shift, which is exact: they are below 2^100.
func packE8(panel []byte, width, j int, raw []byte) bool {
	scales := (len(raw) + 128 + 4 - 1) / (128 + 4)
	codes := raw[:len(raw)-4*scales]
	raw = raw[len(codes):]
	for k := 0; k < len(codes); k, panel = k+32, panel[36*width:] {
		scale := math.Float32frombits(binary.LittleEndian.Uint32(raw[k/128*4:])) * e8Shift
		binary.LittleEndian.PutUint32(panel[4*j:], math.Float32bits(scale))
		for i, c := range codes[k : k+32] {
			if c&127 == 127 {
				return false
			}
			panel[4*width+i*width+j] = c
		}
	}
	return true
}

func e8Value(width int, block []byte, k, j int) float32 {
	d := math.Float32frombits(binary.LittleEndian.Uint32(block[4*j:]))
	code := uint16(block[4*width+k*width+j])
	return d * halfToFloat(code&128<<8|code&127<<7)
}

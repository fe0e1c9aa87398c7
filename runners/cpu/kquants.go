package cpu

import (
	"encoding/binary"
	"math"
)

// GGUF's K-quants have blocks of 256 numbers, and in them groups of 32 or 16 under scales of
// their own. A panel has the groups as blocks, whose scales are the products of a group's and its
// block's: a half has 11 bits and a group's scale at most 8, so float32 holds the product exactly.

// packK4 writes a row of Q4_K as column j of a panel: d·scale and -(dmin·min) for each 32 numbers.
func packK4(panel []byte, width, j int, raw []byte) {
	for ; len(raw) >= 144; raw = raw[144:] {
		d, least := halfToFloat(binary.LittleEndian.Uint16(raw)), halfToFloat(binary.LittleEndian.Uint16(raw[2:]))
		for g := range 8 {
			scale, min := groupScale((*[12]byte)(raw[4:]), g)
			binary.LittleEndian.PutUint32(panel[4*j:], math.Float32bits(d*float32(scale)))
			binary.LittleEndian.PutUint32(panel[4*(width+j):], math.Float32bits(-(least * float32(min))))
			// Two groups share 32 bytes: the first has the low nibbles.
			for i := range 4 {
				codes := binary.LittleEndian.Uint64(raw[16+g/2*32+8*i:]) >> (g % 2 * 4)
				binary.LittleEndian.PutUint32(panel[8*width+4*(i*width+j):], squeeze(codes))
			}
			panel = panel[24*width:]
		}
	}
}

// groupScale returns the scale and the minimum, six bits each, of group g of a block of Q4_K.
// Groups 0 to 3 have them whole in bytes g and g+4, whose upper two bits are those of groups 4 to
// 7; the lower four of these are in byte g+4.
func groupScale(b *[12]byte, g int) (scale, min byte) {
	if g < 4 {
		return b[g] & 63, b[g+4] & 63
	}
	return b[g+4]&15 | b[g-4]>>6<<4, b[g+4]>>4 | b[g]>>6<<4
}

func k4Value(width int, block []byte, k, j int) float32 {
	d := math.Float32frombits(binary.LittleEndian.Uint32(block[4*j:]))
	least := math.Float32frombits(binary.LittleEndian.Uint32(block[4*(width+j):]))
	word := binary.LittleEndian.Uint32(block[8*width+4*(k/8*width+j):])
	return float32(d*float32(word>>(4*(k%8))&15)) + least
}

// packK6 writes a row of Q6_K as column j of a panel: d·scale for each 16 numbers, and codes less
// 32. Of the numbers of each half of a block the first 64 are the low nibbles of 64 bytes, the
// others their high ones; number i has its upper two bits at 2·(i/32) of byte i%32 of 32 others.
func packK6(panel []byte, width, j int, raw []byte) {
	for ; len(raw) >= 210; raw = raw[210:] {
		d := halfToFloat(binary.LittleEndian.Uint16(raw[208:]))
		for g := range 16 {
			binary.LittleEndian.PutUint32(panel[4*j:], math.Float32bits(d*float32(int8(raw[192+g]))))
			low, high, first := raw[g/8*64:], raw[128+g/8*32:], g%8*16
			for i := range 16 {
				n := first + i
				code := low[n%64]>>(n/64*4)&15 | high[n%32]>>(n/32*2)&3<<4
				panel[4*width+i*width+j] = code - 32
			}
			panel = panel[20*width:]
		}
	}
}

func k6Value(width int, block []byte, k, j int) float32 {
	block = block[k/16*20*width:]
	d := math.Float32frombits(binary.LittleEndian.Uint32(block[4*j:]))
	return d * float32(int8(block[4*width+k%16*width+j]))
}

package enginetest

import (
	"encoding/binary"
	"math/rand/v2"

	"github.com/snapbench/snapbench/runners/engine"
)

// superBlock appends a block of 256 numbers of Q4_K, Q5_K or Q6_K: codes and the scales of its groups at
// random, a block's scale in four negative. Values are what the numbers' own bits say, one after
// the other, so that this is not a decoder turned round.
func (m *Matrix) superBlock(scale float64, rng *rand.Rand) {
	half := func(v float64) (uint16, float32) {
		h := toHalf(float32(v * (0.5 + rng.Float64())))
		if rng.IntN(4) == 0 {
			h |= 0x8000
		}
		return h, fromHalf(h)
	}
	if m.storage == engine.Q6K {
		// 128 bytes of low nibbles, 64 of upper pairs of bits, 16 scales, the block's scale.
		block := make([]byte, 208)
		for i := range block {
			block[i] = byte(rng.UintN(256))
		}
		h, d := half(scale / 32 / 64)
		for i := range 256 {
			part, n := i/128, i%128
			nibble := block[64*part+n%64]
			if n >= 64 {
				nibble >>= 4
			}
			pair := block[128+32*part+n%32] >> (2 * (n / 32))
			code := int(nibble&15) + 16*int(pair&3) - 32
			group := d * float32(int8(block[192+i/16]))
			m.values = append(m.values, group*float32(code))
		}
		m.raw = append(m.raw, block...)
		m.raw = binary.LittleEndian.AppendUint16(m.raw, h)
		return
	}
	bits := 4
	if m.storage == engine.Q5K {
		bits = 5
	}
	dh, d := half(scale / float64(int(1)<<bits) / 16)
	mh, least := half(scale / 32)
	m.raw = binary.LittleEndian.AppendUint16(m.raw, dh)
	m.raw = binary.LittleEndian.AppendUint16(m.raw, mh)
	var scales, minima [8]byte
	var packed [12]byte
	for g := range 8 {
		scales[g], minima[g] = byte(rng.UintN(64)), byte(rng.UintN(64))
		if g < 4 {
			packed[g], packed[g+4] = packed[g]|scales[g], packed[g+4]|minima[g]
		} else {
			packed[g+4] = scales[g]&15 | minima[g]&15<<4
			packed[g-4] |= scales[g] >> 4 << 6
			packed[g] |= minima[g] >> 4 << 6
		}
	}
	m.raw = append(m.raw, packed[:]...)
	var codes [256]byte
	for i := range codes {
		codes[i] = byte(rng.UintN(1 << bits))
		product := d * float32(scales[i/32]) * float32(codes[i])
		m.values = append(m.values, float32(product)-float32(least*float32(minima[i/32])))
	}
	if bits == 5 { // bit g of byte i is the fifth of number i of group g
		var fifth [32]byte
		for i, c := range codes {
			fifth[i%32] |= c >> 4 << (i / 32)
		}
		m.raw = append(m.raw, fifth[:]...)
	}
	for g := 0; g < 8; g += 2 {
		for i := range 32 {
			m.raw = append(m.raw, codes[32*g+i]&15|codes[32*g+32+i]<<4)
		}
	}
}

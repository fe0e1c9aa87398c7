package enginetest

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/snapbench/snapbench/runners/engine"
)

// Matrix is an [engine.Stored] in memory.
type Matrix struct {
	name       string
	rows, cols int
	storage    engine.Storage
	raw        []byte
	values     []float32
}

// Name returns the matrix's name.
func (m *Matrix) Name() string { return m.name }

// Rows returns the number of rows.
func (m *Matrix) Rows() int { return m.rows }

// Cols returns the number of columns.
func (m *Matrix) Cols() int { return m.cols }

// Storage returns how RawRow's bytes are to be read.
func (m *Matrix) Storage() engine.Storage { return m.storage }

// RawRow returns the bytes of row i.
func (m *Matrix) RawRow(i int) []byte {
	n := len(m.raw) / m.rows
	return m.raw[i*n : (i+1)*n : (i+1)*n]
}

// ReadRow writes the values of row i.
func (m *Matrix) ReadRow(i int, dst []float32) {
	if len(dst) != m.cols {
		panic(fmt.Sprintf("enginetest: %d numbers for a row of %d", len(dst), m.cols))
	}
	copy(dst, m.values[i*m.cols:])
}

// Storages are the storages of matrices that [Random] can make.
var Storages = []engine.Storage{
	engine.F32, engine.F16, engine.BF16, engine.Q8_0, engine.Q4_0, engine.Q4_1, engine.Q5_0, engine.Q5_1, engine.MXFP4, engine.E4M3,
	engine.Q4K, engine.Q5K, engine.Q6K,
}

// blockColumns is what the columns of a matrix stored as s are a multiple of.
func blockColumns(s engine.Storage) int {
	switch s {
	case engine.F32, engine.F16, engine.BF16, engine.E4M3:
		return 1
	case engine.Q4K, engine.Q5K, engine.Q6K:
		return 256
	}
	return 32
}

// Random returns a matrix of numbers of about unit size over √cols, stored as s.
// Blocks of 32 or 256 need cols to be a multiple of that.
func Random(name string, s engine.Storage, rows, cols int, rng *rand.Rand) *Matrix {
	m := &Matrix{name: name, rows: rows, cols: cols, storage: s}
	scale := 1 / math.Sqrt(float64(cols))
	switch s {
	case engine.F32, engine.F16, engine.BF16:
		for range rows * cols {
			v := float32(rng.NormFloat64() * scale)
			switch s {
			case engine.F32:
				m.raw = binary.LittleEndian.AppendUint32(m.raw, math.Float32bits(v))
			case engine.F16:
				h := toHalf(v)
				m.raw, v = binary.LittleEndian.AppendUint16(m.raw, h), fromHalf(h)
			case engine.BF16:
				h := toBFloat16(v)
				m.raw, v = binary.LittleEndian.AppendUint16(m.raw, h), math.Float32frombits(uint32(h)<<16)
			}
			m.values = append(m.values, v)
		}
		return m
	}
	if s == engine.E4M3 {
		for range rows {
			m.scaledRow(scale, rng)
		}
		return m
	}
	size := blockColumns(s)
	if cols%size != 0 {
		panic(fmt.Sprintf("enginetest: %d columns are no blocks of %d", cols, size))
	}
	for range rows * cols / size {
		m.block(scale, rng)
	}
	return m
}

// block appends one block of random codes, and its values by the formulas of
// package weights: a product, then a sum, each rounded to float32.
func (m *Matrix) block(scale float64, rng *rand.Rand) {
	if m.storage == engine.MXFP4 {
		m.powerBlock(scale, rng)
		return
	}
	if blockColumns(m.storage) == 256 {
		m.superBlock(scale, rng)
		return
	}
	levels := map[engine.Storage]float64{engine.Q8_0: 127, engine.Q4_0: 8, engine.Q4_1: 8, engine.Q5_0: 16, engine.Q5_1: 16}[m.storage]
	dh := toHalf(float32((0.5 + rng.Float64()) * 1.5 * scale / levels))
	if rng.IntN(4) == 0 {
		dh |= 0x8000 // scales may be negative
	}
	mh := toHalf(float32(-levels*float64(fromHalf(dh)) + 0.1*scale*rng.NormFloat64()))
	d, least := fromHalf(dh), fromHalf(mh)
	m.raw = binary.LittleEndian.AppendUint16(m.raw, dh)
	hasMin := m.storage == engine.Q4_1 || m.storage == engine.Q5_1
	if hasMin {
		m.raw = binary.LittleEndian.AppendUint16(m.raw, mh)
	}
	codes := make([]byte, 32)
	for i := range codes {
		codes[i] = byte(rng.UintN(256))
	}
	if m.storage == engine.Q8_0 {
		m.raw = append(m.raw, codes...)
		for _, c := range codes {
			m.values = append(m.values, d*float32(int8(c)))
		}
		return
	}
	bits := 4
	if m.storage == engine.Q5_0 || m.storage == engine.Q5_1 {
		bits = 5
		var fifth uint32
		for i := range codes {
			codes[i] &= 31
			fifth |= uint32(codes[i]>>4) << i
		}
		m.raw = binary.LittleEndian.AppendUint32(m.raw, fifth)
	} else {
		for i := range codes {
			codes[i] &= 15
		}
	}
	for i := range 16 {
		m.raw = append(m.raw, codes[i]&15|codes[i+16]&15<<4)
	}
	for _, c := range codes {
		if hasMin {
			product := d * float32(c)
			m.values = append(m.values, float32(product)+least)
		} else {
			m.values = append(m.values, d*float32(int(c)-1<<(bits-1)))
		}
	}
}

// powerBlock appends a block of MXFP4: codes at random under a power of two.
func (m *Matrix) powerBlock(scale float64, rng *rand.Rand) {
	magnitudes := []float32{0, 0.5, 1, 1.5, 2, 3, 4, 6}
	e := math.Ilogb(scale) - 1 - rng.IntN(2)
	var nibbles [32]byte
	for i := range nibbles {
		nibbles[i] = byte(rng.UintN(16))
		v := magnitudes[nibbles[i]&7] * float32(math.Ldexp(1, e))
		if nibbles[i] > 7 {
			v = -v
		}
		m.values = append(m.values, v)
	}
	m.raw = append(m.raw, byte(e+127))
	for i := range 16 {
		m.raw = append(m.raw, nibbles[i]|nibbles[i+16]<<4)
	}
}

// scaledRow appends a row of E4M3: codes at random, NaN aside, and a scale for each 128. Codes
// and scales have four bits, so that their products are also numbers of bfloat16: a device of
// that type may round them, or scale sums instead.
func (m *Matrix) scaledRow(scale float64, rng *rand.Rand) {
	var scales []float32
	for c := range m.cols {
		if c%engine.ScaleColumns == 0 {
			scales = append(scales, float32(math.Ldexp(float64(8+rng.IntN(8)), math.Ilogb(scale/200)-3)))
		}
		code := byte(rng.UintN(256))
		if code&127 == 127 {
			code--
		}
		v := float32(math.Ldexp(float64(8+code&7), int(code>>3&15)-10))
		if code>>3&15 == 0 {
			v = float32(math.Ldexp(float64(code&7), -9))
		}
		if code > 127 {
			v = -v
		}
		m.raw = append(m.raw, code)
		m.values = append(m.values, v*scales[len(scales)-1])
	}
	for _, s := range scales {
		m.raw = appendFloat(m.raw, s)
	}
}

func toBFloat16(v float32) uint16 {
	b := math.Float32bits(v)
	return uint16((b + 0x7fff + b>>16&1) >> 16)
}

// toHalf rounds to the nearest half, ties to even; v is finite and in range.
func toHalf(v float32) uint16 {
	sign := uint16(math.Float32bits(v) >> 16 & 0x8000)
	a := math.Abs(float64(v))
	if a == 0 {
		return sign
	}
	exp := max(math.Ilogb(a), -14)
	units := math.RoundToEven(math.Ldexp(a, 10-exp)) // 1024 … 2048, below 1024 when subnormal
	h := uint16(units)
	if units >= 1024 {
		h += uint16(exp+14) << 10
	}
	return sign | h
}

func fromHalf(h uint16) float32 {
	exp, frac := int(h>>10&31), float64(h&0x3ff)
	v := math.Ldexp(frac, -24)
	if exp > 0 {
		v = math.Ldexp(1024+frac, exp-25)
	}
	if h&0x8000 != 0 {
		v = -v
	}
	return float32(v)
}

func appendFloat(raw []byte, v float32) []byte {
	return binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
}

package weights

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/snapbench/snapbench/runners/engine"
)

// fp4 are the values of the codes of four bits (E2M1).
var fp4 = [16]float32{0, .5, 1, 1.5, 2, 3, 4, 6, float32(math.Copysign(0, -1)), -.5, -1, -1.5, -2, -3, -4, -6}

func decodeMXFP4(raw []byte, dst []float32) {
	scale := float32(math.Ldexp(1, int(raw[0])-127))
	if raw[0] == 255 {
		scale = float32(math.NaN())
	}
	var values [16]float32
	for i, v := range fp4 {
		values[i] = v * scale
	}
	nibbles((*[16]byte)(raw[1:]), &values, (*[32]float32)(dst))
}

// fp8 are the values of the codes of E4M3.
var fp8 = func() (table [256]float32) {
	for code := range table {
		exponent, fraction := code>>3&15, float64(code&7)
		v := math.Ldexp(8+fraction, exponent-10)
		switch {
		case exponent == 0:
			v = math.Ldexp(fraction, -9)
		case code&127 == 127:
			v = math.NaN()
		}
		if code > 127 {
			v = -v
		}
		table[code] = float32(v)
	}
	return table
}()

// e4m3Bytes is the length of a row of cols numbers.
func e4m3Bytes(cols int) int {
	return cols + 4*((cols+engine.ScaleColumns-1)/engine.ScaleColumns)
}

func decodeE4M3(raw []byte, dst []float32) {
	if len(raw) != e4m3Bytes(len(dst)) {
		panic(fmt.Sprintf("weights: %d bytes of %s for %d numbers", len(raw), engine.E4M3, len(dst)))
	}
	scales := raw[len(dst):]
	for i := range dst {
		dst[i] = fp8[raw[i]] * math.Float32frombits(binary.LittleEndian.Uint32(scales[i/engine.ScaleColumns*4:]))
	}
}

// Scaled returns a tensor of F8_E4M3 with the tensor of its scales as one matrix (rows,
// cols). Scales are F32, BF16 or F16: one for all, one for each row, or one for each block
// of 128 × 128 numbers. They multiply the codes' values.
func (f *File) Scaled(name, scales string, rows, cols int) (engine.Stored, error) {
	codes, err := f.Tensor(name)
	if err != nil {
		return nil, err
	}
	if codes.layout.name != "F8_E4M3" {
		return nil, fmt.Errorf("%s: tensor %q is stored as %s, want F8_E4M3", codes.file, name, codes.layout.name)
	}
	if !slices.Equal(codes.shape, []int{rows, cols}) {
		return nil, fmt.Errorf("%s: tensor %q has shape %v, want %v", codes.file, name, codes.shape, []int{rows, cols})
	}
	t, err := f.Tensor(scales)
	if err != nil {
		return nil, err
	}
	values, err := t.Floats()
	if err != nil {
		return nil, err
	}
	blocks := func(n int) int { return (n + engine.ScaleColumns - 1) / engine.ScaleColumns }
	s := scaled{codes: codes, scales: values}
	switch {
	case len(t.shape) == 0 || len(values) == 1:
	case slices.Equal(t.shape, []int{rows}) || slices.Equal(t.shape, []int{rows, 1}):
		s.byRow = 1
	case slices.Equal(t.shape, []int{blocks(rows), blocks(cols)}):
		s.byRow, s.byColumn = engine.ScaleColumns, engine.ScaleColumns
	default:
		return nil, fmt.Errorf("%s: tensor %q has shape %v: the scales of %q %v are one, %d (one a row) or %v (blocks of %d × %d)",
			t.file, scales, t.shape, name, codes.shape, rows, []int{blocks(rows), blocks(cols)}, engine.ScaleColumns, engine.ScaleColumns)
	}
	for i, v := range values {
		if !(math.Abs(float64(v)) <= 0x1p100) {
			return nil, fmt.Errorf("%s: tensor %q: scale %d is %v", t.file, scales, i, v)
		}
	}
	return s, nil
}

// scaled is a matrix of E4M3. Its scales are for byRow rows and byColumn columns each, 0
// meaning all.
type scaled struct {
	codes           *Tensor
	scales          []float32
	byRow, byColumn int
}

func (s scaled) Name() string            { return s.codes.name }
func (s scaled) Rows() int               { return s.codes.rows }
func (s scaled) Cols() int               { return s.codes.cols }
func (s scaled) Storage() engine.Storage { return engine.E4M3 }

func (s scaled) RawRow(i int) []byte {
	cols := s.codes.cols
	raw := append(make([]byte, 0, e4m3Bytes(cols)), s.codes.data[i*cols:(i+1)*cols]...)
	for c := 0; c < cols; c += engine.ScaleColumns {
		at := 0
		if s.byRow > 0 {
			at = i / s.byRow
		}
		if s.byColumn > 0 {
			at = at*((cols+s.byColumn-1)/s.byColumn) + c/s.byColumn
		}
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(s.scales[at]))
	}
	return raw
}

func (s scaled) ReadRow(i int, dst []float32) { DecodeRow(engine.E4M3, s.RawRow(i), dst) }

// Microscaled returns one matrix (rows, cols) of a stack of matrices in MXFP4 as the hub's
// files have them: blocks (count, rows, cols/32, 16), U8, in which a byte has two neighbours,
// the first in the low nibble, and scales (count, rows, cols/32), U8.
func (f *File) Microscaled(blocks, scales string, number, count, rows, cols int) (engine.Stored, error) {
	var parts [2]*Tensor
	for i, p := range []struct {
		name  string
		shape []int
	}{{blocks, []int{count, rows, cols / 32, 16}}, {scales, []int{count, rows, cols / 32}}} {
		t, err := f.Tensor(p.name)
		if err != nil {
			return nil, err
		}
		if t.layout.name != "U8" || cols%32 != 0 || !slices.Equal(t.shape, p.shape) {
			return nil, fmt.Errorf("%s: tensor %q is %s %v: a stack of %d matrices (%d, %d) in MXFP4 has U8 %v", t.file, p.name, t.layout.name, t.shape, count, rows, cols, p.shape)
		}
		parts[i] = t
	}
	if number < 0 || number >= count {
		return nil, fmt.Errorf("%s: matrix %d of %q, which has %d", parts[0].file, number, blocks, count)
	}
	return microscaled{parts[0], parts[1], number * rows, rows, cols}, nil
}

type microscaled struct {
	blocks, scales    *Tensor
	first, rows, cols int
}

func (m microscaled) Name() string            { return m.blocks.name }
func (m microscaled) Rows() int               { return m.rows }
func (m microscaled) Cols() int               { return m.cols }
func (m microscaled) Storage() engine.Storage { return engine.MXFP4 }

// RawRow brings the nibbles into the order of GGUF's blocks.
func (m microscaled) RawRow(i int) []byte {
	if i < 0 || i >= m.rows {
		panic(fmt.Sprintf("weights: row %d of %s (%d, %d)", i, m.Name(), m.rows, m.cols))
	}
	n := m.cols / 32
	row := m.first + i
	raw := make([]byte, 0, 17*n)
	for b := row * n; b < (row+1)*n; b++ {
		pairs := m.blocks.data[16*b : 16*b+16]
		raw = append(raw, m.scales.data[b])
		for j := range 16 { // numbers j and j+16
			raw = append(raw, pairs[j/2]>>(j%2*4)&15|pairs[8+j/2]>>(j%2*4)<<4)
		}
	}
	return raw
}

func (m microscaled) ReadRow(i int, dst []float32) { DecodeRow(engine.MXFP4, m.RawRow(i), dst) }

// Every returns a view of rows first, first+step, … of s, as many as there are. It panics if
// s has no row first.
func Every(s engine.Stored, first, step int) engine.Stored {
	if first < 0 || step < 1 || first >= s.Rows() {
		panic(fmt.Sprintf("weights: every %dth row from %d on of %s (%d, %d)", step, first, s.Name(), s.Rows(), s.Cols()))
	}
	return every{s, first, step}
}

type every struct {
	engine.Stored
	first, step int
}

func (e every) Rows() int                    { return (e.Stored.Rows() - e.first + e.step - 1) / e.step }
func (e every) RawRow(i int) []byte          { return e.Stored.RawRow(e.first + i*e.step) }
func (e every) ReadRow(i int, dst []float32) { e.Stored.ReadRow(e.first+i*e.step, dst) }

// Columns returns the transpose of rows lo to hi of s, hi excluded: its row i is column i of
// those. It is float32, and held in memory from the first reading on.
func Columns(s engine.Stored, lo, hi int) engine.Stored {
	of := RowSlice(s, lo, hi)
	return columns{of, sync.OnceValue(func() []float32 {
		rows, cols := of.Rows(), of.Cols()
		turned, row := make([]float32, rows*cols), make([]float32, cols)
		for r := range rows {
			of.ReadRow(r, row)
			for c, v := range row {
				turned[c*rows+r] = v
			}
		}
		return turned
	})}
}

type columns struct {
	of     engine.Stored
	turned func() []float32
}

func (c columns) Name() string            { return c.of.Name() + ", transposed" }
func (c columns) Rows() int               { return c.of.Cols() }
func (c columns) Cols() int               { return c.of.Rows() }
func (c columns) Storage() engine.Storage { return engine.F32 }

func (c columns) ReadRow(i int, dst []float32) {
	copy(dst, c.turned()[i*c.Cols():(i+1)*c.Cols()])
}

func (c columns) RawRow(i int) []byte {
	raw := make([]byte, 0, 4*c.Cols())
	for _, v := range c.turned()[i*c.Cols() : (i+1)*c.Cols()] {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
	}
	return raw
}

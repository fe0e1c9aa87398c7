package weights

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strings"

	"github.com/snapbench/snapbench/runners/engine"
)

// Tensor is one tensor of a file. As a matrix (engine.Stored) its columns are the
// last dimension and its rows all others together, so a vector is (1, n) and the
// weights of experts (experts, ff, width) are (experts·ff, width), which RowSlice
// takes apart. Its bytes are part of the mapped file and are gone after
// File.Close.
type Tensor struct {
	name       string
	shape      []int // row-major, slowest first
	rows, cols int
	layout     layout
	rowBytes   int
	data       []byte
	file       string
	offset     uint64 // of data in file
}

var _ engine.Stored = (*Tensor)(nil)

// Name is the tensor's name in the file.
func (t *Tensor) Name() string { return t.name }

// Shape is row-major, the slowest dimension first, also for GGUF files, which
// store the dimensions in the opposite order. A scalar has no dimensions.
func (t *Tensor) Shape() []int { return slices.Clone(t.shape) }

// DType is the file's name for the number type: F32, BF16, Q4_K, I32, F8_E4M3…
func (t *Tensor) DType() string { return t.layout.name }

// IsWeight reports whether the values can be read as float32. Only then may
// Storage, RawRow and ReadRow be called.
func (t *Tensor) IsWeight() bool { return t.layout.weight }

// Bytes is the number of bytes that the tensor takes in the file.
func (t *Tensor) Bytes() int64 { return int64(len(t.data)) }

// Raw returns all bytes as stored. The caller must not change them.
func (t *Tensor) Raw() []byte { return t.data }

// Rows is the product of all dimensions but the last.
func (t *Tensor) Rows() int { return t.rows }

// Cols is the last dimension, 1 for a scalar.
func (t *Tensor) Cols() int { return t.cols }

// Storage is how the numbers are stored. It panics if IsWeight is false; to get
// an error instead, use File.Weight.
func (t *Tensor) Storage() engine.Storage {
	if !t.layout.weight {
		panic("weights: " + t.notWeight().Error())
	}
	return t.layout.storage
}

// RawRow returns row i as stored, at any alignment. The caller must not change
// it. It panics if IsWeight is false or there is no row i.
func (t *Tensor) RawRow(i int) []byte {
	t.Storage()
	if i < 0 || i >= t.rows {
		panic(fmt.Sprintf("weights: row %d of %s %v", i, t.name, t.shape))
	}
	return t.data[i*t.rowBytes : (i+1)*t.rowBytes : (i+1)*t.rowBytes]
}

// ReadRow writes the exact values of row i to dst, whose length must be Cols.
func (t *Tensor) ReadRow(i int, dst []float32) {
	if len(dst) != t.cols {
		panic(fmt.Sprintf("weights: %d numbers for a row of %s %v", len(dst), t.name, t.shape))
	}
	DecodeRow(t.Storage(), t.RawRow(i), dst)
}

// Floats returns all values, in row-major order. Types that are not weights
// are an error.
func (t *Tensor) Floats() ([]float32, error) {
	if !t.layout.weight {
		return nil, t.notWeight()
	}
	out := make([]float32, t.rows*t.cols)
	DecodeRow(t.layout.storage, t.data, out)
	return out, nil
}

// Ints returns all values of an integer tensor, in row-major order. A value
// outside of int32 is an error, and so is any other type.
func (t *Tensor) Ints() ([]int32, error) {
	if !t.layout.integer {
		return nil, fmt.Errorf("%s: tensor %q holds %s, not integers", t.file, t.name, t.layout.name)
	}
	size := int(t.layout.bits / 8)
	out := make([]int32, t.rows*t.cols)
	for i := range out {
		b := t.data[i*size : (i+1)*size]
		var v int64
		switch t.layout.name {
		case "I8":
			v = int64(int8(b[0]))
		case "U8":
			v = int64(b[0])
		case "I16":
			v = int64(int16(binary.LittleEndian.Uint16(b)))
		case "U16":
			v = int64(binary.LittleEndian.Uint16(b))
		case "I32":
			v = int64(int32(binary.LittleEndian.Uint32(b)))
		case "U32":
			v = int64(binary.LittleEndian.Uint32(b))
		case "I64":
			v = int64(binary.LittleEndian.Uint64(b))
		case "U64":
			v = int64(min(binary.LittleEndian.Uint64(b), math.MaxInt64))
		}
		if v != int64(int32(v)) {
			return nil, fmt.Errorf("%s: tensor %q, number %d (byte %d): %d does not fit 32 bits",
				t.file, t.name, i, t.offset+uint64(i*size), v)
		}
		out[i] = int32(v)
	}
	return out, nil
}

func (t *Tensor) notWeight() error {
	return fmt.Errorf("%s: tensor %q is stored as %s, which is not read as a weight: have %s",
		t.file, t.name, t.layout.name, weightTypes())
}

// byteSize returns the number of bytes of a tensor of these dimensions. The last
// dimension is cut into blocks.
func byteSize(l layout, shape []uint64) (uint64, error) {
	cols := uint64(1) // a scalar's
	if len(shape) > 0 {
		cols = shape[len(shape)-1]
	}
	if cols%l.elements != 0 {
		return 0, fmt.Errorf("rows of %d numbers are not whole blocks of %d (%s)", cols, l.elements, l.name)
	}
	n := uint64(1)
	for i, d := range shape {
		if d > math.MaxInt32 { // far above any dimension of a model
			return 0, fmt.Errorf("dimension %d of shape %s is too large", d, shapeString(shape))
		}
		hi, lo := bits.Mul64(n, d)
		if hi != 0 || lo > math.MaxInt64 {
			return 0, fmt.Errorf("shape %s overflows at dimension %d", shapeString(shape), i)
		}
		n = lo
	}
	hi, total := bits.Mul64(n/l.elements, l.bits)
	if l.elements == 1 && total%8 != 0 {
		return 0, fmt.Errorf("%d numbers of %s do not fill whole bytes", n, l.name)
	}
	if hi != 0 || total/8 > math.MaxInt64 {
		return 0, fmt.Errorf("shape %s of %s overflows", shapeString(shape), l.name)
	}
	return total / 8, nil
}

func shapeString(shape []uint64) string {
	s := make([]string, len(shape))
	for i, d := range shape {
		s[i] = fmt.Sprint(d)
	}
	return "(" + strings.Join(s, ", ") + ")"
}

// newTensor makes a tensor from data, whose length must be that of byteSize.
func newTensor(file, name string, l layout, shape []uint64, data []byte, offset uint64) *Tensor {
	t := &Tensor{name: name, layout: l, data: data, file: file, offset: offset, rows: 1, cols: 1, shape: make([]int, len(shape))}
	for i, d := range shape {
		t.shape[i] = int(d)
		if i < len(shape)-1 {
			t.rows *= int(d)
		} else {
			t.cols = int(d)
		}
	}
	if l.weight {
		t.rowBytes = int(uint64(t.cols) / l.elements * l.bits / 8)
	}
	return t
}

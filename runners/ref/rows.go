package ref

import (
	"math"

	"github.com/snapbench/snapbench/runners/engine"
)

// RowNorms takes each row's length.
func (d *Device) RowNorms(dst, x engine.Array, size int) {
	same("RowNorms", x.Len, dst.Len*size)
	for j := range dst.Len {
		row := floats(x)[j*size : (j+1)*size]
		floats(dst)[j] = float32(math.Sqrt(dot(row, row)))
	}
}

// WeightedRows adds up each head's rows.
func (d *Device) WeightedRows(dst, x, w engine.Array, size int) {
	heads := dst.Len / size
	n := w.Len / heads
	same("WeightedRows", dst.Len, heads*size)
	same("WeightedRows", w.Len, heads*n)
	same("WeightedRows", x.Len, heads*n*size)
	for g := range heads {
		sum := make([]float64, size)
		for j, v := range floats(w)[g*n : (g+1)*n] {
			for c, e := range floats(x)[(g*n+j)*size:][:size] {
				sum[c] += float64(v) * float64(e)
			}
		}
		for c, s := range sum {
			floats(dst)[g*size+c] = float32(s)
		}
	}
}

// RowDots multiplies each row by its head's vector.
func (d *Device) RowDots(dst, x, v engine.Array, size int, cosine bool) {
	heads := v.Len / size
	n := dst.Len / heads
	same("RowDots", v.Len, heads*size)
	same("RowDots", dst.Len, heads*n)
	same("RowDots", x.Len, heads*n*size)
	for g := range heads {
		with := floats(v)[g*size : (g+1)*size]
		for j := range n {
			row := floats(x)[(g*n+j)*size:][:size]
			s := dot(row, with)
			if cosine {
				if length := math.Sqrt(dot(row, row)) * math.Sqrt(dot(with, with)); length > 0 {
					s /= length
				}
			}
			floats(dst)[g*n+j] = float32(s)
		}
	}
}

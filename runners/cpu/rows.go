package cpu

import (
	"math"

	"github.com/snapbench/snapbench/runners/engine"
)

// rowKernels are the kernels for rows of so many numbers.
func (d *Device) rowKernels(size int) *kernels {
	if size%8 != 0 {
		return goKernels
	}
	return d.k
}

// RowNorms takes each row's length.
func (d *Device) RowNorms(dst, x engine.Array, size int) {
	const op = "row norms"
	wantLen(op, "x", x, dst.Len*size)
	if d.err != nil {
		return
	}
	in, out, k := f32(op, x), f32(op, dst), d.rowKernels(size)
	d.eachRow(dst.Len, size, func(lo, hi int) {
		for j := lo; j < hi; j++ {
			out[j] = float32(math.Sqrt(float64(k.sumSquares(size, &in[j*size]))))
		}
	})
}

// headsOf returns how many heads an array of (heads, d) has, and how many rows each of
// them, of which per has a number.
func headsOf(op string, vectors, per, x engine.Array, size int) (heads, n int) {
	heads = rowsOf(op, "the heads' vectors", vectors, size)
	if heads == 0 || per.Len%heads != 0 {
		shape("%s: %d numbers for the rows of %d heads", op, per.Len, heads)
	}
	wantLen(op, "x", x, per.Len*size)
	return heads, per.Len / heads
}

// WeightedRows adds up each head's rows, in segments that are added up in their order.
func (d *Device) WeightedRows(dst, x, w engine.Array, size int) {
	const op = "weighted rows"
	heads, n := headsOf(op, dst, w, x, size)
	if d.err != nil {
		return
	}
	rows, weights, out, k := f32(op, x), f32(op, w), f32(op, dst), d.rowKernels(size)
	segments := (n + segmentRows - 1) / segmentRows
	parts := scratch(&d.parts, heads*segments*size)
	d.pool.run(heads*segments, func(t, _ int) {
		g, lo := t/segments, t%segments*segmentRows
		count := min(segmentRows, n-lo)
		clear(parts[t*size:][:size])
		k.weightedSum(count, size, &weights[g*n+lo], &rows[(g*n+lo)*size], size, &parts[t*size])
	})
	clear(out)
	for t := range heads * segments {
		to := out[t/segments*size:][:size]
		for c, v := range parts[t*size:][:size] {
			to[c] += v
		}
	}
}

// RowDots multiplies each row by its head's vector.
func (d *Device) RowDots(dst, x, v engine.Array, size int, cosine bool) {
	const op = "row dots"
	heads, n := headsOf(op, v, dst, x, size)
	if d.err != nil {
		return
	}
	rows, vectors, out, k := f32(op, x), f32(op, v), f32(op, dst), d.rowKernels(size)
	lengths := make([]float32, heads)
	for g := range lengths {
		lengths[g] = float32(math.Sqrt(float64(k.sumSquares(size, &vectors[g*size]))))
	}
	segments := (n + segmentRows - 1) / segmentRows
	d.pool.run(heads*segments, func(t, _ int) {
		g, lo := t/segments, t%segments*segmentRows
		to := out[g*n+lo:][:min(segmentRows, n-lo)]
		from := rows[(g*n+lo)*size:]
		k.dotsStream(len(to), size, &vectors[g*size], &from[0], size, &to[0])
		if !cosine {
			return
		}
		for j := range to {
			length := float32(math.Sqrt(float64(k.sumSquares(size, &from[j*size])))) * lengths[g]
			if length > 0 {
				to[j] /= length
			}
		}
	})
}

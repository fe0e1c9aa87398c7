package cpu

import (
	"math"

	"github.com/snapbench/snapbench/runners/engine"
)

// Embed: dst[i] = scale · table[ids[i]].
func (d *Device) Embed(dst engine.Array, table engine.Weight, ids engine.Array, scale float32) {
	w := own("embed", table)
	wantLen("embed", "dst", dst, ids.Len*w.cols)
	if d.err != nil {
		return
	}
	out, at := f32("embed", dst), i32("embed", ids)
	for _, id := range at {
		if id < 0 || int(id) >= w.rows {
			d.fail("embed: token id %d, the table has %d rows", id, w.rows)
			return
		}
	}
	d.pool.each(len(at), 8, func(lo, hi, _ int) {
		for i := lo; i < hi; i++ {
			row := out[i*w.cols : (i+1)*w.cols]
			w.readRow(int(at[i]), row)
			if scale != 1 {
				for j := range row {
					row[j] *= scale
				}
			}
		}
	})
}

// fewNumbers is the most numbers that one thread computes faster than two.
const fewNumbers = 4096

// eachRow shares out rows of width numbers to the threads.
func (d *Device) eachRow(rows, width int, f func(lo, hi int)) {
	if rows*width <= fewNumbers {
		f(0, rows)
		return
	}
	d.pool.each(rows, max(1, 1024/width), func(lo, hi, _ int) { f(lo, hi) })
}

// RMSNorm: dst[i] = x[i] / sqrt(mean(x[i]²) + eps) · weight.
func (d *Device) RMSNorm(dst, x, weight engine.Array, eps float32) {
	width := weight.Len
	rows := rowsOf("rms norm", "x", x, width)
	wantLen("rms norm", "dst", dst, x.Len)
	if d.err != nil {
		return
	}
	in, out, g := f32("rms norm", x), f32("rms norm", dst), f32("rms norm", weight)
	d.eachRow(rows, width, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			d.rmsNorm(out[i*width:(i+1)*width], in[i*width:(i+1)*width], g, eps)
		}
	})
}

// RMSNormAdd: dst[i] += x[i] / sqrt(mean(x[i]²) + eps) · weight.
func (d *Device) RMSNormAdd(dst, x, weight engine.Array, eps float32) {
	width := weight.Len
	rows := rowsOf("rms norm add", "x", x, width)
	wantLen("rms norm add", "dst", dst, x.Len)
	if d.err != nil {
		return
	}
	in, out, g := f32("rms norm add", x), f32("rms norm add", dst), f32("rms norm add", weight)
	d.eachRow(rows, width, func(lo, hi int) {
		normed := make([]float32, width)
		for i := lo; i < hi; i++ {
			d.rmsNorm(normed, in[i*width:(i+1)*width], g, eps)
			row := out[i*width : (i+1)*width]
			for j, v := range normed {
				row[j] += v
			}
		}
	})
}

func (d *Device) rmsNorm(dst, x, g []float32, eps float32) {
	n := len(x)
	k := d.k
	if n%8 != 0 {
		k = goKernels
	}
	mean := float64(k.sumSquares(n, &x[0])) / float64(n)
	k.scaleProduct(n, &x[0], float32(1/math.Sqrt(mean+float64(eps))), &g[0], &dst[0])
}

// Gate: dst[i][j] = a(gateUp[i][j], gateUp[i][ff+j]).
func (d *Device) Gate(dst, gateUp engine.Array, ff int, a engine.Activation) {
	rows := rowsOf("gate", "dst", dst, ff)
	wantLen("gate", "gateUp", gateUp, 2*dst.Len)
	if d.err == nil {
		d.gate(f32("gate", dst), f32("gate", gateUp), rows, ff, a)
	}
}

func (d *Device) gate(out, in []float32, rows, ff int, a engine.Activation) {
	k := d.k
	if ff%8 != 0 {
		k = goKernels
	}
	if int(a.Kind) >= len(k.gates) {
		shape("gate: %v", a.Kind)
	}
	join := k.gates[a.Kind]
	d.eachRow(rows, ff, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			join(ff, &in[2*i*ff], &in[(2*i+1)*ff], &out[i*ff], a.Alpha, a.Limit)
		}
	})
}

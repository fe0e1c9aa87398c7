package cpu

import (
	"math"

	"github.com/snapbench/snapbench/runners/engine"
)

// Cap: x[i] = cap · tanh(x[i]/cap).
func (d *Device) Cap(x engine.Array, limit float32) {
	if d.err != nil {
		return
	}
	v := f32("cap", x)
	d.pool.each(len(v), 4096, func(lo, hi, _ int) {
		for i := lo; i < hi; i++ {
			v[i] = limit * float32(math.Tanh(float64(v[i]/limit)))
		}
	})
}

// ArgMax: dst[i] = the index of the highest of logits[i], -1 in a row that is not
// finite.
func (d *Device) ArgMax(dst, logits engine.Array) {
	const op = "argmax"
	if dst.Len == 0 {
		return
	}
	vocab := logits.Len / dst.Len
	wantLen(op, "logits", logits, dst.Len*vocab)
	if d.err != nil {
		return
	}
	in, out := f32(op, logits), i32(op, dst)
	d.pool.run(len(out), func(i, _ int) {
		best := 0
		row := in[i*vocab : (i+1)*vocab]
		top, zero := row[0], float32(0)
		for j, v := range row {
			zero += v - v // NaN for a NaN or an infinity, and from then on
			if v > top {
				best, top = j, v
			}
		}
		if zero != 0 {
			best = -1
		}
		out[i] = int32(best)
	})
}

// Divergence: dst[i] = KL(softmax(logits[p[i]]) ‖ softmax(logits[q[i]])).
func (d *Device) Divergence(dst, logits engine.Array, vocab int, p, q []int) {
	const op = "divergence"
	rows := rowsOf(op, "logits", logits, vocab)
	wantLen(op, "dst", dst, len(p))
	if len(p) != len(q) {
		shape("%s: %d rows p, %d rows q", op, len(p), len(q))
	}
	for i := range p {
		if min(p[i], q[i]) < 0 || max(p[i], q[i]) >= rows {
			shape("%s: rows %d and %d of %d", op, p[i], q[i], rows)
		}
	}
	if d.err != nil {
		return
	}
	in, out := f32(op, logits), f32(op, dst)
	d.pool.run(len(out), func(i, _ int) {
		a, b := in[p[i]*vocab:(p[i]+1)*vocab], in[q[i]*vocab:(q[i]+1)*vocab]
		za, zb := logSumExp(a), logSumExp(b)
		sum := 0.0
		for j, v := range a {
			x := float64(v) - za
			sum += math.Exp(x) * (x - (float64(b[j]) - zb))
		}
		out[i] = float32(sum)
	})
}

func logSumExp(x []float32) float64 {
	top := math.Inf(-1)
	for _, v := range x {
		top = math.Max(top, float64(v))
	}
	sum := 0.0
	for _, v := range x {
		sum += math.Exp(float64(v) - top)
	}
	return top + math.Log(sum)
}

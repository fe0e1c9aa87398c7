package cpu

import (
	"math"
	"slices"

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
	// A row of 262,144 logits is many threads' work.
	const piece = 16384
	pieces := (vocab + piece - 1) / piece
	tops := make([]float32, len(out)*pieces) // NaN where a number is not finite
	d.pool.run(len(tops), func(t, _ int) {
		first := t % pieces * piece
		tops[t] = d.highest(in[t/pieces*vocab:][first:min(vocab, first+piece)])
	})
	for i := range out {
		best := 0
		tops := tops[i*pieces:][:pieces]
		for p, top := range tops {
			if top != top {
				best = -1
				break
			}
			if top > tops[best] {
				best = p
			}
		}
		out[i] = -1
		if best >= 0 {
			first := best * piece
			out[i] = int32(first + slices.Index(in[i*vocab+first:(i+1)*vocab], tops[best]))
		}
	}
}

// highest returns the highest of some numbers, and NaN where one is not finite.
func (d *Device) highest(x []float32) float32 {
	top := x[0]
	if n := len(x) / 8 * 8; n > 0 {
		high, zero := d.k.highest(n, &x[0])
		top, x = high+zero, x[n:]
	}
	if len(x) > 0 {
		high, zero := highestGo(len(x), &x[0])
		if high += zero; high > top || high != high {
			top = high
		}
	}
	return top
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

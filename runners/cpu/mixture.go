package cpu

import (
	"math"

	"github.com/snapbench/snapbench/runners/engine"
)

// MixtureAdd sends each row to its experts. Each expert multiplies all its rows at once; a
// row adds up its experts from the highest logit down.
func (d *Device) MixtureAdd(dst, x engine.Array, e engine.Experts) {
	const op = "mixture add"
	router := own(op, e.Router)
	width, experts := router.cols, router.rows
	m := rowsOf(op, "x", x, width)
	wantLen(op, "dst", dst, x.Len)
	if len(e.GateUp) != experts || len(e.Down) != experts || e.PerToken < 1 || e.PerToken > experts {
		shape("%s: a router of %d experts, %d and %d experts, %d a token", op, experts, len(e.GateUp), len(e.Down), e.PerToken)
	}
	for i := range e.GateUp {
		gu, down := own(op, e.GateUp[i]), own(op, e.Down[i])
		if gu.cols != width || down.rows != width || gu.rows != 2*down.cols {
			shape("%s: expert %d: (%d, %d) and (%d, %d), width %d", op, i, gu.rows, gu.cols, down.rows, down.cols, width)
		}
	}
	if d.err != nil || m == 0 {
		return
	}
	in, out := f32(op, x), f32(op, dst)
	logits := make([]float32, m*experts)
	d.product(logits, in, m, router, 0)

	type use struct {
		row, rank int
		p         float32
	}
	uses := make([][]use, experts)
	chosen := make([]bool, experts)
	picked := make([]int, e.PerToken)
	for i := range m {
		l := logits[i*experts : (i+1)*experts]
		clear(chosen)
		for r := range picked {
			best := -1
			for j, v := range l {
				if !chosen[j] && (best < 0 || v > l[best]) {
					best = j
				}
			}
			chosen[best], picked[r] = true, best
		}
		total := 0.0
		if e.Shares == engine.SharesOfAll {
			for _, v := range l {
				total += math.Exp(float64(v) - float64(l[picked[0]]))
			}
		} else {
			for _, j := range picked {
				total += math.Exp(float64(l[j]) - float64(l[picked[0]]))
			}
		}
		for r, j := range picked {
			uses[j] = append(uses[j], use{i, r, float32(math.Exp(float64(l[j])-float64(l[picked[0]])) / total)})
		}
	}
	parts := make([]float32, m*e.PerToken*width) // (row, rank, width)
	for j, u := range uses {
		if len(u) == 0 {
			continue
		}
		gu, down := own(op, e.GateUp[j]), own(op, e.Down[j])
		rows := make([]float32, len(u)*width)
		for i, s := range u {
			copy(rows[i*width:], in[s.row*width:(s.row+1)*width])
		}
		gateUp, hidden := make([]float32, len(u)*gu.rows), make([]float32, len(u)*down.cols)
		d.product(gateUp, rows, len(u), gu, 0)
		d.gate(hidden, gateUp, len(u), down.cols, e.Activation)
		d.product(rows, hidden, len(u), down, 0)
		for i, s := range u {
			part := parts[(s.row*e.PerToken+s.rank)*width:][:width]
			for c, v := range rows[i*width : (i+1)*width] {
				part[c] = s.p * v
			}
		}
	}
	d.eachRow(m, width, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			o := out[i*width : (i+1)*width]
			for c := range o {
				sum := parts[i*e.PerToken*width+c]
				for r := 1; r < e.PerToken; r++ {
					sum += parts[(i*e.PerToken+r)*width+c]
				}
				o[c] += sum
			}
		}
	})
}

package ref

import (
	"fmt"
	"math"
	"sort"

	"github.com/snapbench/snapbench/runners/engine"
)

// LoadVector reads a vector.
func (d *Device) LoadVector(v engine.Stored) (engine.Array, error) {
	if v.Rows() != 1 {
		return engine.Array{}, fmt.Errorf("%s has shape (%d, %d), want a vector", v.Name(), v.Rows(), v.Cols())
	}
	a, err := d.New(engine.Float32, v.Cols())
	if err != nil {
		return a, err
	}
	v.ReadRow(0, floats(a))
	return a, nil
}

// FreeWeight gives a weight back.
func (d *Device) FreeWeight(w engine.Weight) {
	d.memory.Weights -= w.Bytes()
	d.count(-w.Bytes())
}

// Embed copies rows of the table.
func (d *Device) Embed(dst engine.Array, table engine.Weight, ids engine.Array, scale float32) {
	w := table.(*weight)
	same("Embed", dst.Len, ids.Len*w.cols)
	out := floats(dst)
	for i, id := range ints(ids) {
		for j, v := range w.row(int(id)) {
			out[i*w.cols+j] = scale * v
		}
	}
}

// RMSNorm normalises rows as long as the weight.
func (d *Device) RMSNorm(dst, x, wt engine.Array, eps float32) {
	same("RMSNorm", dst.Len, x.Len)
	width := wt.Len
	in, out, g := floats(x), floats(dst), floats(wt)
	for i := 0; i < len(in); i += width {
		rmsNorm(out[i:i+width], in[i:i+width], g, eps)
	}
}

// RMSNormAdd adds normalised rows.
func (d *Device) RMSNormAdd(dst, x, wt engine.Array, eps float32) {
	same("RMSNormAdd", dst.Len, x.Len)
	width := wt.Len
	in, out, g := floats(x), floats(dst), floats(wt)
	for i := 0; i < len(in); i += width {
		r := meanRoot(in[i:i+width], eps)
		for j, v := range in[i : i+width] {
			out[i+j] = float32(float64(out[i+j]) + float64(v)*r*float64(g[j]))
		}
	}
}

// meanRoot is 1/√(mean(x²)+eps).
func meanRoot(x []float32, eps float32) float64 {
	sum := 0.0
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	return 1 / math.Sqrt(sum/float64(len(x))+float64(eps))
}

func rmsNorm(dst, x, g []float32, eps float32) {
	r := meanRoot(x, eps)
	for j, v := range x {
		dst[j] = float32(float64(v) * r * float64(g[j]))
	}
}

// MatMul multiplies rows by a weight.
func (d *Device) MatMul(dst, x engine.Array, w engine.Weight) {
	d.matMul("MatMul", dst, x, w.(*weight), false)
}

// MatMulAdd multiplies and adds to what is there.
func (d *Device) MatMulAdd(dst, x engine.Array, w engine.Weight) {
	d.matMul("MatMulAdd", dst, x, w.(*weight), true)
}

func (d *Device) matMul(operation string, dst, x engine.Array, w *weight, add bool) {
	m := x.Len / w.cols
	same(operation, x.Len, m*w.cols)
	same(operation, dst.Len, m*w.rows)
	in, out := floats(x), floats(dst)
	for r := range w.rows {
		weights := w.row(r)
		for i := range m {
			sum := dot(in[i*w.cols:(i+1)*w.cols], weights)
			if w.bias != nil {
				sum += float64(w.bias[r])
			}
			if add {
				sum += float64(out[i*w.rows+r])
			}
			out[i*w.rows+r] = float32(sum)
		}
	}
}

func dot(a, b []float32) float64 {
	sum := 0.0
	for i, v := range a {
		sum += float64(v) * float64(b[i])
	}
	return sum
}

// Gate is the gate of a feed-forward layer.
func (d *Device) Gate(dst, gateUp engine.Array, ff int, a engine.Activation) {
	same("Gate", 2*dst.Len, gateUp.Len)
	in, out := floats(gateUp), floats(dst)
	for i := range dst.Len / ff {
		for j := range ff {
			g, u := float64(in[2*i*ff+j]), float64(in[2*i*ff+ff+j])
			out[i*ff+j] = float32(gated(g, u, a))
		}
	}
}

func gated(g, u float64, a engine.Activation) float64 {
	switch a.Kind {
	case engine.SwiGLU:
		return g / (1 + math.Exp(-g)) * u
	case engine.TanhGEGLU:
		return g / 2 * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(g+0.044715*g*g*g))) * u
	case engine.ClampedSwiGLU:
		limit := float64(a.Limit)
		g, u = min(g, limit), min(max(u, -limit), limit)
		return g / (1 + math.Exp(-float64(a.Alpha)*g)) * (u + 1)
	}
	panic(fmt.Sprintf("ref: Gate: %v", a.Kind))
}

// MixtureAdd routes each row to its experts.
func (d *Device) MixtureAdd(dst, x engine.Array, e engine.Experts) {
	width := e.Router.Cols()
	experts := e.Router.Rows()
	for i := range x.Len / width {
		row := x.Slice(i*width, (i+1)*width)
		logits, _ := d.New(engine.Float32, experts)
		d.MatMul(logits, row, e.Router)
		order := make([]int, experts)
		for j := range order {
			order[j] = j
		}
		l := floats(logits)
		sort.SliceStable(order, func(a, b int) bool { return l[order[a]] > l[order[b]] })
		among := order[:e.PerToken]
		if e.Shares == engine.SharesOfAll {
			among = order
		}
		total := 0.0
		for _, j := range among {
			total += math.Exp(float64(l[j]) - float64(l[order[0]]))
		}
		order = order[:e.PerToken]
		sum := make([]float64, width)
		for _, j := range order {
			p := math.Exp(float64(l[j])-float64(l[order[0]])) / total
			ff := e.Down[j].Cols()
			gateUp, _ := d.New(engine.Float32, 2*ff)
			hidden, _ := d.New(engine.Float32, ff)
			out, _ := d.New(engine.Float32, width)
			d.MatMul(gateUp, row, e.GateUp[j])
			d.Gate(hidden, gateUp, ff, e.Activation)
			d.MatMul(out, hidden, e.Down[j])
			for k, v := range floats(out) {
				sum[k] += p * float64(v)
			}
			d.Free(gateUp, hidden, out)
		}
		d.Free(logits)
		o := floats(dst)[i*width : (i+1)*width]
		for k, v := range sum {
			o[k] = float32(float64(o[k]) + v)
		}
	}
}

// Cap bounds logits softly.
func (d *Device) Cap(x engine.Array, limit float32) {
	for i, v := range floats(x) {
		floats(x)[i] = float32(float64(limit) * math.Tanh(float64(v)/float64(limit)))
	}
}

// ArgMax finds each row's highest logit, -1 in a row that is not finite.
func (d *Device) ArgMax(dst, logits engine.Array) {
	vocab := logits.Len / dst.Len
	l := floats(logits)
	for i := range dst.Len {
		best := 0
		for j, v := range l[i*vocab : (i+1)*vocab] {
			if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
				best = -1
				break
			}
			if v > l[i*vocab+best] {
				best = j
			}
		}
		ints(dst)[i] = int32(best)
	}
}

// Divergence compares pairs of rows.
func (d *Device) Divergence(dst, logits engine.Array, vocab int, p, q []int) {
	same("Divergence", dst.Len, len(p))
	same("Divergence", len(q), len(p))
	l := floats(logits)
	for i := range p {
		a, b := l[p[i]*vocab:(p[i]+1)*vocab], l[q[i]*vocab:(q[i]+1)*vocab]
		za, zb := logSumExp(a), logSumExp(b)
		kl := 0.0
		for j := range a {
			la := float64(a[j]) - za
			kl += math.Exp(la) * (la - (float64(b[j]) - zb))
		}
		floats(dst)[i] = float32(kl)
	}
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

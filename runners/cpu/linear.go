package cpu

import (
	"math"

	"github.com/snapbench/snapbench/runners/engine"
)

var _ engine.LinearAttender = (*Device)(nil)

// LinearAttention convolves all tokens of the block first, and then has each value head go over them: heads know nothing of
// each other, and neither do tokens before the recurrence.
func (d *Device) LinearAttention(out, in engine.Array, s engine.State, by engine.LinearAttention) {
	const op = "linear attention"
	tokens := rowsOf(op, "in", in, by.In())
	states, last := by.StateLen()
	wantLen(op, "out", out, tokens*by.Out())
	wantLen(op, "state", s.S, states)
	wantLen(op, "the convolution's state", s.Conv, last)
	if d.err != nil {
		return
	}
	n := linearNumbers{by: by, tokens: tokens, in: f32(op, in), out: f32(op, out), state: f32(op, s.S), last: f32(op, s.Conv),
		conv: f32(op, by.Conv), decay: f32(op, by.Decay), bias: f32(op, by.Bias), norm: f32(op, by.Norm)}
	channels := by.Channels()
	n.mixed = scratch(&d.parts, tokens*channels)
	d.eachRow(tokens, channels*by.Kernel, func(lo, hi int) {
		for t := lo; t < hi; t++ {
			n.convolve(t)
		}
	})
	n.keep()
	one := func(h, worker int) { n.head(h, scratch(&d.local[worker], by.ValueSize)) }
	if tokens*states <= fewNumbers {
		for h := range by.ValueHeads {
			one(h, 0)
		}
		return
	}
	d.pool.run(by.ValueHeads, one)
}

// AttendStates goes on with one sequence after the other: a row's heads are enough for all threads.
func (d *Device) AttendStates(out, in engine.Array, eb engine.Batch, layer int, by engine.LinearAttention) {
	const op = "attend states"
	b := ownBatch(op, eb)
	wantLen(op, "in", in, b.Rows()*by.In())
	wantLen(op, "out", out, b.Rows()*by.Out())
	for i, s := range b.sequences {
		d.LinearAttention(out.Slice(i*by.Out(), (i+1)*by.Out()), in.Slice(i*by.In(), (i+1)*by.In()), s.Caches[layer].State, by)
	}
}

// linearNumbers are the numbers of one linear attention, as in engine.LinearAttention.
type linearNumbers struct {
	by                      engine.LinearAttention
	tokens                  int
	in, out, state, last    []float32
	conv, decay, bias, norm []float32
	mixed                   []float32 // (tokens, channels): behind the convolution
}

// input returns what the convolution gets as token t of the block, before which are those of the state.
func (n *linearNumbers) input(t int) []float32 {
	channels := n.by.Channels()
	if t < 0 {
		return n.last[(t+n.by.Kernel-1)*channels:][:channels]
	}
	return n.in[t*n.by.In():][:channels]
}

// convolve computes token t of mixed; q and k of unit length, q divided by √KeySize too.
func (n *linearNumbers) convolve(t int) {
	by, kernel := n.by, n.by.Kernel
	u := n.mixed[t*by.Channels():][:by.Channels()]
	clear(u)
	for i := range kernel {
		for c, x := range n.input(t - kernel + 1 + i) {
			u[c] += x * n.conv[c*kernel+i]
		}
	}
	for c, x := range u {
		u[c] = silu(x)
	}
	for h := range 2 * by.KeyHeads {
		head, sum := u[h*by.KeySize:][:by.KeySize], float32(1e-6)
		for _, x := range head {
			sum += x * x
		}
		f := 1 / math.Sqrt(float64(sum))
		if h < by.KeyHeads {
			f /= math.Sqrt(float64(by.KeySize))
		}
		for i := range head {
			head[i] *= float32(f)
		}
	}
}

// keep stores the last inputs of the convolution.
func (n *linearNumbers) keep() {
	channels, kept := n.by.Channels(), n.by.Kernel-1
	for i := range kept { // never reads what it has written: inputs are later than where they go
		copy(n.last[i*channels:][:channels], n.input(n.tokens-kept+i))
	}
}

// head goes over the tokens with one value head. o is room for one row of it.
func (n *linearNumbers) head(h int, o []float32) {
	by := n.by
	size, group := by.ValueSize, by.ValueHeads/by.KeyHeads
	state := n.state[h*by.KeySize*size:][:by.KeySize*size]
	rate := math.Exp(float64(n.decay[h]))
	for t := range n.tokens {
		u, row := n.mixed[t*by.Channels():][:by.Channels()], n.in[t*by.In():][:by.In()]
		q, k := u[h/group*by.KeySize:][:by.KeySize], u[(by.KeyHeads+h/group)*by.KeySize:][:by.KeySize]
		v := u[2*by.KeyHeads*by.KeySize+h*size:][:size]
		z := row[by.Channels()+h*size:][:size]
		beta := sigmoid(row[by.In()-2*by.ValueHeads+h])
		g := float32(math.Exp(-rate * softplus(float64(row[by.In()-by.ValueHeads+h]+n.bias[h]))))
		clear(o)
		for i, x := range k {
			for j, w := range state[i*size:][:size] {
				w *= g
				state[i*size+j] = w
				o[j] += w * x
			}
		}
		for j, x := range o {
			o[j] = beta * (v[j] - x) // what the state lacks
		}
		to := n.out[t*by.Out()+h*size:][:size]
		clear(to)
		for i, x := range k {
			y := q[i]
			for j, w := range state[i*size:][:size] {
				w += x * o[j]
				state[i*size+j] = w
				to[j] += w * y
			}
		}
		sum := float32(0)
		for _, x := range to {
			sum += x * x
		}
		f := float32(1 / math.Sqrt(float64(sum)/float64(size)+float64(by.Epsilon)))
		for j, x := range to {
			to[j] = x * f * n.norm[j] * silu(z[j])
		}
	}
}

func sigmoid(x float32) float32 { return float32(1 / (1 + math.Exp(-float64(x)))) }

func silu(x float32) float32 { return x * sigmoid(x) }

func softplus(x float64) float64 { return max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) }

// GateOutput: x[i] *= σ(gate[i]).
func (d *Device) GateOutput(x, gate engine.Array) {
	const op = "gate output"
	wantLen(op, "gate", gate, x.Len)
	if d.err != nil {
		return
	}
	to, from := f32(op, x), f32(op, gate)
	d.eachRow(x.Len, 1, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			to[i] *= sigmoid(from[i])
		}
	})
}

package ref

import (
	"math"

	"github.com/snapbench/snapbench/runners/engine"
)

var _ engine.LinearAttender = (*Device)(nil)

// LinearAttention is the recurrence, token after token.
func (d *Device) LinearAttention(out, in engine.Array, s engine.State, by engine.LinearAttention) {
	tokens := in.Len / by.In()
	same("LinearAttention", in.Len, tokens*by.In())
	same("LinearAttention", out.Len, tokens*by.Out())
	states, last := by.StateLen()
	same("LinearAttention", s.S.Len, states)
	same("LinearAttention", s.Conv.Len, last)
	channels, group := by.Channels(), by.ValueHeads/by.KeyHeads
	for t := range tokens {
		row := floats(in)[t*by.In() : (t+1)*by.In()]
		z, b, a := row[channels:channels+by.Out()], row[channels+by.Out():by.In()-by.ValueHeads], row[by.In()-by.ValueHeads:]
		u := convolve(floats(s.Conv), row[:channels], floats(by.Conv), by.Kernel)
		for h := range by.ValueHeads {
			q := unit(u[h/group*by.KeySize:][:by.KeySize])
			k := unit(u[(by.KeyHeads+h/group)*by.KeySize:][:by.KeySize])
			v := u[2*by.KeyHeads*by.KeySize+h*by.ValueSize:][:by.ValueSize]
			beta := sigmoid(float64(b[h]))
			g := math.Exp(-math.Exp(float64(floats(by.Decay)[h])) * softplus(float64(a[h])+float64(floats(by.Bias)[h])))
			state := floats(s.S)[h*by.KeySize*by.ValueSize:][:by.KeySize*by.ValueSize]
			o := make([]float32, by.ValueSize)
			for j := range by.ValueSize {
				seen, sum := 0.0, 0.0
				for i := range by.KeySize {
					seen += g * float64(state[i*by.ValueSize+j]) * k[i]
				}
				for i := range by.KeySize {
					x := g*float64(state[i*by.ValueSize+j]) + k[i]*beta*(v[j]-seen)
					state[i*by.ValueSize+j] = float32(x)
					sum += x * q[i] / math.Sqrt(float64(by.KeySize))
				}
				o[j] = float32(sum)
			}
			r := meanRoot(o, by.Epsilon)
			to := floats(out)[t*by.Out()+h*by.ValueSize:][:by.ValueSize]
			for j := range to {
				to[j] = float32(float64(o[j]) * r * float64(floats(by.Norm)[j]) * silu(float64(z[h*by.ValueSize+j])))
			}
		}
	}
}

// AttendStates goes on with each sequence's own state.
func (d *Device) AttendStates(out, in engine.Array, eb engine.Batch, layer int, by engine.LinearAttention) {
	b := eb.(*batch)
	same("AttendStates", in.Len, b.Rows()*by.In())
	same("AttendStates", out.Len, b.Rows()*by.Out())
	for i, s := range b.sequences {
		d.LinearAttention(out.Slice(i*by.Out(), (i+1)*by.Out()), in.Slice(i*by.In(), (i+1)*by.In()), s.Caches[layer].State, by)
	}
}

// convolve returns silu of the convolution at the newest row, which it appends to the last ones.
func convolve(last, row, weights []float32, kernel int) []float64 {
	channels := len(row)
	u := make([]float64, channels)
	for c := range u {
		sum := float64(row[c]) * float64(weights[c*kernel+kernel-1])
		for i := range kernel - 1 {
			sum += float64(last[i*channels+c]) * float64(weights[c*kernel+i])
		}
		u[c] = silu(sum)
	}
	copy(last, last[channels:])
	copy(last[len(last)-channels:], row)
	return u
}

// unit divides by the length.
func unit(x []float64) []float64 {
	sum := 1e-6
	for _, v := range x {
		sum += v * v
	}
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = v / math.Sqrt(sum)
	}
	return out
}

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

func silu(x float64) float64 { return x * sigmoid(x) }

func softplus(x float64) float64 { return max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) }

// GateOutput multiplies by the gate's sigmoid.
func (d *Device) GateOutput(x, gate engine.Array) {
	same("GateOutput", gate.Len, x.Len)
	for i, g := range floats(gate) {
		floats(x)[i] = float32(float64(floats(x)[i]) * sigmoid(float64(g)))
	}
}

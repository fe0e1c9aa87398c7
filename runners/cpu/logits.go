package cpu

import (
	"math"

	"github.com/snapbench/snapbench/runners/engine"
)

// logits says how the products of a layer's queries and keys become logits in units of log 2,
// and what a sink adds to a row's sum.
type logits struct {
	scale float32   // of the products, before bend
	cap   float32   // in units of log 2; 0 for none
	sinks []float32 // by query head; nil for none
}

func logitsOf(op string, by engine.Attention) logits {
	l := logits{scale: by.Scale * math.Log2E}
	if by.Cap > 0 {
		l.cap = by.Cap * math.Log2E
		l.scale = by.Scale / by.Cap
	}
	if by.Sinks.Len > 0 {
		wantLen(op, "sinks", by.Sinks, by.Heads.Query)
		l.sinks = f32(op, by.Sinks)
	}
	return l
}

// bend turns x, products times the scale, into cap · tanh(x). Where there is no cap they are
// logits already. It takes the kernels' powers: tanh(x) = 1 - 2/(1 + e^2x), and a series near
// 0, where that would cancel.
func (d *Device) bend(l logits, x []float32) {
	if l.cap == 0 {
		return
	}
	const few = 256
	var powers [few]float32
	for len(x) > 0 {
		part := x[:min(few, len(x))]
		x = x[len(part):]
		for i, v := range part {
			powers[i] = max(-40, min(40, v*(2*math.Log2E))) // tanh is ±1 in float32 beyond 26
		}
		n := (len(part) + 7) / 8 * 8
		clear(powers[len(part):n])
		d.k.expSum(n, &powers[0], 0)
		for i, v := range part {
			if s := v * v; s < 1./16 {
				part[i] = l.cap * (v + v*s*(-1./3+s*(2./15-s*(17./315))))
			} else {
				part[i] = l.cap * (1 - 2/(1+powers[i]))
			}
		}
	}
}

// sink is a query head's, in units of log 2, or lowest.
func (l logits) sink(head int) float32 {
	if l.sinks == nil {
		return lowest
	}
	return l.sinks[head] * math.Log2E
}

// share is what the powers of a row are multiplied by, which have the sum total and were taken
// of logits less top.
func (l logits) share(head int, top, total float32) float32 {
	if l.sinks == nil {
		return 1 / total
	}
	sink := l.sink(head)
	high := max(top, sink)
	f := exp2Go(top - high)
	return f / (f*total + exp2Go(sink-high))
}

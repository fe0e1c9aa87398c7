package enginetest

import (
	"fmt"
	"math"
	"slices"

	"github.com/snapbench/snapbench/runners/engine"
)

// linear holds linear attention, and the gate on outputs that comes with it, to the reference: a block of tokens behind a
// state, and the same tokens one by one, which give the same bits. A device may go without.
func linear(b *bench) {
	if _, ok := b.dev.(engine.LinearAttender); !ok {
		return
	}
	for _, c := range []struct{ keyHeads, valueHeads, keySize, valueSize, kernel, tokens int }{
		{1, 1, 1, 1, 2, 1}, {2, 4, 16, 16, 4, 50}, {1, 3, 5, 7, 3, 9}, {2, 2, 128, 128, 4, 40}, {3, 6, 33, 20, 9, 5},
	} {
		by := engine.LinearAttention{KeyHeads: c.keyHeads, ValueHeads: c.valueHeads, KeySize: c.keySize, ValueSize: c.valueSize, Kernel: c.kernel, Epsilon: 1e-6}
		if !b.affords(c.tokens * c.valueHeads * c.keySize * c.valueSize) {
			continue
		}
		states, last := by.StateLen()
		conv, decay, bias, norm := b.in32(b.normal(by.Channels()*by.Kernel)), b.in32(b.normal(by.ValueHeads)), b.in32(b.normal(by.ValueHeads)), b.in32(b.normal(by.ValueSize))
		in, gate := b.in(b.normal(c.tokens*by.In())), b.in(b.normal(c.tokens*by.Out()))
		before, inputs := b.normal(states), b.normal(last)
		run := func(blocks ...int) (out, s, tail *pair) {
			out, s, tail = b.out(c.tokens*by.Out()), b.in32(before), b.in32(inputs)
			s.input, tail.input = nil, nil // written to
			b.both(func(d engine.Device, at func(*pair) engine.Array) {
				by := by
				by.Conv, by.Decay, by.Bias, by.Norm = at(conv), at(decay), at(bias), at(norm)
				first := 0
				for _, n := range blocks {
					d.(engine.LinearAttender).LinearAttention(at(out).Slice(first*by.Out(), (first+n)*by.Out()),
						at(in).Slice(first*by.In(), (first+n)*by.In()), engine.State{S: at(s), Conv: at(tail)}, by)
					first += n
				}
				d.(engine.LinearAttender).GateOutput(at(out), at(gate))
			})
			return out, s, tail
		}
		whole := make([]*pair, 3)
		whole[0], whole[1], whole[2] = run(c.tokens)
		alone := make([]*pair, 3)
		alone[0], alone[1], alone[2] = run(slices.Repeat([]int{1}, c.tokens)...)
		for i, name := range []string{"output", "state", "convolution"} {
			what := fmt.Sprintf("%v: %s", c, name)
			b.near(what, whole[i])
			if one, all := b.get(alone[i].dev), b.get(whole[i].dev); !slices.Equal(one, all) {
				b.Errorf("%s: tokens one by one give other bits than together", what)
			}
		}
		b.unchanged(fmt.Sprint(c))
		b.release()
	}
}

// near holds numbers that a recurrence made, step after step, to the reference: an error grows with the steps, and a bound
// by the length of sums does not hold.
func (b *bench) near(what string, p *pair) {
	b.Helper()
	bound := map[engine.Type]float64{engine.Float32: 2e-5, engine.Float16: 1e-2, engine.BFloat16: 5e-2}[p.dev.Type]
	want := make([]float32, p.ref.Len)
	b.ref.Get(want, p.ref)
	for i, g := range b.get(p.dev) {
		if d := math.Abs(float64(g - want[i])); !(d <= bound*(1+math.Abs(float64(want[i])))) {
			b.Errorf("%s: number %d is %g, want %g", what, i, g, want[i])
			return
		}
	}
}

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
		{1, 1, 1, 1, 2, 1}, {2, 4, 16, 16, 4, 50}, {1, 3, 5, 7, 3, 9}, {2, 2, 128, 128, 4, 40}, {3, 6, 33, 20, 9, 5}, {1, 2, 70, 40, 4, 6},
	} {
		if !b.affords(c.tokens * c.valueHeads * c.keySize * c.valueSize) {
			continue
		}
		by, weights := b.linear(c.keyHeads, c.valueHeads, c.keySize, c.valueSize, c.kernel)
		states, last := by.StateLen()
		in, gate := b.in(b.normal(c.tokens*by.In())), b.in(b.normal(c.tokens*by.Out()))
		before, inputs := b.normal(states), b.normal(last)
		run := func(blocks ...int) (out, s, tail *pair) {
			out, s, tail = b.out(c.tokens*by.Out()), b.in32(before), b.in32(inputs)
			s.input, tail.input = nil, nil // written to
			b.both(func(d engine.Device, at func(*pair) engine.Array) {
				by := weights(at)
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

// linear makes linear attention of these sizes: without its weights, and with those that at picks.
func (b *bench) linear(keyHeads, valueHeads, keySize, valueSize, kernel int) (by engine.LinearAttention, weights func(at func(*pair) engine.Array) engine.LinearAttention) {
	by = engine.LinearAttention{KeyHeads: keyHeads, ValueHeads: valueHeads, KeySize: keySize, ValueSize: valueSize, Kernel: kernel, Epsilon: 1e-6}
	conv, decay, bias, norm := b.in32(b.normal(by.Channels()*kernel)), b.in32(b.normal(valueHeads)), b.in32(b.normal(valueHeads)), b.in32(b.normal(valueSize))
	return by, func(at func(*pair) engine.Array) engine.LinearAttention {
		by := by
		by.Conv, by.Decay, by.Bias, by.Norm = at(conv), at(decay), at(bias), at(norm)
		return by
	}
}

// linearSteps holds steps of several sequences to the reference: as they are and recorded, with the bits of sequences
// that go on alone, token by token.
func linearSteps(b *bench) {
	if _, ok := b.dev.(engine.LinearAttender); !ok {
		return
	}
	const rows, steps, layer = 3, 4, 1
	h := engine.Heads{Query: 1, KV: 1, Size: 8}
	for _, c := range []struct{ keyHeads, valueHeads, keySize, valueSize, kernel int }{
		{1, 3, 5, 7, 3}, {2, 4, 16, 16, 4}, {1, 2, 70, 40, 4}, {1, 2, 128, 128, 4}, {1, 2, 33, 20, 9}, {1, 9, 3, 2, 2},
	} {
		if !b.affords(3 * rows * steps * c.valueHeads * c.keySize * c.valueSize) {
			continue
		}
		by, weights := b.linear(c.keyHeads, c.valueHeads, c.keySize, c.valueSize, c.kernel)
		states, last := by.StateLen()
		var in []*pair
		for range steps {
			in = append(in, b.in(b.normal(rows*by.In())))
		}
		before, tails := b.normal(rows*states), b.normal(rows*last)
		// run has rows lo to hi go on together; at gives their outputs, step by step, and then their states.
		run := func(lo, hi int, alone bool) (results []*pair) {
			s, tail := b.in32(before[lo*states:hi*states]), b.in32(tails[lo*last:hi*last])
			s.input, tail.input = nil, nil // written to
			for range steps {
				results = append(results, b.out((hi-lo)*by.Out()))
			}
			b.both(func(d engine.Device, at func(*pair) engine.Array) {
				by := weights(at)
				var list []engine.Sequence
				for i := range hi - lo {
					other := engine.State{S: at(s).Slice(0, 1), Conv: at(tail).Slice(0, 1)} // a layer that is not read
					own := engine.State{S: at(s).Slice(i*states, (i+1)*states), Conv: at(tail).Slice(i*last, (i+1)*last)}
					list = append(list, engine.Sequence{Position: 5, Caches: []engine.Cache{{Room: steps, Size: h.Size, State: other}, {Room: steps, Size: h.Size, State: own}}})
				}
				batch, err := d.NewBatch(list, h)
				b.must(err)
				defer d.FreeBatch(batch)
				input, output := b.out((hi-lo)*by.In()), b.out((hi-lo)*by.Out())
				for i, x := range in {
					x := at(x).Slice(lo*by.In(), hi*by.In())
					if alone {
						d.(engine.LinearAttender).LinearAttention(at(results[i]), x, list[0].Caches[layer].State, by)
						continue
					}
					d.Copy(at(input), x)
					d.Replay(batch, func() {
						d.(engine.LinearAttender).AttendStates(at(output), at(input), batch, layer, by)
						d.Advance(batch)
					})
					d.Copy(at(results[i]), at(output))
				}
			})
			return append(results, s, tail)
		}
		name := func(i int) string {
			return append(slices.Repeat([]string{"output"}, steps), "state", "convolution")[i]
		}
		together := run(0, rows, false)
		for i, p := range together {
			b.near(fmt.Sprintf("%v: %s, step %d", c, name(i), i), p)
		}
		for row := range rows {
			for _, alone := range []bool{false, true} {
				for i, p := range run(row, row+1, alone) {
					all, n := b.get(together[i].dev), p.dev.Len
					if !slices.Equal(b.get(p.dev), all[row*n:(row+1)*n]) {
						b.Errorf("%v: %s of sequence %d, step %d: by itself (as a prompt's token: %v) it has other bits than beside others", c, name(i), row, i, alone)
					}
				}
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

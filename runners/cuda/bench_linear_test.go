package cuda

import (
	"fmt"
	"testing"

	"github.com/snapbench/snapbench/runners/engine"
)

// BenchmarkLinear is linear attention of a layer of Qwen3.5 9B: a prompt of 16384 tokens, in the blocks that models use,
// convolved some tokens at a time, the gate of full attention's output beside it; and a step of some rows, replayed, whose
// states are to be read and written at the memory's rate.
func BenchmarkLinear(b *testing.B) {
	const n = 16384
	d := open(b, engine.BFloat16)
	m := &decoder{d: d, b: b}
	by := engine.LinearAttention{KeyHeads: 16, ValueHeads: 32, KeySize: 128, ValueSize: 128, Kernel: 4, Epsilon: 1e-6}
	by.Conv, by.Norm = m.new(engine.Float32, by.Channels()*by.Kernel), m.new(engine.Float32, by.ValueSize)
	by.Decay, by.Bias = m.new(engine.Float32, by.ValueHeads), m.new(engine.Float32, by.ValueHeads)
	for i, a := range []engine.Array{by.Conv, by.Norm, by.Decay, by.Bias} {
		v := make([]float32, a.Len)
		for j := range v {
			v[j] = engine.RandomValue(uint64(i), uint64(j), 1)
		}
		d.Put(a, v)
	}
	states, last := by.StateLen()
	state := func() engine.State {
		s := engine.State{S: m.new(engine.Float32, states), Conv: m.new(engine.Float32, last)}
		d.Put(s.S, make([]float32, states))
		d.Put(s.Conv, make([]float32, last))
		return s
	}
	in, out := m.new(d.kind, n*by.In()), m.new(d.kind, n*by.Out())
	m.noise(in, 1<<40)
	s := state()
	for _, block := range []int{512, linearBlock, BlockTokens} {
		b.Run(fmt.Sprintf("prefill/convolved%d", block), func(b *testing.B) {
			d.linearBlock = block
			defer func() { d.linearBlock = 0 }()
			ms := measure(b, d, func() {
				for lo := 0; lo < n; lo += BlockTokens {
					hi := min(lo+BlockTokens, n)
					d.LinearAttention(out.Slice(lo*by.Out(), hi*by.Out()), in.Slice(lo*by.In(), hi*by.In()), s, by)
				}
			})
			b.ReportMetric(1e6*ms/n, "ns/token")
		})
	}
	b.Run("gate-output", func(b *testing.B) {
		ms := measure(b, d, func() { d.GateOutput(out, in.Slice(0, out.Len)) })
		b.ReportMetric(3*float64(out.Bytes())/ms/1e6, "GB/s")
	})
	for _, rows := range []int{1, 19, 64} {
		const layers, room = 8, 1 << 20 // more states than the L2 cache holds
		heads := engine.Heads{Query: 16, KV: 4, Size: 256}
		var list []engine.Sequence
		for range rows {
			q := engine.Sequence{Position: n}
			for range layers {
				q.Caches = append(q.Caches, engine.Cache{Room: room, Size: heads.Size, State: state()})
			}
			list = append(list, q)
		}
		batch := must[engine.Batch](b)(d.NewBatch(list, heads))
		step := func() {
			for layer := range layers {
				d.AttendStates(out.Slice(0, rows*by.Out()), in.Slice(0, rows*by.In()), batch, layer, by)
			}
		}
		d.Replay(batch, step)
		b.Run(fmt.Sprintf("step%d-x%d", rows, layers), func(b *testing.B) {
			ms := measure(b, d, func() { d.Replay(batch, step) })
			b.ReportMetric(2*4*float64(layers*rows)*float64(states+last)/ms/1e6, "GB/s")
		})
		d.FreeBatch(batch)
		for _, q := range list {
			d.FreeCache(q.Caches...)
		}
	}
}

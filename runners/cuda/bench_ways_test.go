package cuda

import (
	"math"
	"slices"
	"testing"

	"github.com/snapbench/snapbench/runners/engine"
)

// BenchmarkWays is attention as layers of newer families compute it: heads of 256, few KV
// heads, sinks, soft caps. "prefill" is 16384 tokens; "sums" are their column sums besides;
// "decode" a step of 8 sequences over 16384 keys each, whose bytes are to be read at the
// memory's rate.
func BenchmarkWays(b *testing.B) {
	const n, rows = 16384, 8
	d := open(b, engine.BFloat16)
	for _, c := range []struct {
		name   string
		h      engine.Heads
		window int
		limit  float32
		sinks  bool
	}{
		{"plain-128", engine.Heads{Query: 32, KV: 8, Size: 128}, 0, 0, false},
		{"gemma-3-12b-full", engine.Heads{Query: 16, KV: 8, Size: 256}, 0, 0, false},
		{"gemma-3-12b-sliding", engine.Heads{Query: 16, KV: 8, Size: 256}, 1024, 0, false},
		{"gemma-3-1b-full", engine.Heads{Query: 4, KV: 1, Size: 256}, 0, 0, false},
		{"gpt-oss-full", engine.Heads{Query: 64, KV: 8, Size: 64}, 0, 0, true},
		{"gpt-oss-sliding", engine.Heads{Query: 64, KV: 8, Size: 64}, 128, 0, true},
		{"gpt-oss-without-sinks", engine.Heads{Query: 64, KV: 8, Size: 64}, 0, 0, false},
		{"gemma-2-27b-full", engine.Heads{Query: 32, KV: 16, Size: 128}, 0, 50, false},
		{"gemma-2-9b-full", engine.Heads{Query: 16, KV: 8, Size: 256}, 0, 50, false},
	} {
		m := &decoder{shape: shape{heads: c.h}, d: d, b: b}
		kv, row := m.kv(n), c.h.Query*c.h.Size
		q, out, sums := m.new(d.kind, n*row), m.new(d.kind, n*row), m.new(engine.Float32, c.h.Query*n)
		for i, a := range []engine.Array{kv.K, kv.V, q} {
			m.noise(a, uint64(i+1)<<40)
		}
		by := engine.Attention{Heads: c.h, Window: c.window, Scale: float32(1 / math.Sqrt(float64(c.h.Size))), Cap: c.limit}
		if c.sinks {
			by.Sinks = m.new(engine.Float32, c.h.Query)
			d.Put(by.Sinks, make([]float32, c.h.Query))
		}
		pairs := float64(n) * float64(n) / 2
		if c.window > 0 {
			pairs = float64(n)*float64(c.window) - float64(c.window)*float64(c.window)/2
		}
		b.Run(c.name+"/prefill", func(b *testing.B) {
			ms := measure(b, d, func() { d.Attention(out, q, kv, 0, by) })
			b.ReportMetric(4*pairs*float64(row)/ms/1e9, "TFLOP/s")
		})
		b.Run(c.name+"/sums", func(b *testing.B) {
			ms := measure(b, d, func() { d.AttentionColumnSums(out, sums, q, kv, 0, by) })
			b.ReportMetric(6*pairs*float64(row)/ms/1e9, "TFLOP/s")
		})
		b.Run(c.name+"/decode", func(b *testing.B) {
			kept := make([]engine.Kept, rows)
			for i := range kept {
				kept[i] = engine.Kept{All: true, Len: slices.Repeat([]int{n}, c.h.KV)}
			}
			caches := must[[]engine.Cache](b)(d.Gather(kv, kept, 1))
			defer d.FreeCache(caches...)
			var s []engine.Sequence
			for _, cache := range caches {
				s = append(s, engine.Sequence{Caches: []engine.Cache{cache}, Position: n})
			}
			batch := must[engine.Batch](b)(d.NewBatch(s, c.h))
			defer d.FreeBatch(batch)
			ms := measure(b, d, func() { d.AttendCaches(out.Slice(0, rows*row), q.Slice(0, rows*row), batch, 0, by) })
			b.ReportMetric(float64(rows*2*c.h.KV*n*c.h.Size*d.kind.Size())/ms/1e6, "GB/s")
		})
		d.Free(kv.K, kv.V, q, out, sums, by.Sinks)
	}
}

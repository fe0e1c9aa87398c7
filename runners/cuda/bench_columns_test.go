package cuda

import (
	"fmt"
	"math"
	"testing"

	"github.com/snapbench/snapbench/runners/engine"
)

// BenchmarkColumnSums is one layer's attention over a prompt in a model's blocks, alone,
// with the column sums, and the sums alone, which take attention's sums of rows again.
//
// Pairs of query and key are n²/2 a head. A product of theirs is 2d operations each:
// attention has two, the sums one and a power for each pair, which the card takes 16 of a
// clock and multiprocessor, as it multiplies 16 pairs of heads of 128. For 32 heads of 128
// and 16384 tokens, 4.3·10⁹ pairs: attention 2.2·10¹² operations, 3.2 ms at 690 TFLOP/s; the
// sums 1.1·10¹², and as many powers as take 1.2 ms at 1.75 GHz; 1.6 ms is expected for the
// sums besides attention, half its time, and 4.8 ms, one and a half times its, for the sums
// alone. Bytes: 32 KB of queries for each 128 · 128 pairs, 8.6 GB from the L2 cache; q, k
// and sums themselves are less than 0.4 GB.
func BenchmarkColumnSums(b *testing.B) {
	d := open(b, engine.BFloat16)
	for _, c := range []struct {
		n, window int
		h         engine.Heads
	}{
		{16384, 0, llama2.heads}, {16384, 0, mistral.heads}, {16384, 4096, mistral.heads}, {65536, 0, mistral.heads},
		{16384, 0, engine.Heads{Query: 64, KV: 64, Size: 64}}, {16384, 0, engine.Heads{Query: 32, KV: 32, Size: 96}},
	} {
		m := &decoder{shape: shape{heads: c.h}, d: d, b: b}
		kv := m.kv(c.n)
		row := c.h.Query * c.h.Size
		q, out, dst := m.new(d.kind, c.n*row), m.new(d.kind, c.n*row), m.new(engine.Float32, c.h.Query*c.n)
		m.noise(kv.K, 1<<40)
		m.noise(kv.V, 2<<40)
		m.noise(q, 3<<40)
		by := engine.Attention{Heads: c.h, Window: c.window, Scale: float32(1 / math.Sqrt(float64(c.h.Size)))}
		pairs := float64(c.n) * float64(c.n) / 2
		if c.window > 0 {
			pairs = float64(c.n)*float64(c.window) - float64(c.window)*float64(c.window)/2
		}
		attention := 0.0
		for _, op := range []struct {
			name     string
			products float64
			do       func(out, q engine.Array, start int)
		}{
			{"attention", 2, func(out, q engine.Array, start int) { d.Attention(out, q, kv, start, by) }},
			{"with-sums", 3, func(out, q engine.Array, start int) {
				d.AttentionColumnSums(out, dst, q, kv, start, by)
			}},
			{"sums", 3, func(_, q engine.Array, start int) { d.ColumnSums(dst, q, kv, start, by) }},
		} {
			b.Run(fmt.Sprintf("n%d/heads%d-%d-%d/window%d/%s", c.n, c.h.Query, c.h.KV, c.h.Size, c.window, op.name), func(b *testing.B) {
				ms := measure(b, d, func() {
					for start := 0; start < c.n; start += d.BlockTokens() {
						end := min(c.n, start+d.BlockTokens())
						op.do(out.Slice(start*row, end*row), q.Slice(start*row, end*row), start)
					}
				})
				b.ReportMetric(2*op.products*pairs*float64(row)/ms/1e9, "TFLOP/s")
				if op.name == "attention" {
					attention = ms
				}
				if attention > 0 {
					b.ReportMetric(ms/attention, "of-attention")
				}
			})
		}
		d.Free(kv.K, kv.V, q, out, dst)
	}
}

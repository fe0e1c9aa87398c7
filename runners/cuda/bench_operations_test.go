package cuda

import (
	"fmt"
	"math"
	"testing"

	"github.com/snapbench/snapbench/runners/engine"
)

// BenchmarkProducts are the products of one layer, one row, each alone.
func BenchmarkProducts(b *testing.B) {
	d := open(b, engine.BFloat16)
	for _, c := range []struct{ rows, cols, m int }{{12288, 4096, 1}, {4096, 4096, 1}, {22016, 4096, 1}, {4096, 11008, 1}, {32000, 4096, 1}, {22016, 4096, 19}, {4096, 11008, 19}} {
		var weights []engine.Weight
		for i := range 8 { // more than the L2 cache holds
			weights = append(weights, must[engine.Weight](b)(d.LoadWeight([]engine.Stored{random{"w", c.rows, c.cols, uint64(i) << 40}}, nil)))
		}
		x, y := must[engine.Array](b)(d.New(d.kind, c.m*c.cols)), must[engine.Array](b)(d.New(d.kind, c.m*c.rows))
		d.Put(x, make([]float32, x.Len))
		b.Run(fmt.Sprintf("%dx%dx%d", c.m, c.rows, c.cols), func(b *testing.B) {
			ms := measure(b, d, func() {
				for _, w := range weights {
					d.MatMul(y, x, w)
				}
			})
			b.ReportMetric(float64(8*weights[0].Bytes())/ms/1e6, "GB/s")
		})
		for _, w := range weights {
			d.FreeWeight(w)
		}
		d.Free(x, y)
	}
}

// BenchmarkAttention is causal attention of n tokens, 32 heads of 128.
func BenchmarkAttention(b *testing.B) {
	d := open(b, engine.BFloat16)
	for _, c := range []struct {
		n, block, window int
		h                engine.Heads
	}{
		{4096, 4096, 0, llama2.heads}, {16384, 16384, 0, llama2.heads}, {16384, 16384, 0, mistral.heads}, {16384, 4096, 0, llama2.heads},
		{16384, 16384, 4096, mistral.heads}, {65536, 65536, 0, llama2.heads},
		{16384, 16384, 0, engine.Heads{Query: 64, KV: 64, Size: 64}}, {16384, 16384, 0, engine.Heads{Query: 32, KV: 32, Size: 96}},
	} {
		m := &decoder{shape: shape{heads: c.h}, d: d, b: b}
		kv := m.kv(c.n)
		row := c.h.Query * c.h.Size
		q, out := m.new(d.kind, c.n*row), m.new(d.kind, c.n*row)
		m.noise(kv.K, 1<<40)
		m.noise(kv.V, 2<<40)
		m.noise(q, 3<<40)
		name := fmt.Sprintf("n%d/block%d/heads%d-%d-%d/window%d", c.n, c.block, c.h.Query, c.h.KV, c.h.Size, c.window)
		b.Run(name, func(b *testing.B) {
			ms := measure(b, d, func() {
				for start := 0; start < c.n; start += c.block {
					part := q.Slice(start*row, (start+c.block)*row)
					d.Attention(out.Slice(start*row, (start+c.block)*row), part, kv, start, engine.Attention{Heads: c.h, Window: c.window, Scale: float32(1 / math.Sqrt(float64(c.h.Size)))})
				}
			})
			pairs := float64(c.n) * float64(c.n) / 2
			if c.window > 0 {
				pairs = float64(c.n)*float64(c.window) - float64(c.window)*float64(c.window)/2
			}
			b.ReportMetric(4*pairs*float64(row)/ms/1e9, "TFLOP/s")
		})
		d.Free(kv.K, kv.V, q, out)
	}
}

// BenchmarkCompression is what one layer of a 16K prompt does for the grid's 18
// variants: scores for windows 16 and 32, pooling with kernels 5, 7, 13, the choice
// and the copies for capacities 512, 1024, 2048.
func BenchmarkCompression(b *testing.B) {
	const n = 16384
	d := open(b, engine.BFloat16)
	for _, s := range []shape{llama2, mistral} {
		m := &decoder{shape: s, d: d, b: b}
		kv, h := m.kv(n), s.heads
		m.noise(kv.K, 1<<40)
		m.noise(kv.V, 2<<40)
		q := m.new(d.kind, 32*h.Query*h.Size)
		m.noise(q, 3<<40)
		grouped := h.KV < h.Query
		type window struct {
			w              int
			scores, groups engine.Array
			pooled         [3]engine.Array
		}
		var windows []*window
		for _, w := range []int{16, 32} {
			c := &window{w: w, scores: m.new(engine.Float32, h.Query*(n-w)), groups: m.new(engine.Float32, h.KV*(n-w))}
			for i := range c.pooled {
				c.pooled[i] = m.new(engine.Float32, h.KV*(n-w))
			}
			windows = append(windows, c)
		}
		var dst []engine.Array
		for range windows {
			for range 3 {
				for _, capacity := range []int{512, 1024, 2048} {
					dst = append(dst, m.new(engine.Int32, h.KV*capacity))
				}
			}
		}
		parts := []struct {
			name string
			do   func()
		}{
			{"scores", func() {
				d.WindowScores([]engine.Array{windows[0].scores, windows[1].scores}, []int{windows[0].w, windows[1].w}, q, kv, engine.Attention{Heads: h, Scale: 0.0884})
			}},
			{"pool", func() {
				for _, c := range windows {
					from := c.scores
					if grouped {
						d.GroupScores(c.groups, c.scores, h, engine.GroupMean)
						from = c.groups
					}
					for i, k := range []int{5, 7, 13} {
						d.PoolScores(c.pooled[i], from, h.KV, k, engine.MaxPooling)
					}
				}
			}},
			{"select", func() {
				var all []engine.Selection
				i := 0
				for _, c := range windows {
					for _, p := range c.pooled {
						for _, capacity := range []int{512, 1024, 2048} {
							all = append(all, engine.Selection{Scores: p, Rows: h.KV, Count: capacity - c.w, Tail: c.w, Dst: dst[i]})
							i++
						}
					}
				}
				d.Select(all)
			}},
			{"gather", func() {
				var all []engine.Kept
				for i := range dst {
					capacity := []int{512, 1024, 2048}[i%3]
					k := engine.Kept{Positions: dst[i]}
					for range h.KV {
						k.Len = append(k.Len, capacity)
					}
					all = append(all, k)
				}
				caches, err := d.Gather(kv, all, 64)
				if err != nil {
					b.Fatal(err)
				}
				d.FreeCache(caches...)
			}},
		}
		b.Run(s.name+"/all-x8", func(b *testing.B) {
			measure(b, d, func() {
				for range 8 {
					for _, p := range parts {
						p.do()
					}
				}
			})
		})
		for _, p := range parts {
			b.Run(s.name+"/"+p.name+"-x8", func(b *testing.B) {
				measure(b, d, func() {
					for range 8 {
						p.do()
					}
				})
			})
			b.Run(s.name+"/"+p.name+"-host", func(b *testing.B) {
				for range b.N {
					p.do()
				}
				b.StopTimer()
				if err := d.Sync(); err != nil {
					b.Fatal(err)
				}
			})
		}
	}
}

// BenchmarkLayer is each operation of a prefill layer alone, in blocks of rows.
func BenchmarkLayer(b *testing.B) {
	s := llama2
	s.layers = 1
	d := open(b, engine.BFloat16)
	m := newDecoder(b, d, s, 1<<20)
	for _, rows := range []int{4096, 16384} {
		m.room(rows)
		kv := m.kv(rows)
		m.noise(m.hidden, 1<<40)
		for _, op := range []struct {
			name  string
			flops float64
			do    func()
		}{
			{"norm", 0, func() { d.RMSNorm(m.x, m.hidden, m.norm, 1e-5) }},
			{"qkv-rotate", 2 * float64(m.qkv[0].Rows()) * float64(m.qkv[0].Cols()), func() {
				d.MatMulRotate(m.q, kv, m.fused, m.x, m.qkv[0], 0, m.heads, m.rotary, engine.QKNorm{})
			}},
			{"qkv", 2 * float64(m.qkv[0].Rows()) * float64(m.qkv[0].Cols()), func() { d.MatMul(m.fused, m.x, m.qkv[0]) }},
			{"rotate", 0, func() { d.Rotate(m.q, kv, m.fused, 0, m.heads, m.rotary, engine.QKNorm{}) }},
			{"attention", 2 * float64(rows) * float64(m.heads.Query*m.heads.Size), func() { d.Attention(m.att, m.q, kv, 0, m.by) }},
			{"o", 2 * float64(m.o[0].Rows()) * float64(m.o[0].Cols()), func() { d.MatMulAdd(m.hidden, m.att, m.o[0]) }},
			{"gate-up-swiglu", 2 * float64(m.gateUp[0].Rows()) * float64(m.gateUp[0].Cols()), func() { d.MatMulGate(m.joined, m.both, m.x, m.gateUp[0], engine.Activation{}) }},
			{"gate-up", 2 * float64(m.gateUp[0].Rows()) * float64(m.gateUp[0].Cols()), func() { d.MatMul(m.both, m.x, m.gateUp[0]) }},
			{"swiglu", 0, func() { d.Gate(m.joined, m.both, m.ff, engine.Activation{}) }},
			{"down", 2 * float64(m.down[0].Rows()) * float64(m.down[0].Cols()), func() { d.MatMulAdd(m.hidden, m.joined, m.down[0]) }},
		} {
			b.Run(fmt.Sprintf("%d/%s", rows, op.name), func(b *testing.B) {
				ms := measure(b, d, op.do)
				if op.flops > 0 {
					b.ReportMetric(op.flops*float64(rows)/ms/1e9, "TFLOP/s")
				}
			})
		}
		d.Free(kv.K, kv.V)
	}
}

package cuda

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/snapbench/snapbench/runners/engine"
)

// The benchmarks run the engine's operations in a model's order on random
// weights of its shape, without the model's own code, and report medians of
// device time.

// shape is a decoder's.
type shape struct {
	name              string
	layers, width, ff int
	heads             engine.Heads
	vocab             int
}

var (
	llama2  = shape{"Llama-2-7B", 32, 4096, 11008, engine.Heads{Query: 32, KV: 32, Size: 128}, 32000}
	mistral = shape{"Mistral-7B", 32, 4096, 14336, engine.Heads{Query: 32, KV: 8, Size: 128}, 32000}
)

func must[T any](b testing.TB) func(T, error) T {
	return func(v T, err error) T {
		b.Helper()
		if err != nil {
			b.Fatal(err)
		}
		return v
	}
}

// decoder is a model on a device, and what its steps need.
type decoder struct {
	shape
	d                        *Device
	b                        testing.TB
	table, output            engine.Weight
	qkv, o, gateUp, down     []engine.Weight
	norm                     engine.Array
	rotary                   engine.Rotary
	scale                    float32
	rows                     int // that the arrays below have room for
	ids                      engine.Array
	hidden, x, fused, q, att engine.Array
	both, joined, logits     engine.Array
}

func newDecoder(b testing.TB, d *Device, s shape, positions int) *decoder {
	m := &decoder{shape: s, d: d, b: b, scale: float32(1 / math.Sqrt(float64(s.heads.Size)))}
	seed := uint64(1)
	load := func(rows, cols int) engine.Weight {
		seed += 1 << 40
		w, err := d.LoadWeight([]engine.Stored{random{fmt.Sprint(seed), rows, cols, seed}}, nil)
		if err != nil {
			b.Fatal(err)
		}
		return w
	}
	m.table, m.output = load(s.vocab, s.width), load(s.vocab, s.width)
	for range s.layers {
		m.qkv = append(m.qkv, load((s.heads.Query+2*s.heads.KV)*s.heads.Size, s.width))
		m.o = append(m.o, load(s.width, s.heads.Query*s.heads.Size))
		m.gateUp = append(m.gateUp, load(2*s.ff, s.width))
		m.down = append(m.down, load(s.width, s.ff))
	}
	m.norm = m.new(engine.Float32, s.width)
	ones := make([]float32, s.width)
	for i := range ones {
		ones[i] = 1
	}
	d.Put(m.norm, ones)
	frequencies := make([]float32, s.heads.Size/2)
	for i := range frequencies {
		frequencies[i] = float32(math.Pow(10000, -2*float64(i)/float64(s.heads.Size)))
	}
	m.rotary = must[engine.Rotary](b)(d.NewRotary(frequencies, 1, positions))
	return m
}

func (m *decoder) new(t engine.Type, n int) engine.Array {
	m.b.Helper()
	return must[engine.Array](m.b)(m.d.New(t, n))
}

// room makes the arrays for blocks of rows.
func (m *decoder) room(rows int) {
	m.d.Free(m.ids, m.hidden, m.x, m.fused, m.q, m.att, m.both, m.joined, m.logits)
	h := m.heads
	m.rows = rows
	m.ids = m.new(engine.Int32, rows)
	ids := make([]int32, rows)
	for i := range ids {
		ids[i] = int32(i * 7919 % m.vocab)
	}
	m.d.PutInts(m.ids, ids)
	m.hidden, m.x = m.new(m.d.kind, rows*m.width), m.new(m.d.kind, rows*m.width)
	m.fused = m.new(m.d.kind, rows*(h.Query+2*h.KV)*h.Size)
	m.q, m.att = m.new(m.d.kind, rows*h.Query*h.Size), m.new(m.d.kind, rows*h.Query*h.Size)
	m.both, m.joined = m.new(m.d.kind, rows*2*m.ff), m.new(m.d.kind, rows*m.ff)
	m.logits = m.new(engine.Float32, min(rows, 64)*m.vocab)
}

// step is one decoding step of a batch.
func (m *decoder) step(batch engine.Batch) { m.stepWithout(batch, "") }

// stepWithout leaves one of the step's parts out: what it costs where it stands.
func (m *decoder) stepWithout(batch engine.Batch, part string) {
	d := m.d
	product := d.MatMul
	add := d.MatMulAdd
	if part == "products" {
		product, add = func(engine.Array, engine.Array, engine.Weight) {}, func(engine.Array, engine.Array, engine.Weight) {}
	}
	d.Embed(m.hidden, m.table, m.ids)
	for l := range m.layers {
		if part != "norms" {
			d.RMSNorm(m.x, m.hidden, m.norm, 1e-5)
		}
		product(m.fused, m.x, m.qkv[l])
		if part != "rotation" {
			d.RotateAppend(m.q, batch, l, m.fused, m.rotary, engine.QKNorm{})
		}
		if part != "attention" {
			d.AttendCaches(m.att, m.q, batch, l, 0, m.scale)
		}
		add(m.hidden, m.att, m.o[l])
		if part != "norms" {
			d.RMSNorm(m.x, m.hidden, m.norm, 1e-5)
		}
		product(m.both, m.x, m.gateUp[l])
		if part != "gate" {
			d.SwiGLU(m.joined, m.both, m.ff)
		}
		add(m.hidden, m.joined, m.down[l])
	}
	d.RMSNorm(m.x, m.hidden, m.norm, 1e-5)
	d.MatMul(m.logits, m.x, m.output)
	d.ArgMax(m.ids, m.logits)
	d.Advance(batch)
}

// BenchmarkStepWithout is a step without one of its parts: of one sequence, and of the
// seven whose full caches of 16K fit a card of 80 GB.
func BenchmarkStepWithout(b *testing.B) {
	const room = 64
	for _, c := range []struct {
		shape
		rows []int
	}{{llama2, []int{1024}}, {mistral, []int{16384}}, {llama2, slices.Repeat([]int{2048}, 7)}} {
		d := open(b, engine.BFloat16)
		m := newDecoder(b, d, c.shape, 1<<20)
		m.room(len(c.rows))
		var sequences []engine.Sequence
		for _, n := range c.rows {
			sequences = append(sequences, m.caches(n, c.heads.KV, room))
		}
		for _, part := range []string{"nothing", "norms", "gate", "rotation", "attention", "products"} {
			batch := must[engine.Batch](b)(d.NewBatch(sequences, c.heads))
			step := func() { m.stepWithout(batch, part) }
			d.Replay(batch, step)
			b.Run(fmt.Sprintf("%s/%dx%d/%s", c.name, len(c.rows), c.rows[0], part), func(b *testing.B) {
				if max(b.N, 5)+1 > room-batch.Steps() {
					b.Skipf("the caches have room for %d steps: ask for fewer with -benchtime", room)
				}
				measure(b, d, func() { d.Replay(batch, step) })
			})
			d.FreeBatch(batch)
		}
		if err := d.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// caches are made of noise: n rows of every KV head (or of every query head).
func (m *decoder) caches(n, heads, room int) engine.Sequence {
	s := engine.Sequence{Position: n}
	for l := range m.layers {
		c := engine.Cache{Room: room, Size: m.heads.Size}
		for a := range heads {
			c.Start, c.Len = append(c.Start, a*(n+room)), append(c.Len, n)
		}
		c.K, c.V = m.new(m.d.kind, heads*(n+room)*c.Size), m.new(m.d.kind, heads*(n+room)*c.Size)
		m.noise(c.K, uint64(2*l)<<32)
		m.noise(c.V, uint64(2*l+1)<<32)
		s.Caches = append(s.Caches, c)
	}
	return s
}

// noise fills an array with numbers in [-1, 1).
func (m *decoder) noise(a engine.Array, seed uint64) {
	d := m.d
	d.card.Do(func() {
		d.card.Args(d.pointer("noise", a, a.Type)).Long(a.Len).Long(int(seed)).Float(1)
		d.card.Launch(d.card.Kernel("random", "random_"+suffixOf(a.Type)), 8*d.card.Multiprocessors, 1, 1024, 0)
	})
}

// measure reports the median device time of f in milliseconds over b.N runs (five at
// least), after one that is not counted.
func measure(b *testing.B, d *Device, f func()) float64 {
	b.Helper()
	start, stop := d.card.NewEvent(), d.card.NewEvent()
	f()
	if err := d.Sync(); err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	var times []float64
	for range max(b.N, 5) {
		start.Record()
		f()
		stop.Record()
		if err := d.Sync(); err != nil {
			b.Fatal(err)
		}
		times = append(times, stop.Since(start))
	}
	b.StopTimer()
	start.Close()
	stop.Close()
	slices.Sort(times)
	median := times[len(times)/2]
	b.ReportMetric(median, "ms")
	b.ReportMetric(times[0], "best-ms")
	b.ReportMetric(0, "ns/op")
	return median
}

// weightBytes is what a decoding step reads of the weights.
func (m *decoder) weightBytes() int64 {
	n := m.output.Bytes()
	for l := range m.layers {
		n += m.qkv[l].Bytes() + m.o[l].Bytes() + m.gateUp[l].Bytes() + m.down[l].Bytes()
	}
	return n
}

// BenchmarkDecode is one decoding step, replayed, of a 16K prompt: with the full
// cache, with 1024 rows kept, one cache per KV head; and of the 19 sequences of a
// grid (full; 512, 1024, 2048 six times).
func BenchmarkDecode(b *testing.B) {
	const room = 64
	for _, s := range []shape{llama2, mistral} {
		d := open(b, engine.BFloat16)
		m := newDecoder(b, d, s, 1<<20)
		grid := []int{16384}
		for range 6 {
			grid = append(grid, 512, 1024, 2048)
		}
		for _, c := range []struct {
			name string
			rows []int
		}{
			{"full", []int{16384}}, {"kept1024", []int{1024}}, {"grid19", grid},
			{"full-x2", slices.Repeat([]int{16384}, 2)}, {"kept2048-x2", slices.Repeat([]int{2048}, 2)},
			{"full-x7", slices.Repeat([]int{16384}, 7)}, {"kept2048-x7", slices.Repeat([]int{2048}, 7)},
			{"kept2048-x16", slices.Repeat([]int{2048}, 16)}, {"kept2048-x48", slices.Repeat([]int{2048}, 48)},
		} {
			m.room(len(c.rows))
			var sequences []engine.Sequence
			bytes := m.weightBytes()
			for _, n := range c.rows {
				sequences = append(sequences, m.caches(n, s.heads.KV, room))
				bytes += int64(s.layers) * int64(s.heads.KV) * int64(n) * int64(s.heads.Size) * 4
			}
			batch := must[engine.Batch](b)(d.NewBatch(sequences, s.heads))
			d.Replay(batch, func() { m.step(batch) })
			b.Run(s.name+"/"+c.name, func(b *testing.B) {
				if max(b.N, 5)+1 > room-batch.Steps() {
					b.Skipf("the caches have room for %d steps: ask for fewer with -benchtime", room)
				}
				ms := measure(b, d, func() { d.Replay(batch, func() { m.step(batch) }) })
				b.ReportMetric(float64(bytes)/ms/1e6, "GB/s")
			})
			d.FreeBatch(batch)
			for _, q := range sequences {
				d.FreeCache(q.Caches...)
			}
		}
		if err := d.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkProducts are the products of one layer, one row, each alone.
func BenchmarkProducts(b *testing.B) {
	d := open(b, engine.BFloat16)
	for _, c := range []struct{ rows, cols, m int }{{12288, 4096, 1}, {4096, 4096, 1}, {22016, 4096, 1}, {4096, 11008, 1}, {32000, 4096, 1}, {22016, 4096, 19}, {4096, 11008, 19}} {
		var weights []engine.Weight
		for i := range 8 { // more than the second cache holds
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

// prefillLayer is one layer over a whole prompt in blocks of m.rows.
func (m *decoder) prefillLayer(l int, hidden []engine.Array, kv engine.KV) {
	d := m.d
	for i, block := range hidden {
		start := i * m.rows
		d.RMSNorm(m.x, block, m.norm, 1e-5)
		d.MatMulRotate(m.q, kv, m.fused, m.x, m.qkv[l], start, m.heads, m.rotary, engine.QKNorm{})
		d.Attention(m.att, m.q, kv, start, m.heads, 0, m.scale)
		d.MatMulAdd(block, m.att, m.o[l])
		d.RMSNorm(m.x, block, m.norm, 1e-5)
		d.MatMulSwiGLU(m.joined, m.both, m.x, m.gateUp[l])
		d.MatMulAdd(block, m.joined, m.down[l])
	}
}

func (m *decoder) kv(n int) engine.KV {
	h := m.heads
	return engine.KV{K: m.new(m.d.kind, h.KV*n*h.Size), V: m.new(m.d.kind, h.KV*n*h.Size), Tokens: n, Heads: h.KV, Size: h.Size}
}

// BenchmarkPrefill is a 16K prompt, all layers, in blocks of tokens.
func BenchmarkPrefill(b *testing.B) {
	const n = 16384
	for _, s := range []shape{llama2, mistral} {
		d := open(b, engine.BFloat16)
		m := newDecoder(b, d, s, n)
		kv := m.kv(n)
		for _, block := range []int{4096, 8192, 16384} {
			m.room(block)
			var hidden []engine.Array
			for range n / block {
				hidden = append(hidden, m.new(d.kind, block*m.width))
			}
			b.Run(fmt.Sprintf("%s/block%d", s.name, block), func(b *testing.B) {
				measure(b, d, func() {
					for _, h := range hidden {
						d.Embed(h, m.table, m.ids)
					}
					for l := range m.layers {
						m.prefillLayer(l, hidden, kv)
					}
				})
			})
			d.Free(hidden...)
		}
		if err := d.Close(); err != nil {
			b.Fatal(err)
		}
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
					d.Attention(out.Slice(start*row, (start+c.block)*row), part, kv, start, c.h, c.window, float32(1/math.Sqrt(float64(c.h.Size))))
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
				d.WindowScores([]engine.Array{windows[0].scores, windows[1].scores}, []int{windows[0].w, windows[1].w}, q, kv, h, 0, 0.0884)
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
			{"attention", 2 * float64(rows) * float64(m.heads.Query*m.heads.Size), func() { d.Attention(m.att, m.q, kv, 0, m.heads, 0, m.scale) }},
			{"o", 2 * float64(m.o[0].Rows()) * float64(m.o[0].Cols()), func() { d.MatMulAdd(m.hidden, m.att, m.o[0]) }},
			{"gate-up-swiglu", 2 * float64(m.gateUp[0].Rows()) * float64(m.gateUp[0].Cols()), func() { d.MatMulSwiGLU(m.joined, m.both, m.x, m.gateUp[0]) }},
			{"gate-up", 2 * float64(m.gateUp[0].Rows()) * float64(m.gateUp[0].Cols()), func() { d.MatMul(m.both, m.x, m.gateUp[0]) }},
			{"swiglu", 0, func() { d.SwiGLU(m.joined, m.both, m.ff) }},
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

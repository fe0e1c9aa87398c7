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
	by                       engine.Attention
	rows                     int // for which the arrays below have room
	ids                      engine.Array
	hidden, x, fused, q, att engine.Array
	both, joined, logits     engine.Array
}

func newDecoder(b testing.TB, d *Device, s shape, positions int) *decoder {
	m := &decoder{shape: s, d: d, b: b, by: engine.Attention{Heads: s.heads, Scale: float32(1 / math.Sqrt(float64(s.heads.Size)))}}
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
	m.rotary = must[engine.Rotary](b)(d.NewRotary(engine.Rotation{Frequencies: frequencies, Scale: 1}, positions))
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

// stepWithout leaves one of the step's parts out, to see what the part costs in the step.
func (m *decoder) stepWithout(batch engine.Batch, part string) {
	d := m.d
	product := d.MatMul
	add := d.MatMulAdd
	if part == "products" {
		product, add = func(engine.Array, engine.Array, engine.Weight) {}, func(engine.Array, engine.Array, engine.Weight) {}
	}
	d.Embed(m.hidden, m.table, m.ids, 1)
	for l := range m.layers {
		if part != "norms" {
			d.RMSNorm(m.x, m.hidden, m.norm, 1e-5)
		}
		product(m.fused, m.x, m.qkv[l])
		if part != "rotation" {
			d.RotateAppend(m.q, batch, l, m.fused, m.rotary, engine.QKNorm{})
		}
		if part != "attention" {
			d.AttendCaches(m.att, m.q, batch, l, m.by)
		}
		add(m.hidden, m.att, m.o[l])
		if part != "norms" {
			d.RMSNorm(m.x, m.hidden, m.norm, 1e-5)
		}
		product(m.both, m.x, m.gateUp[l])
		if part != "gate" {
			d.Gate(m.joined, m.both, m.ff, engine.Activation{})
		}
		add(m.hidden, m.joined, m.down[l])
	}
	d.RMSNorm(m.x, m.hidden, m.norm, 1e-5)
	d.MatMul(m.logits, m.x, m.output)
	d.ArgMax(m.ids, m.logits)
	d.Advance(batch)
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

func (m *decoder) kv(n int) engine.KV {
	h := m.heads
	return engine.KV{K: m.new(m.d.kind, h.KV*n*h.Size), V: m.new(m.d.kind, h.KV*n*h.Size), Tokens: n, Heads: h.KV, Size: h.Size}
}

// prefillLayer is one layer over a whole prompt in blocks of m.rows.
func (m *decoder) prefillLayer(l int, hidden []engine.Array, kv engine.KV) {
	d := m.d
	for i, block := range hidden {
		start := i * m.rows
		d.RMSNorm(m.x, block, m.norm, 1e-5)
		d.MatMulRotate(m.q, kv, m.fused, m.x, m.qkv[l], start, m.heads, m.rotary, engine.QKNorm{})
		d.Attention(m.att, m.q, kv, start, m.by)
		d.MatMulAdd(block, m.att, m.o[l])
		d.RMSNorm(m.x, block, m.norm, 1e-5)
		d.MatMulGate(m.joined, m.both, m.x, m.gateUp[l], engine.Activation{})
		d.MatMulAdd(block, m.joined, m.down[l])
	}
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

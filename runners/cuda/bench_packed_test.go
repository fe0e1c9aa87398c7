package cuda

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/enginetest"
)

var llama3 = shape{"Llama-3-8B", 32, 4096, 14336, engine.Heads{Query: 32, KV: 8, Size: 128}, 128256}

// repeated is a matrix in a storage whose rows are those of a small one, over and over: what is read
// is as much as of any other.
type repeated struct {
	*enginetest.Matrix
	rows int
}

func (r repeated) Rows() int                    { return r.rows }
func (r repeated) RawRow(i int) []byte          { return r.Matrix.RawRow(i % r.Matrix.Rows()) }
func (r repeated) ReadRow(i int, dst []float32) { r.Matrix.ReadRow(i%r.Matrix.Rows(), dst) }
func repeatedIn(s engine.Storage, rows, cols int) repeated {
	return repeated{enginetest.Random(fmt.Sprint(s), s, 32, cols, rand.New(rand.NewPCG(1, uint64(cols)))), rows}
}

// copyRate is the rate in GB/s, read and written, at which the card copies a gigabyte.
func copyRate(b *testing.B, d *Device) float64 {
	const bytes = 1 << 30
	from, to := must[engine.Array](b)(d.New(engine.Uint8, bytes)), must[engine.Array](b)(d.New(engine.Uint8, bytes))
	defer d.Free(from, to)
	least := 0.0
	for range 6 {
		start, stop := d.card.NewEvent(), d.card.NewEvent()
		start.Record()
		d.card.Do(func() { d.card.Copy(d.pointer("copy", to, engine.Uint8), d.pointer("copy", from, engine.Uint8), bytes) })
		stop.Record()
		if err := d.Sync(); err != nil {
			b.Fatal(err)
		}
		if ms := stop.Since(start); least == 0 || ms < least {
			least = ms
		}
		start.Close()
		stop.Close()
	}
	return 2 * bytes / least / 1e6
}

// captured returns what launches a step as one graph.
func captured(b *testing.B, d *Device, step func()) func() {
	d.Step(step) // which loads its kernels
	d.stepping = true
	defer func() { d.stepping = false }()
	defer d.card.Leave()
	if !d.card.Enter("captured") {
		b.Fatal(d.Sync())
	}
	graph := d.card.Capture(step)
	if graph == nil {
		b.Fatal(d.Sync())
	}
	b.Cleanup(graph.Close)
	return func() { d.card.Do(graph.Launch) }
}

// BenchmarkBlocks are the products of a step of Llama-3-8B's shape, 32 layers and the head in one graph, by weights in
// each storage: GB/s of the weights' own bytes, which a product of few rows reads once, and what share of a copy's
// rate in the same run that is.
func BenchmarkBlocks(b *testing.B) {
	for _, s := range []engine.Storage{engine.BF16, engine.E4M3, engine.MXFP4, engine.Q8_0, engine.Q4_0, engine.Q4_1, engine.Q5_0, engine.Q5_1, engine.Q4K, engine.Q5K, engine.Q6K} {
		d := open(b, engine.BFloat16)
		benchProducts(b, d, llama3, s, copyRate(b, d))
		if err := d.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// benchProducts times a step's products of a shape, of 1, 8 and 25 rows, all and each alone.
func benchProducts(b *testing.B, d *Device, of shape, s engine.Storage, rate float64) {
	load := func(rows, cols int) engine.Weight {
		return must[engine.Weight](b)(d.LoadWeight([]engine.Stored{repeatedIn(s, rows, cols)}, nil))
	}
	m := &decoder{shape: of, d: d, b: b, output: load(of.vocab, of.width)}
	for range m.layers {
		m.qkv = append(m.qkv, load((m.heads.Query+2*m.heads.KV)*m.heads.Size, m.width))
		m.o = append(m.o, load(m.width, m.heads.Query*m.heads.Size))
		m.gateUp = append(m.gateUp, load(2*m.ff, m.width))
		m.down = append(m.down, load(m.width, m.ff))
	}
	for _, rows := range []int{1, 8, 25} {
		m.room(rows)
		for _, a := range []engine.Array{m.x, m.att, m.joined} {
			m.noise(a, 1<<40)
		}
		parts := []struct {
			name   string
			of     []engine.Weight
			dst, x engine.Array
		}{{"qkv", m.qkv, m.fused, m.x}, {"output", m.o, m.hidden, m.att}, {"gate-up", m.gateUp, m.both, m.x}, {"down", m.down, m.hidden, m.joined}, {"head", []engine.Weight{m.output}, m.logits, m.x}}
		report := func(name string, bytes int64, step func()) {
			b.Run(fmt.Sprintf("%s/%d/%s", s, rows, name), func(b *testing.B) {
				ms := measure(b, d, captured(b, d, step))
				b.ReportMetric(float64(bytes)/ms/1e6, "GB/s")
				b.ReportMetric(100*float64(bytes)/ms/1e6/rate, "%-of-copy")
			})
		}
		report("step", m.weightBytes(), func() {
			for l := range m.layers {
				for _, p := range parts[:4] {
					d.MatMul(p.dst, p.x, p.of[l])
				}
			}
			d.MatMul(m.logits, m.x, m.output)
		})
		for _, p := range parts {
			bytes := int64(0)
			for _, w := range p.of {
				bytes += w.Bytes()
			}
			report(p.name, bytes, func() {
				for _, w := range p.of {
					d.MatMul(p.dst, p.x, w)
				}
			})
		}
	}
}

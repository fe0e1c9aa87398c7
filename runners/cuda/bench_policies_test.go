package cuda

import (
	"fmt"
	"testing"
	"time"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/runners/engine"
)

// traffic is what a policy's choice must at least move to and from memory where every
// operation reads its input once and writes its result once: passes over a layer's keys,
// over a score per query head and position, and over a score per KV head and position.
// grouped passes are besides where several query heads share a KV head, by query head and
// by KV head each.
type traffic struct{ states, query, kv, grouped float64 }

// leastTraffic is of the policies that are measured on the device. A window's scores
// read the keys once; grouping, pooling and combining read and write; choosing reads.
// The column sums of h2o and observed are made by prefill: BenchmarkColumnSums has them.
var leastTraffic = map[string]traffic{
	"full":      {},
	"recent":    {},
	"random":    {},
	"streaming": {},
	"snapkv":    {states: 1, query: 1, kv: 3, grouped: 1},
	"pyramid":   {states: 1, query: 1, kv: 3, grouped: 1},
	"ada":       {states: 1, query: 1, kv: 4, grouped: 1}, // chooses over all heads first
	"chunk":     {states: 1, query: 1, kv: 4, grouped: 1}, // then one row of means
	"h2o":       {kv: 3, grouped: 1},
	"observed":  {kv: 3, grouped: 1},
	"tova":      {states: 1, query: 2, kv: 2},
	"knorm":     {states: 1, kv: 4},
	"keydiff":   {states: 3, kv: 10},
	"cur":       {states: 2, kv: 27},
}

func (t traffic) bytes(h engine.Heads, n, element int) float64 {
	b := t.states*float64(h.KV*n*h.Size*element) + 4*float64(n)*(t.query*float64(h.Query)+t.kv*float64(h.KV))
	if h.Group() > 1 {
		b += 4 * float64(n) * t.grouped * float64(h.Query+h.KV)
	}
	return b
}

// BenchmarkPolicies is one layer of a 16K prompt under one policy, capacity 1024: the
// choice and the copies, as prefill asks for them.
//
//   - ms is the device's time, waits for the host included; of a policy that is computed
//     in plain Go over copies ("host" is 1) the time that passes, once.
//   - least-MB is what must be moved: leastTraffic, and each kept key and value read and
//     written once. least-ms is that at the bandwidth of a copy of 1 GiB, measured first.
//   - host-KB is what came back from the device, waits how often the host waited for it.
//
// For Llama-2-7B's shape keys are 134 MB and a row of scores for each head is 2.1 MB; the
// copies of 1024 positions move 33.5 MB, those of all 537 MB. For Mistral-7B's keys are
// 33.5 MB, scores 2.1 MB by query head and 0.5 MB by KV head, the copies 8.4 MB and 134 MB.
func BenchmarkPolicies(b *testing.B) {
	benchmarkPolicies(b, open(b, engine.BFloat16), 16384, 1024, 1<<29)
}

func benchmarkPolicies(b *testing.B, d *Device, n, capacity, copied int) {
	bandwidth := 0.0 // bytes a millisecond
	b.Run("copy", func(b *testing.B) {
		m := &decoder{d: d, b: b}
		from, to := m.new(d.kind, copied), m.new(d.kind, copied)
		defer d.Free(from, to)
		bandwidth = float64(2*from.Bytes()) / measure(b, d, func() { d.Copy(to, from) })
		b.ReportMetric(bandwidth/1e6, "GB/s")
	})
	for _, s := range []shape{llama2, mistral} {
		m := &decoder{shape: s, d: d, b: b}
		h := s.heads
		kv := m.kv(n)
		m.noise(kv.K, 1<<40)
		m.noise(kv.V, 2<<40)
		queries, columns := m.new(d.kind, n*h.Query*h.Size), m.new(engine.Float32, h.Query*n)
		m.noise(queries, 3<<40)
		m.noise(columns, 4<<40)
		output := must[engine.Weight](b)(d.LoadWeight([]engine.Stored{random{"output", s.width, h.Query * h.Size, 5 << 40}}, nil))
		l := compress.Layer{Index: 15, Layers: s.layers, Tokens: n, Attention: engine.Attention{Heads: h, Scale: 0.0884}, Angles: make([]float32, h.Size/2)}
		for _, definition := range compress.Definitions() {
			text := definition.Name
			if !definition.Unbudgeted {
				text = fmt.Sprintf("%s(cap=%d)", text, capacity)
			}
			v := must[compress.Variant](b)(compress.Parse(text))
			held := v.Needs(l).Held(n)
			source := compress.Source{KV: kv, Queries: queries.Slice((n-held)*h.Query*h.Size, queries.Len), Columns: columns, Output: output, Width: s.width}
			b.Run(s.name+"/"+definition.Name, func(b *testing.B) {
				read := &reading{Device: d}
				chooser := compress.NewChooser(read)
				defer chooser.Free()
				kept, host := 0, false
				layer := func() {
					read.bytes, read.waits, kept = 0, 0, 0
					choice := must[*compress.Choice](b)(chooser.Choose(source, l, []compress.Variant{v}))
					caches := must[[]engine.Cache](b)(d.Gather(kv, choice.Caches(), 64))
					host = choice.Kept[0].Host
					for _, length := range caches[0].Len {
						kept += length
					}
					d.FreeCache(caches...)
					choice.Free()
				}
				start := time.Now()
				layer()
				if err := d.Sync(); err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(0, "host")
				if host {
					b.ReportMetric(1, "host")
					b.ReportMetric(float64(time.Since(start))/1e6, "ms")
					b.ReportMetric(0, "ns/op")
				} else {
					ms := measure(b, d, layer)
					if t, ok := leastTraffic[definition.Name]; ok {
						bytes := t.bytes(h, n, d.kind.Size()) + float64(4*kept*h.Size*d.kind.Size())
						b.ReportMetric(bytes/1e6, "least-MB")
						b.ReportMetric(bytes/bandwidth, "least-ms")
						b.ReportMetric(ms/(bytes/bandwidth), "of-least")
					}
				}
				b.ReportMetric(float64(read.bytes)/1e3, "host-KB")
				b.ReportMetric(float64(read.waits), "waits")
			})
		}
		d.FreeWeight(output)
		d.Free(kv.K, kv.V, queries, columns)
	}
}

// reading counts what is read back from a device.
type reading struct {
	*Device
	bytes, waits int
}

func (r *reading) Get(dst []float32, src engine.Array) {
	r.bytes, r.waits = r.bytes+int(src.Bytes()), r.waits+1
	r.Device.Get(dst, src)
}

func (r *reading) GetInts(dst []int32, src engine.Array) {
	r.bytes, r.waits = r.bytes+int(src.Bytes()), r.waits+1
	r.Device.GetInts(dst, src)
}

package cuda

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/engine/cacheformat"
)

// BenchmarkCacheFormats is what caches in formats cost in the 8B shape, 32 query heads over 8 KV heads of 128,
// 16384 entries. "encode" is a layer's keys and values, all of them or a half, becoming codes: GB/s are
// bytes read and written. "attend" is attention of so many rows over a cache each, "native" that over 16 bits of the
// device's own: GB/s are the bytes that the caches hold, of which "of-roof" is the part of the memory's 4.8 TB/s.
func BenchmarkCacheFormats(b *testing.B) {
	benchFormats(b, engine.BFloat16, engine.Heads{Query: 32, KV: 8, Size: 128}, []string{"native", "f16", "fp8_s1", "int8_th", "q4_0", "kivi2", "kivi4", "tq_4bit_nc"}, []int{1, 8, 19, 64})
}

// BenchmarkCacheFormatsOf is the same of heads that attend_packed.cu alone has, and of float32.
func BenchmarkCacheFormatsOf(b *testing.B) {
	for _, c := range []struct {
		kind engine.Type
		h    engine.Heads
	}{{engine.BFloat16, engine.Heads{Query: 24, KV: 8, Size: 96}}, {engine.BFloat16, engine.Heads{Query: 16, KV: 4, Size: 256}}, {engine.Float32, engine.Heads{Query: 32, KV: 8, Size: 128}}} {
		b.Run(fmt.Sprintf("%v-%d", c.kind, c.h.Size), func(b *testing.B) {
			benchFormats(b, c.kind, c.h, []string{"native", "f16", "fp8_s1", "int8_th", "q4_0", "kivi2"}, []int{1, 19})
		})
	}
}

func benchFormats(b *testing.B, kind engine.Type, h engine.Heads, names []string, counts []int) {
	const n, roof = 16384, 4800
	d := open(b, kind)
	m := &decoder{shape: shape{heads: h}, d: d, b: b}
	kv, row := m.kv(n), h.Query*h.Size
	m.noise(kv.K, 1<<40)
	m.noise(kv.V, 2<<40)
	half := make([]int32, h.KV*n/2)
	for i := range half {
		half[i] = int32(2 * (i % (n / 2)))
	}
	positions := m.new(engine.Int32, len(half))
	d.PutInts(positions, half)
	for _, name := range names {
		make := func(kept engine.Kept) engine.Cache {
			if name == "native" {
				return must[[]engine.Cache](b)(d.Gather(kv, []engine.Kept{kept}, 64))[0]
			}
			return must[engine.Cache](b)(d.GatherQuantized(kv, kept, must[*cacheformat.Format](b)(cacheformat.Get(name)), nil, 64))
		}
		all := engine.Kept{All: true, Len: slices.Repeat([]int{n}, h.KV)}
		for _, kept := range []engine.Kept{all, {Positions: positions, Len: slices.Repeat([]int{n / 2}, h.KV)}} {
			entries := kept.Len[0]
			b.Run(fmt.Sprintf("%s/encode/%d", name, entries), func(b *testing.B) {
				var bytes int64
				ms := measure(b, d, func() {
					c := make(kept)
					bytes = c.Held(d.kind) + 2*int64(h.KV*entries*h.Size*d.kind.Size())
					d.FreeCache(c)
				})
				b.ReportMetric(float64(bytes)/ms/1e6, "GB/s")
			})
		}
		for _, rows := range counts {
			b.Run(fmt.Sprintf("%s/attend/%d", name, rows), func(b *testing.B) {
				var s []engine.Sequence
				var bytes int64
				for range rows {
					c := make(all)
					defer d.FreeCache(c)
					bytes += c.Held(d.kind)
					s = append(s, engine.Sequence{Caches: []engine.Cache{c}, Position: n})
				}
				batch := must[engine.Batch](b)(d.NewBatch(s, h))
				defer d.FreeBatch(batch)
				q, out := m.new(d.kind, rows*row), m.new(d.kind, rows*row)
				defer d.Free(q, out)
				m.noise(q, 3<<40)
				by := engine.Attention{Heads: h, Scale: float32(1 / math.Sqrt(float64(h.Size)))}
				ms := measure(b, d, func() { d.AttendCaches(out, q, batch, 0, by) })
				rate := float64(bytes) / ms / 1e6
				b.ReportMetric(rate, "GB/s")
				b.ReportMetric(rate/roof, "of-roof")
			})
		}
	}
}

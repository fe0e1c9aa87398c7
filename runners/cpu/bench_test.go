package cpu

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/engine/cacheformat"
	"github.com/snapbench/snapbench/runners/enginetest"
)

// The benchmarks run on the fastest kernels, or those SNAPBENCH_CPU names, with
// GOMAXPROCS threads.

func device(b *testing.B) *Device {
	d, err := New()
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { d.Close() })
	return d
}

func (d *Device) array(b *testing.B, n int) engine.Array {
	a, err := d.New(engine.Float32, n)
	if err != nil {
		b.Fatal(err)
	}
	v := f32("bench", a)
	for i := range v {
		v[i] = float32(i%17)/8 - 1
	}
	b.Cleanup(func() { d.Free(a) })
	return a
}

// perSecond reports work, in units of 1e9, by the clock.
func perSecond(b *testing.B, work float64, unit string) {
	b.ReportMetric(work*float64(b.N)/b.Elapsed().Seconds()/1e9, unit)
}

// BenchmarkProduct multiplies x (m, cols) by w (rows, cols): the shape that BLAS
// libraries are compared at, a prefill's and those of decoding.
func BenchmarkProduct(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, c := range []struct {
		storage       engine.Storage
		m, rows, cols int
	}{
		{engine.F32, 512, 2048, 2048}, {engine.BF16, 512, 2048, 2048}, {engine.Q4_1, 512, 2048, 2048},
		{engine.Q4_1, 512, 3072, 576}, {engine.Q4_1, 512, 576, 1536}, {engine.Q4_1, 512, 576, 576},
		{engine.Q4_1, 1, 3072, 576}, {engine.Q4_1, 25, 3072, 576}, {engine.Q4_1, 150, 3072, 576}, {engine.Q4_1, 25, 576, 1536},
		{engine.Q8_0, 1, 49152, 576}, {engine.Q8_0, 25, 49152, 576},
		{engine.Q8_0, 1, 262144, 640}, // Gemma 3 270M's output head
		{engine.Q4K, 1, 49152, 512}, {engine.Q6K, 1, 49152, 512}, {engine.F32, 1, 49152, 512},
		{engine.F32, 1, 49152, 576}, {engine.BF16, 1, 49152, 576}, {engine.F32, 25, 49152, 576}, {engine.F32, 2, 49152, 576}, {engine.Q8_0, 2, 49152, 576},
	} {
		b.Run(fmt.Sprintf("%s/%dx%dx%d", c.storage, c.m, c.rows, c.cols), func(b *testing.B) {
			d := device(b)
			w, err := d.LoadWeight([]engine.Stored{enginetest.Random("w", c.storage, c.rows, c.cols, rng)}, nil)
			if err != nil {
				b.Fatal(err)
			}
			defer d.FreeWeight(w)
			x, dst := d.array(b, c.m*c.cols), d.array(b, c.m*c.rows)
			d.MatMul(dst, x, w)
			b.ResetTimer()
			for range b.N {
				d.MatMul(dst, x, w)
			}
			perSecond(b, 2*float64(c.m)*float64(c.rows)*float64(c.cols), "GFLOP/s")
			perSecond(b, float64(w.Bytes()), "GB/s")
		})
	}
}

var benchHeads = engine.Heads{Query: 9, KV: 3, Size: 64}

// BenchmarkAttention is the last block of a 4K prompt.
func BenchmarkAttention(b *testing.B) {
	const n, m = 4096, 512
	d := device(b)
	h := benchHeads
	kv := engine.KV{K: d.array(b, h.KV*n*h.Size), V: d.array(b, h.KV*n*h.Size), Tokens: n, Heads: h.KV, Size: h.Size}
	q, out := d.array(b, m*h.Query*h.Size), d.array(b, m*h.Query*h.Size)
	for _, start := range []int{0, n/2 - m, n - m} {
		b.Run(fmt.Sprintf("%dat%d", m, start), func(b *testing.B) {
			b.ResetTimer()
			for range b.N {
				d.Attention(out, q, kv, start, engine.Attention{Heads: h, Scale: 0.125})
			}
			pairs := float64(m)*float64(start) + float64(m)*float64(m+1)/2
			perSecond(b, 4*pairs*float64(h.Query*h.Size), "GFLOP/s")
		})
	}
	dst := d.array(b, h.Query*(n-32))
	b.Run("window", func(b *testing.B) {
		for range b.N {
			d.WindowScores([]engine.Array{dst}, []int{32}, q.Slice(0, 32*h.Query*h.Size), kv, engine.Attention{Heads: h, Scale: 0.125})
		}
	})
}

// BenchmarkAttendCaches is one layer's attention of a decoding step: full caches of 4K and 8K tokens, 24 caches of 512
// rows, one per query head, and caches in formats. Gemma 3 270M has four query heads on one of 256 numbers.
func BenchmarkAttendCaches(b *testing.B) {
	gemma := engine.Heads{Query: 4, KV: 1, Size: 256}
	for _, c := range []struct {
		h                   engine.Heads
		rows, tokens, heads int
		format              string
	}{
		{benchHeads, 1, 4096, 3, ""}, {benchHeads, 24, 512, 9, ""}, {benchHeads, 25, 512, 3, ""},
		{benchHeads, 1, 8192, 3, ""}, {benchHeads, 1, 8192, 3, "q8_0"}, {benchHeads, 1, 8192, 3, "f16"},
		{gemma, 1, 8192, 1, ""}, {gemma, 1, 8192, 1, "q8_0"}, {gemma, 1, 8192, 1, "f16"}, {gemma, 1, 8192, 1, "q4_0"},
		{gemma, 1, 8192, 1, "fp8_s1"}, {gemma, 1, 8192, 1, "int8_th"}, {gemma, 1, 8192, 1, "kivi2"}, {gemma, 1, 8192, 1, "tq_4bit_nc"},
	} {
		b.Run(fmt.Sprintf("%dx%dx%dx%d%s", c.rows, c.tokens, c.heads, c.h.Size, c.format), func(b *testing.B) {
			d := device(b)
			h := c.h
			const layers = 12 // so that the caches do not fit in the processor's
			var seqs []engine.Sequence
			bytes := 0.0
			for range c.rows {
				s := engine.Sequence{Position: c.tokens}
				for range layers {
					cache := engine.Cache{Size: h.Size, Room: 1}
					for a := range c.heads {
						cache.Start, cache.Len = append(cache.Start, a*(c.tokens+1)), append(cache.Len, c.tokens)
					}
					cache.K, cache.V = d.array(b, c.heads*(c.tokens+1)*h.Size), d.array(b, c.heads*(c.tokens+1)*h.Size)
					if c.format != "" {
						f, err := cacheformat.Get(c.format)
						if err == nil {
							cache, err = d.Quantize(cache, f, nil, 1)
						}
						if err != nil {
							b.Fatal(err)
						}
					}
					bytes += float64(cache.Bytes()) / layers
					s.Caches = append(s.Caches, cache)
				}
				seqs = append(seqs, s)
			}
			batch, err := d.NewBatch(seqs, h)
			if err != nil {
				b.Fatal(err)
			}
			q, out := d.array(b, c.rows*h.Query*h.Size), d.array(b, c.rows*h.Query*h.Size)
			b.ResetTimer()
			for i := range b.N {
				d.AttendCaches(out, q, batch, i%layers, engine.Attention{Heads: h, Scale: 0.125})
			}
			perSecond(b, bytes, "GB/s")
		})
	}
}

// BenchmarkSelect is what a layer asks for 24 variants of a 4K prompt.
func BenchmarkSelect(b *testing.B) {
	d := device(b)
	const rows, m = 9, 4064
	scores := d.array(b, rows*m)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range f32("bench", scores) {
		f32("bench", scores)[i] = float32(math.Exp(-8 * rng.Float64()))
	}
	var s []engine.Selection
	for i := range 24 {
		dst, _ := d.New(engine.Int32, rows*(128<<(i%4)))
		s = append(s, engine.Selection{Scores: scores, Rows: rows, Count: 128<<(i%4) - 32, Tail: 32, Dst: dst})
	}
	for range b.N {
		d.Select(s)
	}
}

// BenchmarkElementwise is what a 512-row block needs beside products and attention.
func BenchmarkElementwise(b *testing.B) {
	d := device(b)
	const m, width, ff = 512, 576, 1536
	x, g, gateUp, dst := d.array(b, m*width), d.array(b, width), d.array(b, 2*m*ff), d.array(b, m*ff)
	b.Run("rms norm", func(b *testing.B) {
		for range b.N {
			d.RMSNorm(dst.Slice(0, m*width), x, g, 1e-5)
		}
	})
	b.Run("swiglu", func(b *testing.B) {
		for range b.N {
			d.Gate(dst, gateUp, ff, engine.Activation{})
		}
	})
	h := benchHeads
	qkv := d.array(b, m*(h.Query+2*h.KV)*h.Size)
	kv := engine.KV{K: d.array(b, h.KV*m*h.Size), V: d.array(b, h.KV*m*h.Size), Tokens: m, Heads: h.KV, Size: h.Size}
	f := make([]float32, h.Size/2)
	r, _ := d.NewRotary(engine.Rotation{Frequencies: f, Scale: 1}, m)
	b.Run("rotate", func(b *testing.B) {
		for range b.N {
			d.Rotate(dst.Slice(0, m*h.Query*h.Size), kv, qkv, 0, h, r, engine.QKNorm{})
		}
	})
	b.Logf("%d threads", runtime.GOMAXPROCS(0))
}

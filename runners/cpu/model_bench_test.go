package cpu

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/enginetest"
)

// shapeModel is the operations of a Llama of SmolLM2-135M's shape, with random
// weights stored as that file stores them: what a device costs end to end
// without a model's own code.
type shapeModel struct {
	*Device
	qkv, o, gateUp, down []engine.Weight
	table                engine.Weight
	norm                 engine.Array
	rotary               engine.Rotary
	buffers              map[string]engine.Array
}

const (
	shapeLayers = 30
	shapeWidth  = 576
	shapeFF     = 1536
	shapeVocab  = 49152
	shapeTokens = 4096
)

func newShapeModel(b *testing.B) *shapeModel {
	rng := rand.New(rand.NewPCG(1, 2))
	s := &shapeModel{Device: device(b), buffers: map[string]engine.Array{}}
	load := func(m ...engine.Stored) engine.Weight {
		w, err := s.LoadWeight(m, nil)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { s.FreeWeight(w) })
		return w
	}
	q4 := func(rows, cols int) engine.Stored { return enginetest.Random("w", engine.Q4_1, rows, cols, rng) }
	q, k, o, ff, down := q4(576, shapeWidth), q4(192, shapeWidth), q4(shapeWidth, 576), q4(shapeFF, shapeWidth), q4(shapeWidth, shapeFF)
	for range shapeLayers {
		s.qkv, s.o = append(s.qkv, load(q, k, k)), append(s.o, load(o))
		s.gateUp, s.down = append(s.gateUp, load(ff, ff)), append(s.down, load(down))
	}
	s.table = load(enginetest.Random("w", engine.Q8_0, shapeVocab, shapeWidth, rng))
	s.norm = s.array(b, shapeWidth)
	f := make([]float32, 32)
	s.rotary, _ = s.NewRotary(engine.Rotation{Frequencies: f, Scale: 1}, 2*shapeTokens)
	return s
}

func (s *shapeModel) buffer(b *testing.B, name string, n int) engine.Array {
	a, ok := s.buffers[name]
	if !ok {
		a = s.array(b, n)
		s.buffers[name] = a
	}
	return a.Slice(0, n)
}

// layer runs one layer on rows of x; mix is the layer's attention.
func (s *shapeModel) layer(b *testing.B, l int, x engine.Array, mix func(out, qkv engine.Array)) {
	m := x.Len / shapeWidth
	h := s.buffer(b, "h", m*shapeWidth)
	s.RMSNorm(h, x, s.norm, 1e-5)
	qkv := s.buffer(b, "qkv", m*960)
	s.MatMul(qkv, h, s.qkv[l])
	out := s.buffer(b, "out", m*576)
	mix(out, qkv)
	s.MatMulAdd(x, out, s.o[l])
	s.RMSNorm(h, x, s.norm, 1e-5)
	gu, a := s.buffer(b, "gateUp", m*2*shapeFF), s.buffer(b, "ff", m*shapeFF)
	s.MatMul(gu, h, s.gateUp[l])
	s.Gate(a, gu, shapeFF, engine.Activation{})
	s.MatMulAdd(x, a, s.down[l])
}

// BenchmarkPrefill takes a prompt of 4096 tokens through one layer, and reports
// what thirty would do.
func BenchmarkPrefill(b *testing.B) {
	s := newShapeModel(b)
	n, h := shapeTokens, benchHeads
	kv := engine.KV{K: s.array(b, h.KV*n*h.Size), V: s.array(b, h.KV*n*h.Size), Tokens: n, Heads: h.KV, Size: h.Size}
	x := s.array(b, n*shapeWidth)
	for _, block := range []int{512, 1024} {
		b.Run(fmt.Sprint(block), func(b *testing.B) {
			clear(s.buffers)
			s.buffer(b, "gateUp", block*2*shapeFF)
			b.ResetTimer()
			for i := range b.N {
				for start := 0; start < n; start += block {
					s.layer(b, i%shapeLayers, x.Slice(start*shapeWidth, (start+block)*shapeWidth), func(out, qkv engine.Array) {
						q := s.buffer(b, "q", block*576)
						s.Rotate(q, kv, qkv, start, h, s.rotary, engine.QKNorm{})
						s.Attention(out, q, kv, start, engine.Attention{Heads: h, Scale: 0.125})
					})
				}
			}
			perSecond(b, 1e9*float64(n)/shapeLayers, "tokens/s")
		})
	}
}

// BenchmarkStep is one decoding step: one full cache, and a grid of it with 24
// caches of 128 to 1024 rows, one per query head.
func BenchmarkStep(b *testing.B) {
	s := newShapeModel(b)
	h := benchHeads
	for _, c := range []struct{ full, small int }{{1024, 0}, {4096, 0}, {8192, 0}, {4096, 24}} {
		b.Run(fmt.Sprintf("full%d+%d", c.full, c.small), func(b *testing.B) {
			clear(s.buffers)
			var seqs []engine.Sequence
			bytes := 0.0
			for i := range 1 + c.small {
				heads, n := 3, c.full-1
				if i > 0 {
					heads, n = 9, 128<<(i%4)
				}
				q := engine.Sequence{Position: c.full - 1}
				for range shapeLayers {
					cache := engine.Cache{Size: h.Size, Room: 1}
					for a := range heads {
						cache.Start, cache.Len = append(cache.Start, a*(n+1)), append(cache.Len, n)
					}
					cache.K, cache.V = s.array(b, heads*(n+1)*h.Size), s.array(b, heads*(n+1)*h.Size)
					bytes += float64(cache.Bytes())
					q.Caches = append(q.Caches, cache)
				}
				seqs = append(seqs, q)
			}
			batch, err := s.NewBatch(seqs, h)
			if err != nil {
				b.Fatal(err)
			}
			m := len(seqs)
			x, q, logits := s.array(b, m*shapeWidth), s.array(b, m*576), s.array(b, m*shapeVocab)
			ids, _ := s.New(engine.Int32, m)
			step := func() {
				s.Embed(x, s.table, ids, 1)
				for l := range shapeLayers {
					s.layer(b, l, x, func(out, qkv engine.Array) {
						s.RotateAppend(q, batch, l, qkv, s.rotary, engine.QKNorm{})
						s.AttendCaches(out, q, batch, l, engine.Attention{Heads: h, Scale: 0.125})
					})
				}
				s.RMSNorm(x, x, s.norm, 1e-5)
				s.MatMul(logits, x, s.table)
				s.ArgMax(ids, logits)
			}
			step()
			b.ResetTimer()
			for range b.N {
				step()
			}
			b.ReportMetric(bytes/1e6, "cache-MB")
			perSecond(b, 1e9, "steps/s")
		})
	}
}

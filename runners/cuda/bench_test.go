package cuda

import (
	"fmt"
	"slices"
	"testing"

	"github.com/snapbench/snapbench/runners/engine"
)

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
						d.Embed(h, m.table, m.ids, 1)
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

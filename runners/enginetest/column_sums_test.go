package enginetest

import (
	"math"
	"testing"

	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/ref"
)

// TestReferenceColumnSums: every query pays one in all, and what the last queries pay to
// the keys before them are their window's scores.
func TestReferenceColumnSums(t *testing.T) {
	b := newBench(t, ref.New())
	h := engine.Heads{Query: 4, KV: 2, Size: 8}
	const n, w = 50, 6
	on := func(p *pair) engine.Array { return p.dev }
	for _, window := range []int{0, 9} {
		kv, q := b.kv(n, h), b.in(b.normal(n*32))
		dst := b.out32(4 * n)
		b.dev.ColumnSums(dst.dev, q.dev.Slice(0, (n-w)*32), kv.on(on), 0, engine.Attention{Heads: h, Window: window, Scale: 0.3})
		before := b.get(dst.dev)
		b.dev.ColumnSums(dst.dev, q.dev.Slice((n-w)*32, n*32), kv.on(on), n-w, engine.Attention{Heads: h, Window: window, Scale: 0.3})
		after := b.get(dst.dev)
		scores := b.out32(4 * (n - w))
		b.dev.WindowScores([]engine.Array{scores.dev}, []int{w}, q.dev.Slice((n-w)*32, n*32), kv.on(on), engine.Attention{Heads: h, Window: window, Scale: 0.3})
		want := b.get(scores.dev)
		for a := range h.Query {
			total := 0.0
			for j := range n {
				total += float64(after[a*n+j])
				if j >= n-w {
					continue
				}
				if diff := float64(after[a*n+j]) - float64(before[a*n+j]) - float64(want[a*(n-w)+j]); !(math.Abs(diff) <= 1e-5) {
					t.Errorf("window %d, head %d, key %d: the last queries' part is off by %v", window, a, j, diff)
				}
			}
			if !(math.Abs(total-n) <= 1e-5) {
				t.Errorf("window %d, head %d: %v in all, want %d", window, a, total, n)
			}
		}
	}
}

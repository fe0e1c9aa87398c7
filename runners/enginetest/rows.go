package enginetest

import (
	"fmt"

	"github.com/snapbench/snapbench/runners/engine"
)

// rows runs an operation on keys of every shape, in arrays that begin anywhere, twice: the
// same again gives the same bits.
func rows(b *bench, numbers func(h engine.Heads, n int) int, k func(h engine.Heads, n int) int, op func(d engine.Device, at func(*pair) engine.Array, dst *pair, x engine.Array, h engine.Heads, n int)) {
	b.Helper()
	for i, h := range headShapes {
		for _, n := range append([]int{256, 257}, sizes...) {
			if !b.affords(20 * n * h.KV * 64) { // a row is a warp's on some devices, however short
				continue
			}
			kv := b.kvFrom(i*n%2, n, h)
			dst := b.out32(numbers(h, n))
			run := func(d engine.Device, at func(*pair) engine.Array) { op(d, at, dst, kv.on(at).K, h, n) }
			b.both(run)
			what := fmt.Sprintf("%+v, %d rows", h, n)
			b.check(what, dst, dst.ref.Len, k(h, n))
			first := b.get(dst.dev)
			run(b.dev, func(p *pair) engine.Array { return p.dev })
			if err := same(b.get(dst.dev), first); err != nil {
				b.Errorf("%s, again: %v", what, err)
			}
			b.release()
		}
	}
}

func rowNorms(b *bench) {
	rows(b, func(h engine.Heads, n int) int { return h.KV * n }, func(h engine.Heads, _ int) int { return h.Size },
		func(d engine.Device, at func(*pair) engine.Array, dst *pair, x engine.Array, h engine.Heads, _ int) {
			d.RowNorms(at(dst), x, h.Size)
		})
}

func weightedRows(b *bench) {
	var w *pair
	rows(b, func(h engine.Heads, n int) int { w = b.in32(b.normal(h.KV * n)); return h.KV * h.Size }, func(_ engine.Heads, n int) int { return n },
		func(d engine.Device, at func(*pair) engine.Array, dst *pair, x engine.Array, h engine.Heads, _ int) {
			d.WeightedRows(at(dst), x, at(w), h.Size)
		})
}

func rowDots(b *bench) {
	for _, cosine := range []bool{false, true} {
		var v *pair
		// A sum of products may be small by chance, its error is that of the products.
		rows(b, func(h engine.Heads, n int) int { v = b.in32(b.normal(h.KV * h.Size)); return h.KV * n }, func(h engine.Heads, _ int) int { return 16 * h.Size },
			func(d engine.Device, at func(*pair) engine.Array, dst *pair, x engine.Array, h engine.Heads, _ int) {
				d.RowDots(at(dst), x, at(v), h.Size, cosine)
			})
	}
	// A row and a vector without a length.
	x, v, dst := b.in(append(make([]float32, 8), b.normal(24)...)), b.in32(append(b.normal(8), make([]float32, 8)...)), b.out32(4)
	b.both(func(d engine.Device, at func(*pair) engine.Array) { d.RowDots(at(dst), at(x), at(v), 8, true) })
	b.check("without a length", dst, 4, 16*8)
	if got := b.get(dst.dev); got[0] != 0 || got[1] == 0 || got[2] != 0 || got[3] != 0 {
		b.Errorf("cosines of nothing: %v", got)
	}
}

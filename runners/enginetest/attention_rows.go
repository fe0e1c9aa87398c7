package enginetest

import (
	"fmt"
	"math"

	"github.com/snapbench/snapbench/runners/engine"
)

// attentionRows: all columns, a part of them, queries with keys behind them, and windows that leave
// columns at either end to be zero. The same again gives the same bits.
func attentionRows(b *bench) {
	for _, h := range headShapes {
		for _, c := range []struct{ m, start, behind, columns, window int }{
			{1, 0, 0, 1, 0}, {33, 0, 0, 33, 0}, {16, 113, 0, 113, 0}, {7, 40, 25, 40, 0}, {5, 60, 9, 74, 0}, {32, 968, 32, 968, 0},
			{17, 400, 3, 400, 100}, {40, 220, 0, 260, 4}, {8, 70, 1, 50, 10}, {130, 390, 6, 500, 0},
		} {
			n := c.start + c.m + c.behind
			if c.m > 100 && seldom(h) || !b.affords(2*c.m*h.Query*h.Size*n) {
				continue
			}
			kv := b.kv(n, h)
			q, dst := b.in(b.normal(c.m*h.Query*h.Size)), b.out32(h.Query*c.m*c.columns)
			by := engine.Attention{Heads: h, Window: c.window, Scale: float32(1 / math.Sqrt(float64(h.Size)))}
			rows := func(d engine.Device, at func(*pair) engine.Array) {
				d.AttentionRows(at(dst), at(q), kv.on(at), c.start, by)
			}
			b.both(rows)
			what := fmt.Sprintf("%+v, %+v", h, c)
			b.check(what, dst, c.columns, h.Size+n)
			first := b.get(dst.dev)
			rows(b.dev, func(p *pair) engine.Array { return p.dev })
			if err := same(b.get(dst.dev), first); err != nil {
				b.Errorf("%s, again: %v", what, err)
			}
			b.release()
		}
	}
	// Rows that begin anywhere, and scores far apart: no power may overflow.
	h := engine.Heads{Query: 2, KV: 1, Size: 64}
	const m, n = 20, 150
	if !b.affords(2 * m * h.Query * h.Size * n) {
		return
	}
	kv := b.kvFrom(1, n, h)
	v := b.normal(1 + m*h.Query*h.Size)
	for i := range v {
		v[i] *= 60
	}
	q, dst := b.in(v), b.out32(h.Query*m*n)
	b.both(func(d engine.Device, at func(*pair) engine.Array) {
		d.AttentionRows(at(dst), at(q).Slice(1, q.ref.Len), kv.on(at), n-m, engine.Attention{Heads: h, Scale: 1})
	})
	b.check("scores far apart", dst, n, 64*1000*1000) // as in columnSums
	b.release()
}

// countAbove: counts are exact, a number equal to the threshold is not above it, and NaN is above nothing.
func countAbove(b *bench) {
	for _, m := range sizes {
		for _, c := range []struct{ groups, rows int }{{1, 1}, {3, 1}, {1, 7}, {5, 33}} {
			v := b.normal(c.groups * c.rows * m)
			for i := range v {
				switch b.rng.IntN(8) {
				case 0:
					v[i] = 0.25
				case 1:
					v[i] = float32(math.NaN())
				}
			}
			src, dst := b.in32(v), b.out32(c.groups*m)
			b.both(func(d engine.Device, at func(*pair) engine.Array) { d.CountAbove(at(dst), at(src), c.groups, 0.25) })
			what := fmt.Sprintf("%d rows in each of %d groups, %d columns", c.rows, c.groups, m)
			want := make([]float32, dst.ref.Len)
			b.ref.Get(want, dst.ref)
			if err := same(b.get(dst.dev), want); err != nil {
				b.Errorf("%s: %v", what, err)
			}
			b.unchanged(what)
			b.release()
		}
	}
}

// highestSums: another number of each group's rows, none and all of them, with equals at the border. The same again
// gives the same bits.
func highestSums(b *bench) {
	fill := map[string]func(int) float32{
		"normal": func(int) float32 { return float32(b.rng.NormFloat64()) },
		"shares": func(int) float32 { return float32(math.Exp(6*b.rng.NormFloat64() - 20)) },
		"few":    func(int) float32 { return float32(b.rng.IntN(3)) },
		"zeros":  func(int) float32 { return []float32{0, float32(math.Copysign(0, -1))}[b.rng.IntN(2)] },
		"close":  func(int) float32 { return 1 + float32(b.rng.IntN(4))*0x1p-23 },
		"equal":  func(int) float32 { return 0.25 },
	}
	for name, f := range fill {
		for _, m := range append([]int{2500}, sizes...) {
			counts := []int{0, 1, m / 3, m - 1, m}
			const rows = 2
			v := make([]float32, len(counts)*rows*m)
			for i := range v {
				v[i] = f(i)
			}
			src, dst := b.in32(v), b.out32(len(counts)*rows)
			sums := func(d engine.Device, at func(*pair) engine.Array) { d.HighestSums(at(dst), at(src), counts) }
			b.both(sums)
			what := fmt.Sprintf("%s, %d columns", name, m)
			k := m
			if name == "normal" {
				k = 64 * m // they have both signs: the error is that of the sum of their sizes
			}
			b.check(what, dst, rows*len(counts), k)
			first := b.get(dst.dev)
			sums(b.dev, func(p *pair) engine.Array { return p.dev })
			if err := same(b.get(dst.dev), first); err != nil {
				b.Errorf("%s, again: %v", what, err)
			}
			b.release()
		}
	}
}

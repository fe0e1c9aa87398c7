package enginetest

import (
	"fmt"
	"math"
	"slices"

	"github.com/snapbench/snapbench/runners/engine"
)

// columnSums runs a prompt's blocks in their order, as a prefill does: starting with NaN,
// which the contract has each block overwrite in its own columns. The same again gives the
// same bits, and so does attention with the sums besides.
func columnSums(b *bench) {
	for _, h := range headShapes {
		for _, c := range []struct {
			blocks []int // queries of each
			behind int   // keys behind the last
			window int
		}{
			{[]int{1}, 0, 0}, {[]int{31, 2}, 5, 0}, {[]int{33}, 0, 7}, {[]int{127, 1, 129}, 3, 0}, {[]int{128, 128}, 0, 0}, {[]int{40, 40, 40}, 9, 20},
			{[]int{257, 70}, 1, 1}, {[]int{300, 130}, 0, 129}, {[]int{130, 300}, 60, 250}, {[]int{1000}, 0, 0}, {[]int{70}, 2, 100_000}, {[]int{511, 33}, 0, 400},
		} {
			m := 0
			for _, q := range c.blocks {
				m += q
			}
			n := m + c.behind
			seen := m
			if c.window > 0 {
				seen = min(m, c.window+32)
			}
			if m > 129 && (m*h.Query*h.Size > 300_000 || seldom(h)) || !b.affords(4*m*h.Query*h.Size*seen) {
				continue
			}
			kv := b.kv(n, h)
			row := h.Query * h.Size
			q, out, dst := b.in(b.normal(m*row)), b.out(m*row), b.out32(h.Query*n)
			by := engine.Attention{Heads: h, Window: c.window, Scale: float32(1 / math.Sqrt(float64(h.Size)))}
			blocks := func(f func(start, end int)) {
				start := 0
				for _, rows := range c.blocks {
					f(start, start+rows)
					start += rows
				}
			}
			sums := func(d engine.Device, at func(*pair) engine.Array) {
				blocks(func(start, end int) {
					d.ColumnSums(at(dst), at(q).Slice(start*row, end*row), kv.on(at), start, by)
				})
			}
			b.both(sums)
			what := fmt.Sprintf("%+v, %+v", h, c)
			// Columns behind the last query stay the NaN they were on both sides.
			b.check(what, dst, n, h.Size+n+m)
			first := b.get(dst.dev)
			dev := func(p *pair) engine.Array { return p.dev }
			sums(b.dev, dev)
			if err := same(b.get(dst.dev), first); err != nil {
				b.Errorf("%s, again: %v", what, err)
			}
			blocks(func(start, end int) {
				b.dev.Attention(out.dev.Slice(start*row, end*row), q.dev.Slice(start*row, end*row), kv.on(dev), start, by)
			})
			attended := b.get(out.dev)
			for _, p := range []*pair{out, dst} { // nothing of what was before
				v := make([]float32, p.dev.Len)
				for i := range v {
					v[i] = float32(math.NaN())
				}
				b.dev.Put(p.dev, v)
			}
			blocks(func(start, end int) {
				engine.AttentionColumnSums(b.dev, out.dev.Slice(start*row, end*row), dst.dev, q.dev.Slice(start*row, end*row), kv.on(dev), start, by)
			})
			if err := same(b.get(out.dev), attended); err != nil {
				b.Errorf("%s, attention with sums: %v", what, err)
			}
			if err := same(b.get(dst.dev), first); err != nil {
				b.Errorf("%s, sums with attention: %v", what, err)
			}
			b.release()
		}
	}
	columnSumParts(b)
	// Rows that begin anywhere, and scores far apart: no power may overflow.
	for i, h := range []engine.Heads{{Query: 2, KV: 1, Size: 64}, {Query: 2, KV: 2, Size: 128}} {
		const m, start = 150, 40
		if !b.affords(4 * m * h.Query * h.Size * (start + m)) {
			continue
		}
		kv := b.kvFrom(1, start+m, h)
		v := b.normal(1 + m*h.Query*h.Size)
		scale := float32(0.125)
		if i == 1 {
			for x := range v {
				v[x] *= 60
			}
			scale = 1
		}
		before := slices.Repeat([]float32{3}, h.Query*(start+m))
		q, dst := b.in(v), b.in32(before)
		dst.input = nil // it is an output too
		b.both(func(d engine.Device, at func(*pair) engine.Array) {
			d.ColumnSums(at(dst), at(q).Slice(1, q.ref.Len), kv.on(at), start, engine.Attention{Heads: h, Scale: scale})
		})
		k := h.Size + start + m
		if i == 1 {
			k = 64 * 1000 * 1000 // a score of 1500 carries 64·ε·1500 of its own sum's error into the power
		}
		b.check(fmt.Sprintf("%+v, rows from number 1, scale %v", h, scale), dst, start+m, k)
		b.release()
	}
}

// columnSumParts has each part of the queries summed by itself.
func columnSumParts(b *bench) {
	for _, h := range headShapes {
		for _, c := range []struct{ parts, each, start, behind, window int }{
			{3, 16, 20, 5, 0}, {2, 7, 0, 0, 0}, {4, 12, 33, 30, 15}, {2, 128, 130, 3, 0}, {3, 132, 4, 1, 200},
		} {
			m := c.parts * c.each
			n := c.start + m + c.behind
			if !b.affords(4*m*h.Query*h.Size*n) || m > 129 && seldom(h) {
				continue
			}
			kv := b.kv(n, h)
			row := h.Query * h.Size
			q, dst := b.in(b.normal(m*row)), b.in32(slices.Repeat([]float32{2}, c.parts*h.Query*n))
			dst.input = nil // it is an output too
			by := engine.Attention{Heads: h, Window: c.window, Scale: float32(1 / math.Sqrt(float64(h.Size)))}
			b.both(func(d engine.Device, at func(*pair) engine.Array) {
				d.ColumnSums(at(dst), at(q), kv.on(at), c.start, by)
			})
			b.check(fmt.Sprintf("%+v, %+v", h, c), dst, n, h.Size+n+m)
			b.release()
		}
	}
}

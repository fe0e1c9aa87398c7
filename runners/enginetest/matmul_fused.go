package enginetest

import (
	"fmt"

	"github.com/snapbench/snapbench/runners/engine"
)

// fusedRows are few rows, part of a tile, a few tiles, and more tiles than a card computes at
// a time.
var fusedRows = []int{3, 65, 300, 2900}

func matMulGate(b *bench) {
	for i, c := range []struct{ width, ff int }{{64, 33}, {520, 136}, {72, 200}, {64, 1032}} {
		w := b.weight([]engine.Stored{b.matrix(engine.BF16, c.ff, c.width), b.matrix(engine.BF16, c.ff, c.width)}, nil)
		for j, m := range fusedRows {
			if m == 2900 && c.width == 520 || !b.affords(m*c.width*2*c.ff) {
				continue
			}
			x, room, dst := b.in(b.normal(m*c.width)), b.out(m*2*c.ff), b.out(m*c.ff)
			a := activations[(i+j)%len(activations)]
			b.both(func(d engine.Device, at func(*pair) engine.Array) {
				engine.MatMulGate(d, at(dst), at(room), at(x), b.on(d, w), a)
			})
			b.checkChain(fmt.Sprintf("%v, %d rows of %d to %d", a.Kind, m, c.width, c.ff), dst, m*c.ff, c.width, 3)
			b.release()
		}
	}
}

func matMulRotate(b *bench) {
	const start, width = 37, 136
	for i, h := range []engine.Heads{{Query: 3, KV: 1, Size: 64}, {Query: 2, KV: 2, Size: 128}, {Query: 3, KV: 1, Size: 128}, {Query: 2, KV: 1, Size: 96}} {
		q, kv := h.Query*h.Size, h.KV*h.Size
		var bias []engine.Stored
		if i%2 == 0 {
			bias = []engine.Stored{b.matrix(engine.F32, 1, q), b.matrix(engine.F32, 1, kv), nil}
		}
		w := b.weight([]engine.Stored{b.matrix(engine.BF16, q, width), b.matrix(engine.BF16, kv, width), b.matrix(engine.BF16, kv, width)}, bias)
		all := rotations(h.Size, start+100)
		whole, partial := b.rotary(all[4*(i%2)], 4000), b.rotary(all[2], 4000)
		for _, m := range fusedRows {
			for _, of := range []struct{ norm, partial bool }{{}, {norm: true}, {partial: true}} {
				norm, r := of.norm, whole
				if of.partial {
					r = partial
				}
				if (norm || of.partial) && m != 300 || !b.affords(m*width*(q+2*kv)) {
					continue
				}
				n := start + m + 3
				x, room := b.in(b.normal(m*width)), b.out(m*(q+2*kv))
				to, k, v := b.out(m*q), b.out(h.KV*n*h.Size), b.out(h.KV*n*h.Size)
				g := b.in32(b.normal(h.Size))
				b.both(func(d engine.Device, at func(*pair) engine.Array) {
					var qk engine.QKNorm
					if norm {
						qk = engine.QKNorm{Query: at(g), Key: at(g), Epsilon: 1e-6}
					}
					engine.MatMulRotate(d, at(to), kvPair{k, v, n, h, 0}.on(at), at(room), at(x), b.on(d, w), start, h, r(d), qk)
				})
				what := fmt.Sprintf("%+v, %d rows, %+v", h, m, of)
				b.checkChain(what+": q", to, m*q, width, 2)
				// Rows outside start…start+m stay the NaN they were on both sides.
				b.checkChain(what+": k", k, h.KV*n*h.Size, width, 2)
				b.check(what+": v", v, h.KV*n*h.Size, width)
				b.release()
			}
		}
	}
}

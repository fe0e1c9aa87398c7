package enginetest

import (
	"fmt"

	"github.com/snapbench/snapbench/runners/engine"
)

// activations are all formulas, the clamped one with gpt-oss's numbers.
var activations = []engine.Activation{
	{Kind: engine.SwiGLU}, {Kind: engine.TanhGEGLU}, {Kind: engine.ClampedSwiGLU, Alpha: 1.702, Limit: 7},
}

func gate(b *bench) {
	for _, a := range activations {
		// SwiGLU's numbers are compared one by one, extremes by the row. The others' small ones are differences, in 1+tanh
		// and in u+1: they are compared by the row, extremes beside the largest of all.
		rows := func(m, ff int) (one, extreme int) { return ff, m * ff }
		if a.Kind == engine.SwiGLU {
			rows = func(_, ff int) (one, extreme int) { return 1, ff }
		}
		for _, ff := range []int{8, 33, 96, 1536} {
			for _, m := range sizes {
				if m*ff > 400_000 || !b.affords(40*m*ff) {
					continue
				}
				one, extreme := rows(m, ff)
				v := b.normal(m * 2 * ff)
				for i := range v {
					v[i] *= 4
				}
				v[0] = 0
				x, dst := b.in(v), b.out(m*ff)
				b.both(func(d engine.Device, at func(*pair) engine.Array) { d.Gate(at(dst), at(x), ff, a) })
				b.check(fmt.Sprintf("%v (%d, %d)", a.Kind, m, ff), dst, one, 4)
				// Where the power leaves the range of the type.
				extremes := []float32{-30, 30, -60, 60, -88, 88, -89, 89, -100, 100, -1000, 1000}
				for i := range v {
					v[i] = extremes[b.rng.IntN(len(extremes))]
				}
				x, dst = b.in(v), b.out(m*ff)
				b.both(func(d engine.Device, at func(*pair) engine.Array) { d.Gate(at(dst), at(x), ff, a) })
				b.check(fmt.Sprintf("%v, extremes (%d, %d)", a.Kind, m, ff), dst, extreme, 4)
				b.release()
			}
		}
	}
}

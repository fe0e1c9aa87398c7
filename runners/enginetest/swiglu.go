package enginetest

import (
	"fmt"

	"github.com/snapbench/snapbench/runners/engine"
)

func swiGLU(b *bench) {
	for _, ff := range []int{8, 33, 96, 1536} {
		for _, m := range sizes {
			if m*ff > 400_000 || !b.affords(40*m*ff) {
				continue
			}
			v := b.normal(m * 2 * ff)
			for i := range v {
				v[i] *= 4
			}
			v[0] = 0
			x, dst := b.in(v), b.out(m*ff)
			b.both(func(d engine.Device, at func(*pair) engine.Array) { d.SwiGLU(at(dst), at(x), ff) })
			b.check(fmt.Sprintf("(%d, %d)", m, ff), dst, 1, 4)
			// Where the power leaves the range of the type: compared by the row.
			extremes := []float32{-30, 30, -60, 60, -88, 88, -89, 89, -100, 100, -1000, 1000}
			for i := range v {
				v[i] = extremes[b.rng.IntN(len(extremes))]
			}
			x, dst = b.in(v), b.out(m*ff)
			b.both(func(d engine.Device, at func(*pair) engine.Array) { d.SwiGLU(at(dst), at(x), ff) })
			b.check(fmt.Sprintf("extremes (%d, %d)", m, ff), dst, ff, 4)
			b.release()
		}
	}
}

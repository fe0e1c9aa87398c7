package enginetest

import (
	"fmt"
	"math"

	"github.com/snapbench/snapbench/runners/engine"
)

func windowScores(b *bench) {
	for _, h := range headShapes {
		for _, c := range []struct {
			n, rows int
			w       []int
			window  int
		}{
			{33, 32, []int{32}, 0}, {40, 8, []int{8, 3}, 0}, {129, 32, []int{32}, 0}, {1000, 16, []int{16}, 0}, {1000, 33, []int{33}, 0}, {777, 64, []int{64}, 0},
			{500, 32, []int{32}, 100}, {260, 8, []int{8}, 4},
			{1000, 40, []int{16, 32}, 0}, {300, 64, []int{64, 5, 33}, 0}, {300, 33, []int{8, 33, 1, 16}, 50}, {70, 64, []int{64, 32}, 0},
		} {
			if !b.affords(2 * c.rows * len(c.w) * h.Query * h.Size * c.n) {
				continue
			}
			kv := b.kv(c.n, h)
			q := b.in(b.normal(c.rows * h.Query * h.Size))
			dst := make([]*pair, len(c.w))
			for x, w := range c.w {
				dst[x] = b.out32(h.Query * (c.n - w))
			}
			by := engine.Attention{Heads: h, Window: c.window, Scale: float32(1 / math.Sqrt(float64(h.Size)))}
			b.both(func(d engine.Device, at func(*pair) engine.Array) {
				arrays := make([]engine.Array, len(dst))
				for x := range dst {
					arrays[x] = at(dst[x])
				}
				d.WindowScores(arrays, c.w, at(q), kv.on(at), by)
			})
			for x, w := range c.w {
				b.check(fmt.Sprintf("%+v, %+v: %d", h, c, w), dst[x], c.n-w, h.Size+c.n)
			}
			b.release()
		}
	}
}

package enginetest

import (
	"fmt"

	"github.com/snapbench/snapbench/runners/engine"
)

func rmsNorm(b *bench) {
	for _, width := range []int{8, 80, 129, 576, 4096} {
		for _, m := range sizes {
			if width*m > 600_000 || !b.affords(4*width*m) {
				continue
			}
			x, g, dst := b.in(b.normal(m*width)), b.in32(b.normal(width)), b.out(m*width)
			b.both(func(d engine.Device, at func(*pair) engine.Array) { d.RMSNorm(at(dst), at(x), at(g), 1e-5) })
			b.check(fmt.Sprintf("(%d, %d)", m, width), dst, width, 1)
			dst = b.in(b.normal(m * width))
			dst.input = nil
			b.both(func(d engine.Device, at func(*pair) engine.Array) { d.RMSNormAdd(at(dst), at(x), at(g), 1e-5) })
			b.check(fmt.Sprintf("add (%d, %d)", m, width), dst, width, 1)
			b.release()
		}
	}
}

package enginetest

import (
	"fmt"

	"github.com/snapbench/snapbench/runners/engine"
)

func groupScores(b *bench) {
	for _, h := range headShapes {
		for _, m := range sizes {
			for _, how := range []engine.Grouping{engine.GroupMean, engine.GroupMax} {
				src, dst := b.in32(b.normal(h.Query*m)), b.out32(h.KV*m)
				b.both(func(d engine.Device, at func(*pair) engine.Array) { d.GroupScores(at(dst), at(src), h, how) })
				b.check(fmt.Sprintf("%+v, %d, grouping %d", h, m, how), dst, m, 0)
				b.release()
			}
		}
	}
}

func poolScores(b *bench) {
	for _, m := range sizes {
		for _, kernel := range []int{1, 3, 5, 7, 13, 63} {
			for _, kind := range []engine.Pooling{engine.AveragePooling, engine.MaxPooling} {
				v := b.normal(3 * m)
				for i := range v[:m] {
					v[i] = -1 - v[i]*v[i] // padding with zeros must not win
				}
				src, dst := b.in32(v), b.out32(3*m)
				b.both(func(d engine.Device, at func(*pair) engine.Array) { d.PoolScores(at(dst), at(src), 3, kernel, kind) })
				b.check(fmt.Sprintf("(3, %d), kernel %d, kind %d", m, kernel, kind), dst, m, kernel)
				b.release()
			}
		}
	}
}

package enginetest

import (
	"fmt"
	"math"

	"github.com/snapbench/snapbench/runners/engine"
)

func groupScores(b *bench) {
	for _, h := range headShapes {
		for _, m := range sizes {
			for _, how := range []engine.Grouping{engine.GroupMean, engine.GroupMax, engine.GroupAll} {
				src, dst := b.in32(b.normal(h.Query*m)), b.out32(h.KV*m)
				b.both(func(d engine.Device, at func(*pair) engine.Array) { d.GroupScores(at(dst), at(src), h, how) })
				b.check(fmt.Sprintf("%+v, %d, grouping %d", h, m, how), dst, m, 0)
				b.release()
			}
		}
	}
}

// combineScores: both inputs, either alone, one row for all, narrower results, and results
// in the place of an input.
func combineScores(b *bench) {
	const rows = 3
	for _, m := range append([]int{255, 256, 257}, sizes...) {
		for _, how := range []engine.Combination{engine.ScoresTimes, engine.ScoresOver, engine.ScoresPlus} {
			for _, c := range []struct {
				wider, right int  // columns that a has besides, rows of b
				ones         bool // no a
				over         int  // the input that the result replaces: 1 a, 2 b
			}{
				{0, rows, false, 0}, {17, rows, false, 0}, {5, 1, false, 0}, {0, 0, false, 0}, {9, 0, false, 0},
				{0, rows, true, 0}, {0, 1, true, 0}, {0, rows, false, 1}, {0, 1, false, 1}, {3, rows, false, 2},
			} {
				v := b.normal(c.right * m)
				if len(v) > 2 {
					v[0], v[len(v)/2] = 0, float32(math.Inf(1)) // a quotient may be infinite, or nothing
				}
				none := &pair{}
				left, right, dst := none, none, none
				if !c.ones {
					left = b.in32(b.normal(rows * (m + c.wider)))
				}
				if c.right > 0 {
					right = b.in32(v)
				}
				switch c.over {
				case 0:
					dst = b.out32(rows * m)
				case 1:
					dst = left
				case 2:
					dst = right
				}
				dst.input = nil // it is an output too
				b.both(func(d engine.Device, at func(*pair) engine.Array) {
					d.CombineScores(at(dst), at(left), at(right), rows, how, -0.75)
				})
				b.check(fmt.Sprintf("(%d, %d), combination %d, %+v", rows, m, how, c), dst, 1, 1)
				b.release()
			}
		}
	}
}

func chunkMeans(b *bench) {
	const rows = 3
	for _, m := range append([]int{20, 255, 257}, sizes...) {
		for _, size := range []int{1, 3, 16, 20, 128, 1001} {
			if !b.affords(4 * rows * m * min(m, size)) {
				continue
			}
			src, dst := b.in32(b.normal(rows*m)), b.out32(rows*m)
			b.both(func(d engine.Device, at func(*pair) engine.Array) { d.ChunkMeans(at(dst), at(src), rows, size) })
			b.check(fmt.Sprintf("(%d, %d), chunks of %d", rows, m, size), dst, rows*m, size)
			first := b.get(dst.dev)
			b.dev.ChunkMeans(dst.dev, src.dev, rows, size)
			if err := same(b.get(dst.dev), first); err != nil {
				b.Errorf("(%d, %d), chunks of %d, again: %v", rows, m, size, err)
			}
			b.release()
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

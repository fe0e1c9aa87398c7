package enginetest

import (
	"fmt"
	"math"

	"github.com/snapbench/snapbench/runners/engine"
)

func selectRows(b *bench) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	negativeZero := float32(math.Copysign(0, -1))
	fill := map[string]func(int) float32{
		"normal":    func(int) float32 { return float32(b.rng.NormFloat64()) },
		"equal":     func(int) float32 { return 0.25 },
		"few":       func(int) float32 { return float32(b.rng.IntN(3)) },
		"zeros":     func(i int) float32 { return []float32{0, negativeZero}[b.rng.IntN(2)] },
		"NaN":       func(i int) float32 { return []float32{nan, 1, -1, nan, inf, -inf, 0}[b.rng.IntN(7)] },
		"all NaN":   func(int) float32 { return nan },
		"close":     func(int) float32 { return 1 + float32(b.rng.IntN(4))*0x1p-23 },
		"tiny":      func(int) float32 { return float32(b.rng.IntN(5)-2) * 0x1p-149 },
		"ascending": func(i int) float32 { return float32(i) },
	}
	for name, f := range fill {
		for _, m := range sizes {
			const rows = 3
			v := make([]float32, rows*m)
			for i := range v {
				v[i] = f(i)
			}
			src := b.pair(engine.Float32, len(v))
			b.dev.Put(src.dev, v)
			b.ref.Put(src.ref, v)
			src.input = v
			// All in one call, as a layer does for its variants.
			var dst []*pair
			counts := []int{0, 1, m / 3, m - 1, m}
			tails := []int{0, 32, 7, 0, 1}
			for i := range counts {
				dst = append(dst, b.outInts(rows*(counts[i]+tails[i])))
			}
			b.both(func(d engine.Device, at func(*pair) engine.Array) {
				var s []engine.Selection
				for i := range counts {
					s = append(s, engine.Selection{Scores: at(src), Rows: rows, Count: counts[i], Tail: tails[i], Dst: at(dst[i])})
				}
				d.Select(s)
			})
			for i := range counts {
				b.checkInts(fmt.Sprintf("%s: %d of %d, tail %d", name, counts[i], m, tails[i]), dst[i])
			}
			b.release()
		}
	}
}

// selectCounts asks for another number of each row's scores, and for the first positions
// before all others, whatever their scores.
func selectCounts(b *bench) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	const rows = 5
	for _, m := range sizes {
		for name, f := range map[string]func() float32{
			"normal": func() float32 { return float32(b.rng.NormFloat64()) },
			"few":    func() float32 { return []float32{nan, 1, -1, inf, -inf, 0, 1}[b.rng.IntN(7)] },
		} {
			v := make([]float32, rows*m)
			for i := range v {
				v[i] = f()
			}
			v[0], v[len(v)-1] = nan, inf // the protected one is NaN, the last the highest
			src := b.pair(engine.Float32, len(v))
			b.dev.Put(src.dev, v)
			b.ref.Put(src.ref, v)
			src.input = v
			asked := []engine.Selection{
				{Count: m / 2, Head: min(m, 4)},
				{Count: m / 3, Head: m, Tail: 3}, // all are protected: the earliest
				{Count: min(m, 2), Head: min(m, 4)},
				{Counts: []int{0, m, m / 2, m / 2, 1}, Tail: 2},
				{Counts: []int{m / 3, 0, 0, m - 1, m}, Head: min(m, 5)},
				{Counts: []int{0, 0, 0, 0, 0}, Count: -1},
				{Counts: []int{0, 0, 0, 0, 1}},
			}
			dst := make([]*pair, len(asked))
			for i := range asked {
				asked[i].Rows = rows
				dst[i] = b.outInts(asked[i].Len())
			}
			b.both(func(d engine.Device, at func(*pair) engine.Array) {
				var s []engine.Selection
				for i, a := range asked {
					a.Scores, a.Dst = at(src), at(dst[i])
					s = append(s, a)
				}
				d.Select(s)
			})
			for i, a := range asked {
				b.checkInts(fmt.Sprintf("%s: %d of %d, counts %v, head %d, tail %d", name, a.Count, m, a.Counts, a.Head, a.Tail), dst[i])
			}
			b.release()
		}
	}
}

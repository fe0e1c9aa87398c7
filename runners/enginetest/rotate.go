package enginetest

import (
	"fmt"
	"math"

	"github.com/snapbench/snapbench/runners/engine"
)

func frequencies(size int, theta float64) []float32 {
	f := make([]float32, size/2)
	for i := range f {
		f[i] = float32(1 / math.Pow(theta, float64(2*i)/float64(size)))
	}
	return f
}

// rotaries makes the same rotation on both devices.
func (b *bench) rotary(size, n int, scale float32) func(engine.Device) engine.Rotary {
	b.Helper()
	dev, err := b.dev.NewRotary(frequencies(size, 10000), scale, n)
	b.must(err)
	on, err := b.ref.NewRotary(frequencies(size, 10000), scale, n)
	b.must(err)
	if dev.Positions() < n {
		b.Errorf("a rotary for %d positions serves %d", n, dev.Positions())
	}
	b.Cleanup(func() { b.dev.FreeRotary(dev) })
	return func(d engine.Device) engine.Rotary {
		if d == engine.Device(b.ref) {
			return on
		}
		return dev
	}
}

func rotate(b *bench) {
	for i, h := range headShapes {
		r := b.rotary(h.Size, 2000, 1+0.25*float32(i%2))
		for _, m := range sizes {
			start := []int{0, 5, 255}[m%3]
			n := start + m + 3
			row := (h.Query + 2*h.KV) * h.Size
			if !b.affords(40 * m * row) {
				continue
			}
			x := b.in(b.normal(m * row))
			q, k, v := b.out(m*h.Query*h.Size), b.out(h.KV*n*h.Size), b.out(h.KV*n*h.Size)
			norm := [2]*pair{b.in32(b.normal(h.Size)), b.in32(b.normal(h.Size))}
			withNorm := m%2 == 1
			b.both(func(d engine.Device, at func(*pair) engine.Array) {
				var qk engine.QKNorm
				if withNorm {
					qk = engine.QKNorm{Query: at(norm[0]), Key: at(norm[1]), Epsilon: 1e-6}
				}
				d.Rotate(at(q), kvPair{k, v, n, h, 0}.on(at), at(x), start, h, r(d), qk)
			})
			what := fmt.Sprintf("%+v, %d rows from %d", h, m, start)
			b.check(what+": q", q, h.Size, 2)
			// Rows outside start…start+m stay the NaN they were on both sides.
			b.check(what+": k", k, h.Size, 2)
			b.check(what+": v", v, h.Size, 0)
			b.release()
		}
	}
}

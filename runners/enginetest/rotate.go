package enginetest

import (
	"fmt"
	"math"

	"github.com/snapbench/snapbench/runners/engine"
)

// rotations turns heads in every way that a model may: whole, with an amplitude, in part
// (of aligned and of odd width), and with other frequencies from a position on.
func rotations(size, from int) []engine.Rotation {
	whole := frequencies(size, 10000)
	return []engine.Rotation{
		{Frequencies: whole, Scale: 1},
		{Frequencies: whole, Scale: 1.25},
		{Frequencies: frequencies(size/4*3, 10000), Scale: 0.75},
		{Frequencies: whole[:size/4|1], Scale: 1},
		{Frequencies: whole, Scale: 1.125, Later: frequencies(size, 400), From: from},
	}
}

func frequencies(size int, theta float64) []float32 {
	f := make([]float32, size/2)
	for i := range f {
		f[i] = float32(1 / math.Pow(theta, float64(2*i)/float64(size)))
	}
	return f
}

// rotary makes the same rotation on both devices.
func (b *bench) rotary(r engine.Rotation, n int) func(engine.Device) engine.Rotary {
	b.Helper()
	dev, err := b.dev.NewRotary(r, n)
	b.must(err)
	on, err := b.ref.NewRotary(r, n)
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
	for _, bad := range []engine.Rotation{{Scale: 1}, {Frequencies: []float32{1, 0.1}, Later: []float32{1}}, {Frequencies: []float32{1}, From: -1}} {
		if _, err := b.dev.NewRotary(bad, 10); err == nil {
			b.Errorf("%+v is prepared", bad)
		}
	}
	for i, h := range headShapes {
		for j, m := range sizes {
			start := []int{0, 5, 255}[m%3]
			n := start + m + 3
			all := rotations(h.Size, start+m/2)
			rotation := all[(i+j)%len(all)]
			r := b.rotary(rotation, 2000)
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
			what := fmt.Sprintf("%+v, %d rows from %d, %d pairs scaled by %g, %d from %d on", h, m, start,
				len(rotation.Frequencies), rotation.Scale, len(rotation.Later), rotation.From)
			b.check(what+": q", q, h.Size, 2)
			// Rows outside start…start+m stay the NaN they were on both sides.
			b.check(what+": k", k, h.Size, 2)
			b.check(what+": v", v, h.Size, 0)
			b.release()
		}
	}
}

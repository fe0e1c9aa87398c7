package enginetest

import (
	"fmt"
	"testing"

	"github.com/snapbench/snapbench/runners/engine"
)

// companySteps holds that in a decoding step of any number of rows a row has the bits that it
// has in one of few, also where a device computes so many rows by other kernels.
func companySteps(t *testing.T, d engine.Device, open func(t *testing.T) *bench) {
	const m = 150
	sizes := []int{1, 8, 19, 48, 49, 64, 65, 96, 97, 128, m}
	rows := func(t *testing.T, what string, b *bench, in, out int, op func(dst, x engine.Array)) {
		defer b.release()
		work := 0
		for _, n := range sizes {
			work += n
		}
		if !b.affords(work * in * out) {
			return
		}
		x, whole := b.in(b.normal(m*in)), b.out(m*out)
		engine.Step(d, func() { op(whole.dev, x.dev) })
		want := b.get(whole.dev)
		for i, n := range sizes {
			lo := (m - n) * i / len(sizes)
			dst := b.out(n * out)
			engine.Step(d, func() { op(dst.dev, x.dev.Slice(lo*in, (lo+n)*in)) })
			if err := same(b.get(dst.dev), want[lo*out:(lo+n)*out]); err != nil {
				t.Errorf("%s: rows %d to %d of %d in a step of their own: %v", what, lo, lo+n, m, err)
			}
		}
	}
	t.Run("products", func(t *testing.T) {
		b := open(t)
		for i, c := range []struct{ rows, cols int }{{75, 96}, {300, 72}, {33, 1160}} {
			s := Storages[i%len(Storages)]
			if c.cols%32 != 0 {
				s = engine.F32
			}
			w := b.weight([]engine.Stored{b.matrix(s, c.rows, c.cols)}, []engine.Stored{b.matrix(engine.F32, 1, c.rows)})
			rows(t, fmt.Sprintf("%s (%d, %d)", s, c.rows, c.cols), b, c.cols, c.rows, func(dst, x engine.Array) { d.MatMul(dst, x, w.dev) })
			rows(t, fmt.Sprintf("%s (%d, %d) added", s, c.rows, c.cols), b, c.cols, c.rows, func(dst, x engine.Array) {
				d.Put(dst, make([]float32, dst.Len))
				d.MatMulAdd(dst, x, w.dev)
			})
		}
	})
	t.Run("gate and up", func(t *testing.T) {
		const width, ff = 72, 40
		b := open(t)
		w := b.weight([]engine.Stored{b.matrix(engine.F32, 2*ff, width)}, nil)
		rows(t, "gate and up", b, width, ff, func(dst, x engine.Array) {
			engine.MatMulGate(d, dst, b.out(2*dst.Len).dev, x, w.dev, engine.Activation{})
		})
	})
	t.Run("mixture", func(t *testing.T) {
		const width, ff, experts = 64, 32, 3
		b := open(t)
		e := engine.Experts{Router: b.weight([]engine.Stored{b.matrix(engine.F32, experts, width)}, nil).dev, PerToken: 2}
		for range experts {
			e.GateUp = append(e.GateUp, b.weight([]engine.Stored{b.matrix(engine.F32, 2*ff, width)}, nil).dev)
			e.Down = append(e.Down, b.weight([]engine.Stored{b.matrix(engine.F32, width, ff)}, nil).dev)
		}
		rows(t, "mixture", b, width, width, func(dst, x engine.Array) {
			d.Put(dst, make([]float32, dst.Len))
			d.MixtureAdd(dst, x, e)
		})
	})
}

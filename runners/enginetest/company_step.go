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
	t.Run("norms and products", func(t *testing.T) { // where one operation may leave to the next how it reads
		const width, ff = 96, 64
		b := open(t)
		up, down := b.weight([]engine.Stored{b.matrix(engine.F32, 2*ff, width)}, nil), b.weight([]engine.Stored{b.matrix(engine.F32, width, ff)}, nil)
		gain := b.in32(b.normal(width))
		b.all = nil // release must not free it
		rows(t, "norms and products", b, width, width, func(dst, x engine.Array) {
			m := dst.Len / width
			both, joined := b.out(2*m*ff), b.out(m*ff)
			d.RMSNorm(dst, x, gain.dev, 1e-5)
			engine.MatMulGate(d, joined.dev, both.dev, dst, up.dev, engine.Activation{})
			d.MatMulAdd(dst, joined.dev, down.dev)
		})
		d.Free(gain.dev)
	})
	t.Run("linear attention and products", func(t *testing.T) {
		attender, ok := d.(engine.LinearAttender)
		if !ok {
			return
		}
		const width = 40
		b := open(t)
		_, weights := b.linear(2, 4, 8, 16, 4)
		by := weights(func(p *pair) engine.Array { return p.dev })
		given := b.all
		b.all = nil // release must not free them
		states, last := by.StateLen()
		out := b.weight([]engine.Stored{b.matrix(engine.F32, width, by.Out())}, nil)
		rows(t, "linear attention and a product", b, by.In(), width, func(dst, x engine.Array) {
			m := dst.Len / width
			s, tail, mixed := b.in32(make([]float32, m*states)), b.in32(make([]float32, m*last)), b.out(m*by.Out())
			var list []engine.Sequence
			for i := range m {
				own := engine.State{S: s.dev.Slice(i*states, (i+1)*states), Conv: tail.dev.Slice(i*last, (i+1)*last)}
				list = append(list, engine.Sequence{Caches: []engine.Cache{{Room: 1, Size: 8, State: own}}})
			}
			batch, err := d.NewBatch(list, engine.Heads{Query: 1, KV: 1, Size: 8})
			b.must(err)
			d.Put(dst, make([]float32, dst.Len))
			attender.AttendStates(mixed.dev, x, batch, 0, by)
			d.MatMulAdd(dst, mixed.dev, out.dev)
			b.Cleanup(func() { d.FreeBatch(batch) })
		})
		for _, p := range given {
			d.Free(p.dev)
		}
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

package enginetest

import (
	"fmt"
	"math"
	"testing"

	"github.com/snapbench/snapbench/runners/engine"
)

// company are the numbers of rows that are computed together.
var company = []int{1, 2, 7, 25, 40, 64}

// companyCases test that a row of a result has the same bits whatever other rows the call
// computes. Each case computes 64 rows at once, then pieces of them.
func companyCases(t *testing.T, d engine.Device, o Options) {
	const m = 64
	const many = 200 // a case here may take as much as so many of the others
	open := func(t *testing.T) *bench {
		b := newBench(t, d)
		b.work, b.left = o.Work, many*o.Work
		t.Cleanup(b.account)
		return b
	}
	const all = 4 * m // rows computed in a case, together and in pieces
	pieces := func(f func(lo, hi int)) {
		for _, n := range company {
			for lo := 0; lo+n <= m; lo += max(n, 13) {
				f(lo, lo+n)
			}
		}
	}
	// rows runs op over the rows lo…hi of an input of width in to one of width out.
	rows := func(t *testing.T, what string, b *bench, in, out int, op func(dst, x engine.Array)) {
		x, whole := b.in(b.normal(m*in)), b.out(m*out)
		op(whole.dev, x.dev)
		want := b.get(whole.dev)
		pieces(func(lo, hi int) {
			dst := b.out((hi - lo) * out)
			op(dst.dev, x.dev.Slice(lo*in, hi*in))
			if err := same(b.get(dst.dev), want[lo*out:hi*out]); err != nil {
				t.Errorf("%s: rows %d to %d alone: %v", what, lo, hi, err)
			}
		})
		b.release()
	}
	t.Run("matmul", func(t *testing.T) {
		b := open(t)
		for _, s := range Storages {
			for _, c := range []struct{ rows, cols int }{{75, 96}, {300, 160}, {192, 576}, {75, 768}, {48, 1568}, {33, 2048}} {
				if c.cols%blockColumns(s) != 0 || !b.affords(2*all*c.rows*c.cols) {
					continue
				}
				w := b.weight([]engine.Stored{b.matrix(s, c.rows, c.cols)}, []engine.Stored{b.matrix(engine.F32, 1, c.rows)})
				rows(t, fmt.Sprintf("%s (%d, %d)", s, c.rows, c.cols), b, c.cols, c.rows, func(dst, x engine.Array) { d.MatMul(dst, x, w.dev) })
				rows(t, fmt.Sprintf("%s (%d, %d) added", s, c.rows, c.cols), b, c.cols, c.rows, func(dst, x engine.Array) {
					d.Put(dst, make([]float32, dst.Len))
					d.MatMulAdd(dst, x, w.dev)
				})
			}
		}
	})
	t.Run("storages", func(t *testing.T) {
		// A weight kept as blocks gives the bits of the float32 numbers it stands for. (Devices of a
		// half type that keep blocks have other orders of sums for them.)
		b := open(t)
		for _, s := range Storages[1:] {
			cols := 1568
			if cols%blockColumns(s) != 0 {
				cols = 1792 // cut into pieces that are no whole blocks
			}
			if !b.affords(2 * all / 3 * 75 * cols) {
				continue
			}
			stored := b.matrix(s, 75, cols)
			plain := &Matrix{name: "values", rows: 75, cols: cols, storage: engine.F32, values: stored.values}
			for _, v := range plain.values {
				plain.raw = appendFloat(plain.raw, v)
			}
			a, w := b.weight([]engine.Stored{stored}, nil), b.weight([]engine.Stored{plain}, nil)
			for _, n := range []int{1, 2, 7, 64} {
				x, one, two := b.in(b.normal(n*cols)), b.out(n*75), b.out(n*75)
				d.MatMul(one.dev, x.dev, a.dev)
				d.MatMul(two.dev, x.dev, w.dev)
				err := same(b.get(one.dev), b.get(two.dev))
				if s >= engine.Q8_0 && d.Type() != engine.Float32 {
					err = Compare(b.get(one.dev), b.get(two.dev), 75, cols, d.Type())
				}
				if err != nil {
					t.Errorf("%s, %d rows: %v", s, n, err)
				}
			}
			b.release()
		}
	})
	t.Run("elementwise", func(t *testing.T) {
		b := open(t)
		g := b.in32(b.normal(576))
		b.all = nil // release must not free g
		rows(t, "rms norm", b, 576, 576, func(dst, x engine.Array) { d.RMSNorm(dst, x, g.dev, 1e-5) })
		for _, a := range activations {
			rows(t, a.Kind.String(), b, 2*1536, 1536, func(dst, x engine.Array) { d.Gate(dst, x, 1536, a) })
		}
		d.Free(g.dev)
		table := b.weight([]engine.Stored{b.matrix(engine.Q8_0, 50, 96)}, nil)
		ids := make([]int32, m)
		for i := range ids {
			ids[i] = int32(i * 7 % 50)
		}
		p, whole := b.inInts(ids), b.out(m*96)
		d.Embed(whole.dev, table.dev, p.dev, 1)
		want := b.get(whole.dev)
		pieces(func(lo, hi int) {
			dst := b.out((hi - lo) * 96)
			d.Embed(dst.dev, table.dev, p.dev.Slice(lo, hi), 1)
			if err := same(b.get(dst.dev), want[lo*96:hi*96]); err != nil {
				t.Errorf("embed: rows %d to %d alone: %v", lo, hi, err)
			}
		})
	})
	t.Run("mixture", func(t *testing.T) {
		b := open(t)
		const width, ff, experts = 64, 96, 5
		e := engine.Experts{Router: b.weight([]engine.Stored{b.matrix(engine.F32, experts, width)}, nil).dev, PerToken: 2}
		for range experts {
			e.GateUp = append(e.GateUp, b.weight([]engine.Stored{b.matrix(engine.F32, 2*ff, width)}, nil).dev)
			e.Down = append(e.Down, b.weight([]engine.Stored{b.matrix(engine.Q4_1, width, ff)}, nil).dev)
		}
		rows(t, "mixture", b, width, width, func(dst, x engine.Array) {
			d.Put(dst, make([]float32, dst.Len))
			d.MixtureAdd(dst, x, e)
		})
	})
	t.Run("attention", func(t *testing.T) {
		b := open(t)
		for _, h := range []engine.Heads{{Query: 3, KV: 1, Size: 64}, {Query: 2, KV: 2, Size: 80}} {
			for i, window := range []int{0, 400, 400} { // the last with a cap and sinks
				const start = 900 // the window crosses the border between two blocks of keys
				if !b.affords(2 * all * h.Query * h.Size * (start + m)) {
					continue
				}
				kv := b.kv(start+m, h)
				dev := kv.on(func(p *pair) engine.Array { return p.dev })
				row := h.Query * h.Size
				q, whole := b.in(b.normal(m*row)), b.out(m*row)
				by := engine.Attention{Heads: h, Window: window, Scale: 0.125}
				if i == 2 {
					by.Cap, by.Sinks = 2, b.in32(b.normal(h.Query)).dev
				}
				d.Attention(whole.dev, q.dev, dev, start, by)
				want := b.get(whole.dev)
				pieces(func(lo, hi int) {
					out := b.out((hi - lo) * row)
					d.Attention(out.dev, q.dev.Slice(lo*row, hi*row), dev, start+lo, by)
					if err := same(b.get(out.dev), want[lo*row:hi*row]); err != nil {
						t.Errorf("%+v, window %d: rows %d to %d alone: %v", h, window, lo, hi, err)
					}
				})
				b.release()
			}
		}
	})
	t.Run("steps", func(t *testing.T) { companySteps(t, d, open) })
	t.Run("batch", func(t *testing.T) {
		b := open(t)
		for _, h := range []engine.Heads{{Query: 9, KV: 3, Size: 64}, {Query: 4, KV: 2, Size: 80}} {
			for i, window := range []int{0, 300, 300} {
				if b.affords(2 * 2 * 4 * 25 * 300 * h.Query * h.Size) { // steps, keys and values, times, rows, keys on average
					companyBatch(b, h, window, i == 2)
					b.release()
				}
			}
		}
	})
}

// companyBatch decodes 25 sequences together and each alone, with a cap and sinks or without.
func companyBatch(b *bench, h engine.Heads, window int, special bool) {
	const n, rows, steps = 1100, 25, 2
	kv := b.kv(n, h)
	dev := func(p *pair) engine.Array { return p.dev }
	kept, positions := b.sequences(h, n, steps)
	for i, p := range positions {
		if p != nil {
			kept[i].Positions = p.dev
		}
	}
	r, err := b.dev.NewRotary(engine.Rotation{Frequencies: frequencies(h.Size, 10000), Scale: 1}, n+steps)
	b.must(err)
	defer b.dev.FreeRotary(r)
	qkv := b.in(b.normal(steps * rows * (h.Query + 2*h.KV) * h.Size))
	by := engine.Attention{Heads: h, Window: window, Scale: float32(1 / math.Sqrt(float64(h.Size)))}
	if special {
		by.Cap, by.Sinks = 2, b.in32(b.normal(h.Query)).dev
	}
	run := func(lo, hi int) []float32 {
		var s []engine.Sequence
		for i := lo; i < hi; i++ {
			c, err := b.dev.Gather(kv.on(dev), kept[i%len(kept):i%len(kept)+1], steps)
			b.must(err)
			defer b.dev.FreeCache(c...)
			s = append(s, engine.Sequence{Caches: c, Position: n})
		}
		batch, err := b.dev.NewBatch(s, h)
		b.must(err)
		defer b.dev.FreeBatch(batch)
		row, wide := h.Query*h.Size, (h.Query+2*h.KV)*h.Size
		q, out := b.out((hi-lo)*row), b.out((hi-lo)*row)
		var got []float32
		for step := range steps {
			b.dev.RotateAppend(q.dev, batch, 0, qkv.dev.Slice((step*rows+lo)*wide, (step*rows+hi)*wide), r, engine.QKNorm{})
			b.dev.AttendCaches(out.dev, q.dev, batch, 0, by)
			b.dev.Advance(batch)
			got = append(got, b.get(out.dev)...)
		}
		return got
	}
	want := run(0, rows)
	row := h.Query * h.Size
	for _, size := range []int{1, 2, 7} {
		for lo := 0; lo+size <= rows; lo += size {
			got := run(lo, lo+size)
			for step := range steps {
				if err := same(got[step*size*row:(step+1)*size*row], want[(step*rows+lo)*row:(step*rows+lo+size)*row]); err != nil {
					b.Errorf("%+v, window %d, step %d: sequences %d to %d alone: %v", h, window, step, lo, lo+size, err)
				}
			}
		}
	}
}

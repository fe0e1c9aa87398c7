package enginetest

import (
	"fmt"
	"math"

	"github.com/snapbench/snapbench/runners/engine"
)

func softCap(b *bench) {
	for _, m := range []int{1, 300, 5000} {
		for _, limit := range []float32{2.5, 30} {
			v := b.normal(m)
			for i := range v {
				v[i] *= limit
			}
			v[0], v[m/2], v[m-1] = 0, float32(math.Inf(-1)), 1e30
			x := b.in32(v)
			x.input = nil
			b.both(func(d engine.Device, at func(*pair) engine.Array) { d.Cap(at(x), limit) })
			b.check(fmt.Sprintf("%d to %g", m, limit), x, m, 1)
			b.release()
		}
	}
	x := b.in32([]float32{float32(math.NaN()), 3})
	x.input = nil
	b.both(func(d engine.Device, at func(*pair) engine.Array) { d.Cap(at(x), 1) })
	b.check("not a number", x, 2, 1)
	b.release()
}

func argMax(b *bench) {
	for _, m := range sizes {
		for _, vocab := range []int{1, 33, 1000} {
			if !b.affords(m * (200 + 2*vocab)) {
				continue
			}
			v := make([]float32, m*vocab)
			for i := range v {
				v[i] = float32(b.rng.IntN(40)) - 100 // many equals, all negative
			}
			logits, dst := b.in32(v), b.outInts(m)
			b.both(func(d engine.Device, at func(*pair) engine.Array) { d.ArgMax(at(dst), at(logits)) })
			b.checkInts(fmt.Sprintf("(%d, %d)", m, vocab), dst)
			b.release()
		}
	}
	// One number of a row is not finite, at the beginning, in the middle or at the end; the
	// rows beside it are not affected.
	for _, vocab := range []int{1, 33, 5000} {
		for _, broken := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
			places := []int{0, vocab / 2, vocab - 1}
			v := b.normal((len(places) + 1) * vocab)
			for i, place := range places {
				v[i*vocab+place] = float32(broken)
			}
			logits, dst := b.in32(v), b.outInts(len(places)+1)
			b.both(func(d engine.Device, at func(*pair) engine.Array) { d.ArgMax(at(dst), at(logits)) })
			what := fmt.Sprintf("%v in %d logits", broken, vocab)
			b.checkInts(what, dst)
			for i, g := range b.getInts(dst.dev)[:len(places)] {
				if g != -1 {
					b.Errorf("%s: %d is chosen where logit %d is %v", what, g, places[i], broken)
				}
			}
			b.release()
		}
	}
}

func divergence(b *bench) {
	const rows, vocab = 6, 1000
	v := b.normal(rows * vocab)
	for i := range v {
		v[i] *= 3
	}
	logits, dst := b.in32(v), b.out32(4)
	p, q := []int{0, 5, 2, 3}, []int{1, 0, 2, 4}
	b.both(func(d engine.Device, at func(*pair) engine.Array) { d.Divergence(at(dst), at(logits), vocab, p, q) })
	b.check("divergence", dst, 4, 100)
}

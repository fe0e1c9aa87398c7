package enginetest

import (
	"fmt"
	"math"

	"github.com/snapbench/snapbench/runners/engine"
)

func attention(b *bench) {
	for _, h := range headShapes {
		for _, m := range sizes {
			if m > 129 && (m*h.Query*h.Size > 300_000 || seldom(h)) {
				continue
			}
			for i, c := range []struct{ start, window int }{{0, 0}, {300, 0}, {37, 20}, {511, 1}, {300, 250}, {0, 100_000}} {
				if m == 127 && i%2 == 0 || m == 129 && i%2 == 1 {
					continue // the reference is slow, so 127 and 129 rows take every other case each
				}
				n := c.start + m
				seen := n
				if c.window > 0 {
					seen = min(n, c.window+m)
				}
				if !b.affords(2 * m * h.Query * h.Size * seen) {
					continue
				}
				kv := b.kv(n+5, h)
				q, out := b.in(b.normal(m*h.Query*h.Size)), b.out(m*h.Query*h.Size)
				by := engine.Attention{Heads: h, Window: c.window, Scale: float32(1 / math.Sqrt(float64(h.Size)))}
				b.both(func(d engine.Device, at func(*pair) engine.Array) {
					d.Attention(at(out), at(q), kv.on(at), c.start, by)
				})
				// The probabilities may be rounded before they are multiplied by the values.
				b.checkChain(fmt.Sprintf("%+v, %d rows from %d, window %d", h, m, c.start, c.window), out, h.Size, h.Size+n, 2)
				b.release()
			}
		}
	}
	// Arrays that are not aligned.
	for _, h := range []engine.Heads{{Query: 2, KV: 1, Size: 64}, {Query: 2, KV: 2, Size: 128}} {
		const m, start = 33, 40
		kv := b.kvFrom(1, start+m, h)
		q, out := b.in(b.normal(1+m*h.Query*h.Size)), b.out(1+m*h.Query*h.Size)
		b.both(func(d engine.Device, at func(*pair) engine.Array) {
			d.Attention(at(out).Slice(1, out.ref.Len), at(q).Slice(1, q.ref.Len), kv.on(at), start, engine.Attention{Heads: h, Scale: 0.125})
		})
		b.checkChain(fmt.Sprintf("%+v, rows from number 1", h), out, out.ref.Len, h.Size+start+m, 2)
		b.release()
	}
	// Logits far apart: no power may overflow, and small probabilities become 0.
	h := engine.Heads{Query: 2, KV: 1, Size: 64}
	if !b.affords(700 * 700 * 128) {
		return
	}
	kv := b.kv(700, h)
	q := b.normal(700 * 128)
	for i := range q {
		q[i] *= 60
	}
	qp, out := b.in(q), b.out(len(q))
	b.both(func(d engine.Device, at func(*pair) engine.Array) {
		d.Attention(at(out), at(qp), kv.on(at), 0, engine.Attention{Heads: h, Scale: 1})
	})
	// A logit of 1500 is a sum that may be off by 64·ε·1500, which the power passes on.
	b.check("steep", out, 700*128, 64*1000*1000)
}

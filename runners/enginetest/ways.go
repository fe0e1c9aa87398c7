package enginetest

import (
	"fmt"
	"math"
	"slices"

	"github.com/snapbench/snapbench/runners/engine"
)

// way is how a layer attends, on both devices.
type way struct {
	engine.Attention       // without sinks
	sinks            *pair // nil for none
}

func (w way) on(at func(*pair) engine.Array) engine.Attention {
	a := w.Attention
	if w.sinks != nil {
		a.Sinks = at(w.sinks)
	}
	return a
}

func (w way) String() string {
	return fmt.Sprintf("%+v, window %d, scale %.3g, cap %g, sinks %t", w.Heads, w.Window, w.Scale, w.Cap, w.sinks != nil)
}

// spread is how large products are.
func (w way) spread() float64 { return float64(w.Scale) * math.Sqrt(float64(w.Heads.Size)) }

// sums is the length of the sums behind a number, for n keys: more where products are large,
// whose errors the power passes on.
func (w way) sums(n int) int { return int(float64(w.Heads.Size+n) * max(1, w.spread())) }

// wayShapes are small, so that there is a case for each kernel where the work is limited.
var wayShapes = []engine.Heads{
	{Query: 2, KV: 2, Size: 8}, {Query: 2, KV: 1, Size: 64}, {Query: 2, KV: 2, Size: 96}, {Query: 2, KV: 1, Size: 128}, {Query: 4, KV: 1, Size: 256},
	{Query: 2, KV: 1, Size: 20}, {Query: 8, KV: 1, Size: 64}, {Query: 3, KV: 1, Size: 80},
}

// ways are how layers attend that have a cap, or sinks, or both: with caps that bend some
// logits a little and others into a straight line, and sinks that have next to nothing of a
// row, about as much as a key, and nearly everything.
func (b *bench) ways(h engine.Heads, window int) []way {
	sinks := func() *pair {
		v := make([]float32, h.Query)
		for i := range v {
			v[i] = []float32{2.5, -30, 0, 11}[(i+window)%4] + float32(b.rng.NormFloat64())
		}
		return b.in32(v)
	}
	scale := float32(1 / math.Sqrt(float64(h.Size)))
	by := func(window int, scale, limit float32) engine.Attention {
		return engine.Attention{Heads: h, Window: window, Scale: scale, Cap: limit}
	}
	return []way{
		{by(0, scale, 0), sinks()}, {by(window, scale, 0), sinks()},
		{by(0, scale, 1.5), nil}, {by(window, 10*scale, 30), nil}, {by(window, 100*scale, 5), nil},
		{by(window, scale, 2), sinks()},
	}
}

// eachWay calls f with every shape, way, and number of queries and of positions before them
// that is afforded; f multiplies so many times for a query, a key and a number of a head.
func (b *bench) eachWay(times int, f func(w way, m, start int)) {
	for _, c := range []struct{ m, start, window int }{{5, 28, 9}, {33, 40, 21}, {7, 300, 130}, {140, 250, 150}} {
		for _, h := range wayShapes {
			if c.m > 100 && (seldom(h) || h.Query > 2) {
				continue
			}
			for _, w := range b.ways(h, c.window) {
				if b.affords(times * c.m * h.Query * h.Size * (c.start + c.m)) {
					f(w, c.m, c.start)
				}
			}
			b.release()
		}
	}
}

func attentionWays(b *bench) {
	b.eachWay(2, func(w way, m, start int) {
		h := w.Heads
		kv := b.kv(start+m+2, h)
		q, out := b.in(b.normal(m*h.Query*h.Size)), b.out(m*h.Query*h.Size)
		b.both(func(d engine.Device, at func(*pair) engine.Array) {
			d.Attention(at(out), at(q), kv.on(at), start, w.on(at))
		})
		b.checkChain(fmt.Sprintf("%v, %d rows from %d", w, m, start), out, h.Size, w.sums(start+m), 2)
	})
	// Rows that are not aligned.
	for _, w := range b.ways(engine.Heads{Query: 2, KV: 1, Size: 64}, 17) {
		const m, start = 9, 25
		h := w.Heads
		kv := b.kvFrom(1, start+m, h)
		q, out := b.in(b.normal(1+m*h.Query*h.Size)), b.out(1+m*h.Query*h.Size)
		b.both(func(d engine.Device, at func(*pair) engine.Array) {
			d.Attention(at(out).Slice(1, out.ref.Len), at(q).Slice(1, q.ref.Len), kv.on(at), start, w.on(at))
		})
		b.checkChain(fmt.Sprintf("%v, rows from number 1", w), out, out.ref.Len, w.sums(start+m), 2)
	}
	b.release()
}

func windowScoresWays(b *bench) {
	b.eachWay(4, func(w way, m, start int) {
		if m > 64 {
			m = 64
		}
		h, n := w.Heads, start+m
		kv := b.kv(n, h)
		windows := []int{m, max(1, m/3)}
		if w.Window > 0 {
			windows = windows[:1]
		}
		q := b.in(b.normal(m * h.Query * h.Size))
		var dst []*pair
		for _, x := range windows {
			dst = append(dst, b.out32(h.Query*(n-x)))
		}
		b.both(func(d engine.Device, at func(*pair) engine.Array) {
			var arrays []engine.Array
			for _, p := range dst {
				arrays = append(arrays, at(p))
			}
			d.WindowScores(arrays, windows, at(q), kv.on(at), w.on(at))
		})
		for x, p := range dst {
			b.check(fmt.Sprintf("%v, %d of %d tokens", w, windows[x], n), p, n-windows[x], w.sums(n))
		}
	})
}

// columnSumsWays holds the sums to the reference, and attention with sums to attention and
// sums apart.
func columnSumsWays(b *bench) {
	b.eachWay(6, func(w way, m, start int) {
		h, n := w.Heads, start+m+3
		kv := b.kv(n, h)
		q, out := b.in(b.normal(m*h.Query*h.Size)), b.out(m*h.Query*h.Size)
		before := slices.Repeat([]float32{0.5}, h.Query*n)
		dst := b.in32(before)
		dst.input = nil // it is an output too
		b.both(func(d engine.Device, at func(*pair) engine.Array) {
			d.ColumnSums(at(dst), at(q), kv.on(at), start, w.on(at))
		})
		what := fmt.Sprintf("%v, %d rows from %d", w, m, start)
		b.check(what, dst, n, w.sums(n+m))
		first, dev := b.get(dst.dev), func(p *pair) engine.Array { return p.dev }
		b.dev.Attention(out.dev, q.dev, kv.on(dev), start, w.on(dev))
		attended := b.get(out.dev)
		b.dev.Put(dst.dev, before)
		b.dev.Put(out.dev, make([]float32, out.dev.Len))
		engine.AttentionColumnSums(b.dev, out.dev, dst.dev, q.dev, kv.on(dev), start, w.on(dev))
		if err := same(b.get(out.dev), attended); err != nil {
			b.Errorf("%s, attention with sums: %v", what, err)
		}
		if err := same(b.get(dst.dev), first); err != nil {
			b.Errorf("%s, sums with attention: %v", what, err)
		}
	})
}

func attentionRowsWays(b *bench) {
	b.eachWay(2, func(w way, m, start int) {
		h, n := w.Heads, start+m+3
		kv := b.kv(n, h)
		columns := start + m/2
		q, dst := b.in(b.normal(m*h.Query*h.Size)), b.out32(h.Query*m*columns)
		b.both(func(d engine.Device, at func(*pair) engine.Array) {
			d.AttentionRows(at(dst), at(q), kv.on(at), start, w.on(at))
		})
		b.check(fmt.Sprintf("%v, %d rows from %d", w, m, start), dst, columns, w.sums(n))
	})
}

// decodeWays decodes over caches of one piece and of many, of KV heads and of query heads.
func decodeWays(b *bench) {
	const room = 2
	for _, n := range []int{40, 300, 700} {
		for _, h := range wayShapes {
			for _, w := range b.ways(h, n/3) {
				if b.dev.Type() != engine.Float32 && w.spread() > 1.5 {
					continue // what rounding a query does to large products is as large as they are
				}
				if !b.affords(2 * 4 * h.Query * h.Size * n) {
					continue
				}
				kv := b.kv(n, h)
				kept, positions := b.sequences(h, n, room)
				r := b.rotary(engine.Rotation{Frequencies: frequencies(h.Size, 10000), Scale: 1}, n+room)
				x := b.in(b.normal(len(kept) * (h.Query + 2*h.KV) * h.Size))
				q, out := b.out(len(kept)*h.Query*h.Size), b.out(len(kept)*h.Query*h.Size)
				b.both(func(d engine.Device, at func(*pair) engine.Array) {
					asked := slices.Clone(kept)
					for i, p := range positions {
						if p != nil {
							asked[i].Positions = at(p)
						}
					}
					caches, err := d.Gather(kv.on(at), asked, room)
					b.must(err)
					defer d.FreeCache(caches...)
					var s []engine.Sequence
					for _, c := range caches {
						s = append(s, engine.Sequence{Caches: []engine.Cache{c}, Position: n})
					}
					batch, err := d.NewBatch(s, h)
					b.must(err)
					defer d.FreeBatch(batch)
					for range room { // the second time as it was recorded
						d.Replay(batch, func() {
							d.RotateAppend(at(q), batch, 0, at(x), r(d), engine.QKNorm{})
							d.AttendCaches(at(out), at(q), batch, 0, w.on(at))
						})
						d.Advance(batch)
					}
					b.must(d.Sync())
				})
				b.checkChain(fmt.Sprintf("%v, %d tokens", w, n), out, h.Size, w.sums(n), 3)
			}
			b.release()
		}
	}
}

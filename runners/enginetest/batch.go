package enginetest

import (
	"fmt"
	"math"

	"github.com/snapbench/snapbench/runners/engine"
)

// sequences chooses what several sequences keep of one prompt in one layer: one everything,
// the others a different number of positions in each head, per KV head and per query head.
func (b *bench) sequences(h engine.Heads, n, room int) (kept []engine.Kept, positions []*pair) {
	all := make([]int, h.KV)
	for i := range all {
		all[i] = n
	}
	kept, positions = append(kept, engine.Kept{Len: all, All: true}), append(positions, nil)
	for i, heads := range []int{h.KV, h.Query, h.KV, h.Query} {
		lens := make([]int, heads)
		var p []int32
		for a := range lens {
			lens[a] = min(n, []int{1, 64, 33, n}[(i+a)%4])
			start := len(p)
			for j := range n {
				if left := lens[a] - (len(p) - start); b.rng.IntN(n-j) < left {
					p = append(p, int32(j))
				}
			}
		}
		kept, positions = append(kept, engine.Kept{Len: lens}), append(positions, b.inInts(p))
	}
	return kept, positions
}

func decode(b *bench) {
	const n, room, steps = 700, 3, 3
	for i, h := range headShapes {
		for _, window := range []int{0, 150} {
			kv := b.kv(n, h)
			kept, positions := b.sequences(h, n, room)
			all := rotations(h.Size, n+1)
			r := b.rotary(all[(i+window/50)%len(all)], n+room)
			norm := [2]*pair{b.in32(b.normal(h.Size)), b.in32(b.normal(h.Size))}
			batches := map[engine.Device]engine.Batch{}
			b.both(func(d engine.Device, at func(*pair) engine.Array) {
				asked := append([]engine.Kept{}, kept...)
				for i, p := range positions {
					if p != nil {
						asked[i].Positions = at(p)
					}
				}
				caches, err := d.Gather(kv.on(at), asked, room)
				b.must(err)
				b.Cleanup(func() { d.FreeCache(caches...) })
				var s []engine.Sequence
				for _, c := range caches {
					s = append(s, engine.Sequence{Caches: []engine.Cache{c}, Position: n})
				}
				batch, err := d.NewBatch(s, h)
				b.must(err)
				b.Cleanup(func() { d.FreeBatch(batch) })
				batches[d] = batch
			})
			rows := len(kept)
			if g := batches[b.dev].Rows(); g != rows {
				b.Fatalf("a batch of %d has %d rows", rows, g)
			}
			x := b.in(b.normal(rows * (h.Query + 2*h.KV) * h.Size))
			q, out := b.out(rows*h.Query*h.Size), b.out(rows*h.Query*h.Size)
			for step := range steps {
				v := b.normal(x.dev.Len)
				b.dev.Put(x.dev, v)
				b.dev.Get(x.input, x.dev)
				b.ref.Put(x.ref, x.input)
				b.both(func(d engine.Device, at func(*pair) engine.Array) {
					batch := batches[d]
					d.Replay(batch, func() {
						d.RotateAppend(at(q), batch, 0, at(x), r(d), engine.QKNorm{Query: at(norm[0]), Key: at(norm[1]), Epsilon: 1e-6})
						d.AttendCaches(at(out), at(q), batch, 0, engine.Attention{Heads: h, Window: window, Scale: float32(1 / math.Sqrt(float64(h.Size)))})
					})
				})
				what := fmt.Sprintf("%+v, window %d, step %d", h, window, step)
				b.check(what+": q", q, h.Size, 2)
				b.checkChain(what+": out", out, h.Size, h.Size+n, 3) // queries and keys were rounded too
				b.both(func(d engine.Device, _ func(*pair) engine.Array) { d.Advance(batches[d]) })
				if g := batches[b.dev].Steps(); g != step+1 {
					b.Errorf("%d steps after Advance number %d", g, step+1)
				}
			}
			b.release()
		}
	}
}

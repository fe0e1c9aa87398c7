package enginetest

import (
	"fmt"
	"math"
	"slices"

	"github.com/snapbench/snapbench/runners/engine"
)

// packedShapes are heads that devices have kernels of their own for: few and many query heads to a
// KV head.
var packedShapes = []engine.Heads{{Query: 8, KV: 2, Size: 128}, {Query: 6, KV: 1, Size: 64}, {Query: 3, KV: 1, Size: 64}, {Query: 8, KV: 1, Size: 128}, {Query: 2, KV: 1, Size: 256}, {Query: 5, KV: 1, Size: 96}}

// packedWays holds the attention of one step over caches in formats to the reference: heads that are
// shared out to several blocks of a card, layers with a window, caps and sinks. A row alone has the bits
// that it has in company.
func packedWays(b *bench) {
	for i, h := range packedShapes {
		formats := b.formatsOf(h.Size)
		n := []int{300, 130, 15, 290, 40, 140}[i]
		if len(formats) == 0 || !b.affords(len(formats)*2*n*h.Query*h.Size) {
			continue
		}
		kv := b.kv(n, h)
		kept, positions := b.sequences(h, n, 1)
		r := b.rotary(engine.Rotation{Frequencies: make([]float32, h.Size/2), Scale: 1}, n+1)
		for _, sequence := range []int{0, 3} {
			batches, held := map[engine.Device]engine.Batch{}, map[engine.Device][]engine.Cache{}
			made := func(d engine.Device, caches ...engine.Cache) engine.Batch {
				var s []engine.Sequence
				for _, c := range caches {
					s = append(s, engine.Sequence{Caches: []engine.Cache{c}, Position: n})
				}
				batch, err := d.NewBatch(s, h)
				b.must(err)
				b.Cleanup(func() { d.FreeBatch(batch) })
				return batch
			}
			b.both(func(d engine.Device, at func(*pair) engine.Array) {
				k := kept[sequence]
				if positions[sequence] != nil {
					k.Positions = at(positions[sequence])
				}
				held[d] = b.quantized(d, kv.on(at), k, formats, 1)
				batches[d] = made(d, held[d]...)
			})
			rows, row := len(formats)+1, h.Query*h.Size
			x, q, out := b.in(b.normal(rows*(h.Query+2*h.KV)*h.Size)), b.out(rows*row), b.out(rows*row)
			b.both(func(d engine.Device, at func(*pair) engine.Array) {
				d.RotateAppend(at(q), batches[d], 0, at(x), r(d), engine.QKNorm{})
			})
			scale := float32(1 / math.Sqrt(float64(h.Size)))
			for i, w := range append(b.ways(h, n/3), way{engine.Attention{Heads: h, Scale: scale}, nil}) {
				if i%2 == 1 && sequence == 0 {
					continue
				}
				b.both(func(d engine.Device, at func(*pair) engine.Array) {
					engine.Step(d, func() { d.AttendCaches(at(out), at(q), batches[d], 0, w.on(at)) })
				})
				b.checkChain(fmt.Sprintf("%s, formats after the first row, kept %d", w, sequence), out, h.Size, w.sums(n), 3)
			}
			together := b.get(out.dev)
			for i, c := range held[b.dev] {
				alone := made(b.dev, c)
				engine.Step(b.dev, func() {
					b.dev.AttendCaches(out.dev.Slice(0, row), q.dev.Slice(i*row, (i+1)*row), alone, 0, engine.Attention{Heads: h, Scale: scale})
				})
				if got := b.get(out.dev)[:row]; !slices.Equal(got, together[i*row:(i+1)*row]) {
					b.Errorf("%+v: row %d alone differs from that in a batch of %d: %v", h, i, rows, same(got, together[i*row:(i+1)*row]))
				}
			}
		}
		b.release()
	}
}

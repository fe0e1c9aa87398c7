package enginetest

import "github.com/snapbench/snapbench/runners/engine"

// decodeStep holds that a step which numbers leave and enter on the way has the bits of one
// that is replayed, of more rows than a device takes at once.
func decodeStep(b *bench) {
	const from, to = 96, 24
	rows := 1 + engine.Companions(b.dev, 71)
	h := engine.Heads{Query: 1, KV: 1, Size: 16}
	kv := b.kv(3, h)
	caches, err := b.dev.Gather(kv.on(func(p *pair) engine.Array { return p.dev }), []engine.Kept{{Len: []int{3}, All: true}}, 1)
	b.must(err)
	defer b.dev.FreeCache(caches...)
	batch, err := b.dev.NewBatch([]engine.Sequence{{Caches: caches, Position: 3}}, h)
	b.must(err)
	defer b.dev.FreeBatch(batch)
	w := b.weight([]engine.Stored{b.matrix(engine.F32, to, from)}, nil)
	x, replayed, stepped := b.in(b.normal(rows*from)), b.out(rows*to), b.out(rows*to)
	for range 2 { // what is recorded, too
		b.dev.Replay(batch, func() { b.dev.MatMul(replayed.dev, x.dev, w.dev) })
		engine.Step(b.dev, func() {
			b.dev.Put(x.dev, b.get(x.dev))
			b.dev.MatMul(stepped.dev, x.dev, w.dev)
		})
		if err := same(b.get(stepped.dev), b.get(replayed.dev)); err != nil {
			b.Errorf("a step of %d rows as it is and replayed: %v", rows, err)
		}
	}
}

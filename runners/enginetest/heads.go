package enginetest

import "github.com/snapbench/snapbench/runners/engine"

// headShapes are those of real model families and awkward ones. The last two are the largest
// heads that every device supports, and heads whose rows are no multiple of 16 bytes; they
// run with fewer rows.
var headShapes = []engine.Heads{{Query: 1, KV: 1, Size: 8}, {Query: 9, KV: 3, Size: 64}, {Query: 4, KV: 2, Size: 80}, {Query: 2, KV: 2, Size: 96}, {Query: 8, KV: 1, Size: 128},
	{Query: 4, KV: 1, Size: 256}, {Query: 4, KV: 2, Size: 20}}

// seldom says whether a shape is one of the last two.
func seldom(h engine.Heads) bool { return h.Size == 256 || h.Size == 20 }

// kvPair is a layer's keys and values on both devices.
type kvPair struct {
	k, v *pair
	n    int
	h    engine.Heads
	from int // index of the first number in both arrays
}

func (kv kvPair) on(at func(*pair) engine.Array) engine.KV {
	to := kv.from + kv.h.KV*kv.n*kv.h.Size
	return engine.KV{K: at(kv.k).Slice(kv.from, to), V: at(kv.v).Slice(kv.from, to), Tokens: kv.n, Heads: kv.h.KV, Size: kv.h.Size}
}

func (b *bench) kv(n int, h engine.Heads) kvPair { return b.kvFrom(0, n, h) }

// kvFrom makes keys and values that begin at index from of their arrays.
func (b *bench) kvFrom(from, n int, h engine.Heads) kvPair {
	size := from + h.KV*n*h.Size
	return kvPair{b.in(b.normal(size)), b.in(b.normal(size)), n, h, from}
}

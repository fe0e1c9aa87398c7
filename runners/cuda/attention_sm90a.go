package cuda

import (
	"fmt"

	"github.com/snapbench/snapbench/runners/engine"
)

// log2e is log2(e): the kernels' powers are of base 2.
const log2e = 1.44269504

// hopperHeads says whether the kernels for compute capability 9.0 can be used on heads: they
// need a 16-bit type, aligned arrays, and heads of a size that there is a kernel for: with
// sinks and with caps, the sizes of models that have them.
func (d *Device) hopperHeads(size int, w way, pointers ...uint64) bool {
	if !d.hopperCard() || d.kind == engine.Float32 || !aligned(0, pointers...) {
		return false
	}
	switch w.suffix {
	case "_sinks":
		return size == 64
	case "_cap":
		return size == 128 || size == 256
	}
	return size == 64 || size == 96 || size == 128 || size == 256
}

// hopper runs the attention kernel for compute capability 9.0. It returns false, and has
// done nothing, where that kernel cannot be used.
func (d *Device) hopper(out, q, k, v uint64, rows lse, m, start, n int, by engine.Attention, w way) bool {
	h := by.Heads
	if !d.hopperHeads(h.Size, w, out, q, k, v) || m == 0 {
		return false
	}
	const tile, stages = 128, 2 // of kernels/attention_sm90a.cu
	keys := tile
	if h.Size > 128 {
		keys = 64
	}
	seen := start + m
	ok := d.card.Map(0, q, d.kind, [3]int{h.Size, h.Query, m}, [2]int{h.Size, h.Query * h.Size}, [2]int{1, tile})
	ok = ok && d.card.Map(1, k, d.kind, [3]int{h.Size, seen, h.KV}, [2]int{h.Size, n * h.Size}, [2]int{keys, 1})
	ok = ok && d.card.Map(2, v, d.kind, [3]int{h.Size, seen, h.KV}, [2]int{h.Size, n * h.Size}, [2]int{keys, 1})
	if !ok {
		return true // the operation has failed
	}
	// Heads at a time: as many as have keys and values that fit two thirds of the L2 cache,
	// and a number that divides all. At least four: fewer were tried and are slower.
	bytes := 2 * int64(seen) * int64(h.Size) * int64(d.kind.Size())
	most := max(4, int(d.card.L2*2/3/bytes)*h.Group())
	section := min(most, h.Query)
	for h.Query%section != 0 {
		section--
	}
	w.add(d.card.Args().Maps(3).Ptr(out, rows.address).Int(rows.pitch, m, start, h.Query, h.KV, section, by.Window).Float(by.Scale * log2e))
	columns := blocks(h.Size, 64) * 64
	shared := (tile+2*stages*keys)*columns*2 + 1024
	d.card.Launch(w.kernel("attention_sm90a", fmt.Sprintf("attention_%d_%s", h.Size, d.suffix)), blocks(m, tile)*h.Query, 1, 384, shared)
	return true
}

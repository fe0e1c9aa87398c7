package cuda

import (
	"fmt"

	"github.com/snapbench/snapbench/runners/engine"
)

// itemParts is how many items of the kernel for 9.0 a head of length keys is shared out to.
// A longer head has at least as many. 32 heads of 1024 keys have about one item for each of
// a card's 132 multiprocessors, those of 2048 keys two.
func itemParts(length int) int {
	if length <= 2304 {
		return max(min(blocks(length, 192), 4), blocks(length, 288))
	}
	return min(blocks(length, 256), 65)
}

// shares is how the keys of a head are shared out to such items, as in
// kernels/attend_caches_sm90a.cu: `each` units of shareUnit keys to every item, one unit
// more to the first `more` of them.
type shares struct{ parts, each, more int }

const shareUnit = 64

func share(length int) shares {
	units, parts := blocks(length, shareUnit), itemParts(length)
	return shares{parts: parts, each: units / parts, more: units % parts}
}

// first is the first key of an item.
func (s shares) first(split int) int { return (split*s.each + min(split, s.more)) * shareUnit }

// maxGroup is the most query heads of an item of the kernel for 9.0.
const maxGroup = 8

// attendHopper is AttendCaches on compute capability 9.0; bytes is the size of q.
func (d *Device) attendHopper(to, from uint64, bytes int64, b *batch, t layerTables, by engine.Attention, w way) {
	if t.groups == 0 { // every row's cache is in a format
		return
	}
	h := b.heads
	if !aligned(0, from) {
		moved, done, ok := d.card.Scratch(bytes)
		if !ok {
			return
		}
		defer done()
		d.card.Copy(moved, from, bytes)
		from = moved
	}
	name := "attend_any_"
	if h.Size == 64 || h.Size == 128 || h.Size == 256 {
		name = fmt.Sprintf("attend_%d_", h.Size)
	}
	const warps, stages, rows = 4, 2, 16 // of kernels/attend_caches_sm90a.cu
	resident, join := 2, "attend_join_"
	if h.Size == 256 {
		resident, join = 1, "attend_join_256_"
	}
	shared := warps*maxGroup*h.Size*4 + (2*maxGroup+warps*stages*2*rows)*h.Size*d.kind.Size()
	if t.groups <= d.card.Multiprocessors {
		shared = max(shared, 120<<10) // more than half of a multiprocessor's, so that each has one block
	}
	w.add(d.card.Args(to, from, t.group).Int(t.groups).Ptr(b.step, b.partial, b.state, b.arrived).Int(h.Size, by.Window).Float(by.Scale))
	d.card.Launch(w.kernel("attend_caches_sm90a", name+d.suffix), min(t.groups, resident*d.card.Multiprocessors), 1, 32*warps, shared)
	if t.shared {
		w.add(d.card.Args(to, t.parts, b.step, b.partial, b.state).Int(h.Size))
		d.card.Launch(w.kernel("attend_caches_sm90a", join+d.suffix), t.queries, 1, 32*warps, 0)
	}
}

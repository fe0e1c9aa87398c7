package cuda

import (
	"slices"

	"github.com/snapbench/snapbench/runners/engine"
)

// batchRow, batchHead and batchItem are Row, Head and Item of kernels/batch.h.
type batchRow struct{ position, heads, first, _ int32 }

type batchHead struct {
	k, v, positions uint64
	held, staged    int32
}

type batchPart struct{ slot, stride, query, held int32 } // Part of kernels/attend_caches_sm90a.cu

type batchItem struct {
	k, v, positions                                    uint64
	held, position, query, group, split, slot, head, _ int32 // head: which counter of arrived
}

// splitKeys is how many keys of a head one item has.
const splitKeys = 256

// layout is a layer's tables as they are sent to the card.
type layout struct {
	rows          []batchRow
	heads         []batchHead
	single, group []batchItem
	parts         []batchPart
	slots         int  // partial results of the items
	counters      int  // of heads with items
	most          int  // cache heads of a row, at most
	shared        bool // heads may have several items
	sizes         []sized
	stage         uint64      // memory for the entries of a step: keys and values of each head, (d)
	stages        []packStage // heads of caches in formats
	cached        []packHead  // those of attend_packed.cu
	packs         []packList  // their items, by kernel
	packParts     []batchPart // of their query heads
	packsShared   bool        // such heads may have several items
	residual      bool        // formats have residuals
	codes         []codeList  // items of heads in formats, by kernel
	codeParts     []batchPart // of their query heads
	codesShared   bool        // such heads may have several items
	states        []batchState
	aligned       bool // the states can be read four numbers at a time
}

// layOut makes the tables of a layer in the memory of an earlier layer's tables: the layers
// of a batch are alike. The items of the kernel for 9.0 (hopper) are one list, the longest
// first.
func (l *layout) layOut(d *Device, s []engine.Sequence, layer int, h engine.Heads, hopper bool) {
	*l = layout{stage: l.stage, rows: l.rows[:0], heads: l.heads[:0], single: l.single[:0], group: l.group[:0], parts: l.parts[:0], sizes: l.sizes[:0], stages: l.stages[:0], cached: l.cached[:0], packParts: l.packParts[:0], codeParts: l.codeParts[:0], states: l.states[:0]}
	if l.layStates(d, s, layer) {
		return
	}
	for i, q := range s {
		c := q.Caches[layer]
		group, items := h.Query/len(c.Len), &l.single
		if group > 1 {
			items = &l.group
		}
		l.most = max(l.most, len(c.Len))
		l.rows = append(l.rows, batchRow{position: int32(q.Position), heads: int32(len(c.Len)), first: int32(len(l.heads))})
		if c.Packed != nil {
			l.layPacked(d, q, i, c, h)
			continue
		}
		k, v := d.pointer("NewBatch", c.K, d.kind), d.pointer("NewBatch", c.V, d.kind)
		positions := d.pointer("NewBatch", c.Positions, engine.Int32)
		for a, n := range c.Len {
			at := uint64(c.Start[a]) * uint64(c.Size) * uint64(d.kind.Size())
			head := batchHead{k: k + at, v: v + at, held: int32(n)}
			if positions != 0 {
				head.positions = positions + 4*uint64(c.Start[a])
			}
			l.heads = append(l.heads, head)
			parts, most, now := blocks(n+c.Room, splitKeys), group, share(n+1)
			if hopper {
				parts, most = itemParts(n+c.Room), maxGroup
			}
			l.shared = l.shared || parts > 1
			for query := 0; query < group; query += most {
				count := min(most, group-query)
				item := batchItem{
					k: head.k, v: head.v, positions: head.positions, held: head.held, position: int32(q.Position),
					query: int32(i*h.Query + a*group + query), group: int32(count), slot: int32(l.slots), head: int32(l.counters),
				}
				for split := range parts {
					item.split = int32(split)
					if hopper {
						l.put(max(0, min(now.first(split+1), n+1)-now.first(split)), item)
					} else {
						*items = append(*items, item)
					}
				}
				for g := range count {
					l.parts = append(l.parts, batchPart{slot: int32(l.slots + g), stride: int32(count), query: item.query + int32(g), held: head.held})
				}
				l.slots += parts * count
				l.counters++
			}
		}
	}
	slices.SortFunc(l.sizes, func(a, b sized) int { return b.keys - a.keys })
	for _, b := range l.sizes {
		l.group = append(l.group, b.items...)
	}
}

// sized are the items that have the same number of keys.
type sized struct {
	keys  int
	items []batchItem
}

// put adds an item to those of its size. There are few sizes, and those used last are
// likely to come again.
func (l *layout) put(keys int, item batchItem) {
	for i := len(l.sizes) - 1; i >= 0; i-- {
		if l.sizes[i].keys == keys {
			l.sizes[i].items = append(l.sizes[i].items, item)
			return
		}
	}
	n := len(l.sizes)
	l.sizes = slices.Grow(l.sizes, 1)[:n+1] // an element left from an earlier layer has memory to use again
	l.sizes[n] = sized{keys, append(l.sizes[n].items[:0], item)}
}

package cuda

import (
	"fmt"

	"github.com/snapbench/snapbench/runners/engine"
)

// packHead is Cached of kernels/attend_packed.cu: a cache head, and up to four query heads of it.
type packHead struct {
	k, v, positions                       uint64
	held, position, query, count, slot, _ int32
	scales                                packScales
	spec                                  packSpec
}

// packItem is Entry of kernels/attend_packed.cu.
type packItem struct{ cached, split int32 }

// packChoice is which kernel a head gets.
type packChoice struct {
	kivi    bool
	queries int // 1, 2 or 4
}

// packList are the items of a layer that one kernel takes.
type packList struct {
	packChoice
	shared int // bytes of dynamic shared memory
	items  []packItem
}

// packTable is a packList on the card.
type packTable struct {
	packChoice
	items         uint64
	count, shared int
}

const (
	packUnit  = 128 // keys
	packWarps = 4
	packMost  = 4 // query heads of an item
)

// packParts is how many items a head of length keys is shared out to: Shares of kernels/attend_packed.cu.
func packParts(length int) int { return min(blocks(length, packUnit), max(16, blocks(length, 256))) }

// packShared is the dynamic shared memory of a block: a tile of keys and one of values for each warp, and at last its sums.
func packShared(s packSpec, choice packChoice, size int) int {
	tile, keys := 32, int(s.keyBytes)
	if !choice.kivi && 32*int(s.keyBytes+s.valueBytes) > 17408 {
		tile = 16
	}
	if !choice.kivi {
		keys *= tile
	}
	rings := (keys+63)/16*16 + (tile*int(s.valueBytes)+63)/16*16
	return packWarps * max(rings, 4*choice.queries*8*packKernelLanes(size))
}

// layPacks adds a cache head in a format to the items of attend_packed.cu.
func (l *layout) layPacks(c engine.Cache, s packStage, head batchHead, position, query, group int) {
	parts := packParts(int(s.held) + c.Room)
	for first := 0; first < group; first += packMost {
		count := min(packMost, group-first)
		choice, at := packChoice{s.spec.residual > 0, count}, 0
		if count == 3 || c.Size%8 != 0 {
			choice.queries = 4
		}
		for at < len(l.packs) && l.packs[at].packChoice != choice {
			at++
		}
		if at == len(l.packs) {
			l.packs = append(l.packs, packList{packChoice: choice})
		}
		list := &l.packs[at]
		list.shared = max(list.shared, packShared(s.spec, choice, c.Size))
		for split := range parts {
			list.items = append(list.items, packItem{int32(len(l.cached)), int32(split)})
		}
		l.cached = append(l.cached, packHead{
			k: s.k, v: s.v, positions: head.positions, held: head.held, position: int32(position), query: int32(query + first),
			count: int32(count), slot: int32(l.slots), scales: s.scales, spec: s.spec,
		})
		for g := range count {
			l.packParts = append(l.packParts, batchPart{slot: int32(l.slots + g), stride: int32(count), query: int32(query + first + g), held: head.held})
		}
		l.slots += parts * count
		l.packsShared = l.packsShared || parts > 1
	}
}

// packKernelLanes is how many lanes have a vector in the kernel for heads of a size; those that are no multiples of eight are
// read number by number, by a warp.
func packKernelLanes(size int) int {
	if size%8 != 0 {
		return 32
	}
	return packLanes(size)
}

// attendPacked is the attention of those rows whose caches attend_packed.cu takes.
func (d *Device) attendPacked(to, from uint64, b *batch, t layerTables, by engine.Attention, w way) {
	if len(t.packed.packs) == 0 {
		return
	}
	kind := d.kindNumber()
	for _, p := range t.packed.packs {
		file, name := "attend_packed", fmt.Sprintf("_%d_%d", p.queries, packKernelLanes(b.heads.Size))
		if p.kivi {
			file = "attend_packed_kivi"
		}
		if b.heads.Size%8 != 0 {
			name = "_slow"
		}
		d.card.Args(to, from).Int(kind).Ptr(t.packed.cached, p.items, b.step, b.partial, b.state).Int(b.heads.Size, by.Window).Float(by.Scale, by.Cap).Ptr(w.sinks).Int(b.heads.Query)
		d.card.Launch(d.card.Kernel(file, file+name), p.count, 1, 32*packWarps, p.shared)
	}
	if t.packed.packsShared {
		d.card.Args(to).Int(kind).Ptr(t.packed.packParts, b.step, b.partial, b.state).Int(b.heads.Size).Ptr(w.sinks).Int(b.heads.Query)
		d.card.Launch(d.card.Kernel("attend_packed", "attend_packed_join"), t.packed.packPartCount, 1, (b.heads.Size+31)/32*32, 0)
	}
}

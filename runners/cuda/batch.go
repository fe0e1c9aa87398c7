package cuda

import (
	"fmt"

	"github.com/snapbench/snapbench/runners/cuda/card"
	"github.com/snapbench/snapbench/runners/engine"
)

// batch is a ragged set of sequences. Its tables lie on the card, one set per layer;
// the number of steps does too, so that a recorded step serves every step.
type batch struct {
	device  *Device
	heads   engine.Heads
	rows    int
	room    int // steps for which every cache has room
	steps   int
	layers  []layerTables
	memory  []uint64 // blocks of the arena
	step    uint64   // int32: steps
	arrived uint64   // int32 per head, zero between operations; at least two, which the kernel for 9.0 needs
	partial uint64   // float32 (slots, d)
	state   uint64   // float32 (slots, 2)
	replays int
	recording
	hopper bool // the tables are for the kernel for 9.0
	packedBatch
}

// layerTables are one layer's tables on the card (kernels/batch.h).
type layerTables struct {
	rows, heads   uint64
	single, group uint64 // items of heads with one query head, and with several
	parts         uint64 // of the query heads, for the kernel for 9.0
	queries       int    // how many parts
	singles       int    // how many items; none in single where the kernel for 9.0 takes both lists
	groups        int
	most          int  // cache heads of a row, at most
	shared        bool // heads may have several items
	packed        packedTables
	states        uint64 // of linear attention, whose layers have nothing of the above
	stateLen      int    // numbers of a state
	convLen       int    // and of its convolution
	aligned       bool   // the states can be read four numbers at a time
}

// table is bytes on their way to the card.
type table struct {
	to    *uint64
	bytes []byte
}

func (b *batch) Rows() int { return b.rows }

func (b *batch) Steps() int { return b.steps }

func (d *Device) batch(operation string, eb engine.Batch) *batch {
	b, ok := eb.(*batch)
	if !ok || b.device != d || b.memory == nil {
		panic("cuda: " + operation + ": a batch of another device, or one that was freed")
	}
	return b
}

// NewBatch makes the tables for decoding. There are items for all rows that the caches have
// room for; the blocks of items that lie past the present length return at once.
func (d *Device) NewBatch(s []engine.Sequence, h engine.Heads) (engine.Batch, error) {
	if len(s) == 0 || h.KV <= 0 || h.Query%h.KV != 0 || h.Size > maxHead {
		panic(fmt.Sprintf("cuda: NewBatch: %d sequences, %+v", len(s), h))
	}
	b := &batch{device: d, heads: h, rows: len(s), room: -1}
	ok := d.card.Enter("NewBatch")
	defer d.card.Leave()
	if !ok {
		return nil, d.Sync()
	}
	d.card.HostNeeded("NewBatch")
	b.hopper = d.hopperCard() && d.kind != engine.Float32 && (h.Size <= 128 && h.Size%8 == 0 || h.Size == 256)
	for _, q := range s {
		if len(q.Caches) != len(s[0].Caches) {
			panic(fmt.Sprintf("cuda: NewBatch: sequences of %d and %d layers", len(s[0].Caches), len(q.Caches)))
		}
		for _, c := range q.Caches {
			if c.State.S.Len > 0 && len(c.Len) == 0 {
				if b.room < 0 || c.Room < b.room {
					b.room = c.Room
				}
				continue
			}
			if len(c.Len) == 0 || h.Query%len(c.Len) != 0 || len(c.Len)%h.KV != 0 || c.Size != h.Size {
				panic(fmt.Sprintf("cuda: NewBatch: a cache of %d heads of %d for %+v", len(c.Len), c.Size, h))
			}
			if b.room < 0 || c.Room < b.room {
				b.room = c.Room
			}
			if c.Packed != nil {
				continue
			}
			b.hopper = b.hopper && aligned(0, d.pointer("NewBatch", c.K, d.kind), d.pointer("NewBatch", c.V, d.kind))
		}
	}
	b.countPacked(s)
	free := func() {
		for _, p := range b.memory {
			d.card.Give(p)
		}
	}
	take := func(bytes int64) (uint64, error) {
		p, err := d.card.Take(bytes)
		if err == nil {
			b.memory = append(b.memory, p)
		}
		return p, err
	}
	if err := b.takeStage(d, take); err != nil {
		free()
		return nil, err
	}
	slots, counters := 0, 2
	l := layout{stage: b.stage}
	for layer := range s[0].Caches {
		l.layOut(d, s, layer, h, b.hopper)
		slots, counters = max(slots, l.slots), max(counters, l.counters)
		t, err := d.send(&l, s[0].Caches[layer].State, h.Size, take)
		if err != nil {
			free()
			return nil, err
		}
		b.layers = append(b.layers, t)
	}
	for _, c := range []struct {
		to    *uint64
		bytes int64
	}{{&b.step, 4}, {&b.arrived, 4 * int64(counters)}, {&b.partial, 4 * int64(slots) * int64(h.Size)}, {&b.state, 8 * int64(slots)}} {
		p, err := take(c.bytes)
		if err != nil {
			free()
			return nil, err
		}
		*c.to = p
	}
	d.card.Clear(b.step, 4)
	d.card.Clear(b.arrived, 4*int64(counters))
	if d.card.Failed() {
		free()
		return nil, d.Sync()
	}
	return b, nil
}

// send sends a layer's tables to the card, into memory that take gives. state is what the layer's caches have of linear attention.
func (d *Device) send(l *layout, state engine.State, size int, take func(int64) (uint64, error)) (layerTables, error) {
	t := layerTables{singles: len(l.single), groups: len(l.group), most: l.most, shared: l.shared, queries: len(l.parts)}
	t.packed.heads, t.packed.residual = len(l.stages), l.residual
	t.packed.codePartCount, t.packed.codesShared = len(l.codeParts), l.codesShared
	t.packed.packPartCount, t.packed.packsShared = len(l.packParts), l.packsShared
	t.stateLen, t.convLen, t.aligned = state.S.Len, state.Conv.Len, l.aligned
	t.packed.codes, t.packed.packs = make([]codeTable, len(l.codes)), make([]packTable, len(l.packs))
	tables := []table{{&t.rows, card.Bytes(l.rows)}, {&t.heads, card.Bytes(l.heads)}, {&t.single, card.Bytes(l.single)}, {&t.group, card.Bytes(l.group)}, {&t.parts, card.Bytes(l.parts)}, {&t.packed.stages, card.Bytes(l.stages)}, {&t.packed.cached, card.Bytes(l.cached)}, {&t.packed.packParts, card.Bytes(l.packParts)}, {&t.packed.codeParts, card.Bytes(l.codeParts)}, {&t.states, card.Bytes(l.states)}}
	for i, c := range l.codes {
		t.packed.codes[i] = codeTable{codeChoice: c.codeChoice, count: len(c.items), shared: codeShared(c, size)}
		tables = append(tables, table{&t.packed.codes[i].items, card.Bytes(c.items)})
	}
	for i, p := range l.packs {
		t.packed.packs[i] = packTable{packChoice: p.packChoice, count: len(p.items), shared: p.shared}
		tables = append(tables, table{&t.packed.packs[i].items, card.Bytes(p.items)})
	}
	for _, c := range tables {
		if len(c.bytes) == 0 {
			continue
		}
		p, err := take(int64(len(c.bytes)))
		if err != nil {
			return t, err
		}
		*c.to = p
		d.card.Write(p, c.bytes)
	}
	return t, nil
}

// FreeBatch frees the tables and the recorded step, not the caches.
func (d *Device) FreeBatch(eb engine.Batch) {
	b := d.batch("FreeBatch", eb)
	if b.graph != nil {
		b.graph.Close()
	}
	for _, p := range b.memory {
		d.card.Give(p)
	}
	b.memory = nil
}

func (b *batch) layer(operation string, layer int) layerTables {
	if layer < 0 || layer >= len(b.layers) {
		panic(fmt.Sprintf("cuda: %s: layer %d of %d", operation, layer, len(b.layers)))
	}
	return b.layers[layer]
}

func (b *batch) checkRoom(operation string) {
	if b.steps >= b.room {
		panic(fmt.Sprintf("cuda: %s: step %d, the caches have room for %d", operation, b.steps, b.room))
	}
}

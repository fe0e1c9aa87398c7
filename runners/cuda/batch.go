package cuda

import (
	"fmt"
	"unsafe"

	"github.com/snapbench/snapbench/runners/engine"
)

// batch is a ragged set of sequences. Its tables lie on the card, one set per layer;
// the number of steps does too, so that a recorded step serves every step.
type batch struct {
	device  *Device
	heads   engine.Heads
	rows    int
	room    int // steps that every cache has room for
	steps   int
	layers  []layerTables
	memory  []uint64 // blocks of the arena
	step    uint64   // int32: steps
	arrived uint64   // int32 per head, zero between operations; two for the kernel for 9.0
	partial uint64   // float32 (slots, d)
	state   uint64   // float32 (slots, 2)
	graph   *recording
	replays int
	hopper  bool // the tables are for the kernel for 9.0
}

// layerTables are one layer's tables on the card (kernels/batch.h).
type layerTables struct {
	rows, heads   uint64
	single, group uint64 // items of heads that one query head has to itself, and of shared ones
	parts         uint64 // of the query heads, for the kernel for 9.0
	singles       int    // how many; none where the kernel for 9.0 serves both
	groups        int
	most          int  // cache heads of a row, at most
	shared        bool // heads may have several items
}

func (b *batch) Rows() int  { return b.rows }
func (b *batch) Steps() int { return b.steps }

func (d *Device) batch(operation string, eb engine.Batch) *batch {
	b, ok := eb.(*batch)
	if !ok || b.device != d || b.memory == nil {
		panic("cuda: " + operation + ": a batch of another device, or one that was freed")
	}
	return b
}

// NewBatch lays out the tables for decoding. Blocks are laid out for the caches'
// room, and those ahead of the present length return at once.
func (d *Device) NewBatch(s []engine.Sequence, h engine.Heads) (engine.Batch, error) {
	if len(s) == 0 || h.KV <= 0 || h.Query%h.KV != 0 || h.Size > maxHead {
		panic(fmt.Sprintf("cuda: NewBatch: %d sequences, %+v", len(s), h))
	}
	b := &batch{device: d, heads: h, rows: len(s), room: -1}
	ok := d.enter("NewBatch")
	defer d.leave()
	if !ok {
		return nil, d.Sync()
	}
	d.idle("NewBatch")
	b.hopper = d.hopperCard() && d.kind != engine.Float32 && h.Size <= 128 && h.Size%8 == 0
	for _, q := range s {
		if len(q.Caches) != len(s[0].Caches) {
			panic(fmt.Sprintf("cuda: NewBatch: sequences of %d and %d layers", len(s[0].Caches), len(q.Caches)))
		}
		for _, c := range q.Caches {
			if len(c.Len) == 0 || h.Query%len(c.Len) != 0 || len(c.Len)%h.KV != 0 || c.Size != h.Size {
				panic(fmt.Sprintf("cuda: NewBatch: a cache of %d heads of %d for %+v", len(c.Len), c.Size, h))
			}
			if b.room < 0 || c.Room < b.room {
				b.room = c.Room
			}
			b.hopper = b.hopper && aligned(0, d.pointer("NewBatch", c.K, d.kind), d.pointer("NewBatch", c.V, d.kind))
		}
	}
	free := func() {
		for _, p := range b.memory {
			d.arena.give(p)
		}
	}
	take := func(bytes int64) (uint64, error) {
		p, err := d.take(bytes)
		if err == nil {
			b.memory = append(b.memory, p)
		}
		return p, err
	}
	slots, counters := 0, 2
	var l layout
	for layer := range s[0].Caches {
		l.layOut(d, s, layer, h, b.hopper)
		slots, counters = max(slots, l.slots), max(counters, l.counters)
		t := layerTables{singles: len(l.single), groups: len(l.group), most: l.most, shared: l.shared}
		for _, c := range []struct {
			to    *uint64
			bytes []byte
		}{{&t.rows, bytesOf(l.rows)}, {&t.heads, bytesOf(l.heads)}, {&t.single, bytesOf(l.single)}, {&t.group, bytesOf(l.group)}, {&t.parts, bytesOf(l.parts)}} {
			p, err := take(int64(len(c.bytes)))
			if err != nil {
				free()
				return nil, err
			}
			*c.to = p
			d.sendAll(p, c.bytes)
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
	d.clear(b.step, 4)
	d.clear(b.arrived, 4*int64(counters))
	if d.err != nil {
		free()
		return nil, d.Sync()
	}
	return b, nil
}

// FreeBatch gives the tables and the record back, not the caches.
func (d *Device) FreeBatch(eb engine.Batch) {
	b := d.batch("FreeBatch", eb)
	if b.graph != nil {
		d.inContext(func() { b.graph.close(d) })
	}
	for _, p := range b.memory {
		d.arena.give(p)
	}
	b.memory = nil
}

func (b *batch) layer(operation string, layer int) layerTables {
	if layer < 0 || layer >= len(b.layers) {
		panic(fmt.Sprintf("cuda: %s: layer %d of %d", operation, layer, len(b.layers)))
	}
	return b.layers[layer]
}

// RotateAppend turns one token of each sequence and puts it into the caches.
func (d *Device) RotateAppend(q engine.Array, eb engine.Batch, layer int, qkv engine.Array, r engine.Rotary, norm engine.QKNorm) {
	b := d.batch("RotateAppend", eb)
	h, t := b.heads, b.layer("RotateAppend", layer)
	same("RotateAppend", "qkv", qkv.Len, b.rows*(h.Query+2*h.KV)*h.Size)
	same("RotateAppend", "q", q.Len, b.rows*h.Query*h.Size)
	b.checkRoom("RotateAppend")
	to, from := d.pointer("RotateAppend", q, d.kind), d.pointer("RotateAppend", qkv, d.kind)
	ok := d.enter("RotateAppend")
	defer d.leave()
	if !ok {
		return
	}
	const warps = 4
	l := d.turn("RotateAppend", d.with(to, t.rows, t.heads, b.step, from), h, r, norm)
	l.int(h.Query, h.KV, h.Size, flag(h.Size%4 == 0 && aligned(0, to, from)))
	d.run(d.kernel("rotate", "rotate_append_"+d.suffix), b.rows, blocks(h.Query+t.most, warps), 32*warps, 4*h.Size)
}

func (b *batch) checkRoom(operation string) {
	if b.steps >= b.room {
		panic(fmt.Sprintf("cuda: %s: step %d, the caches have room for %d", operation, b.steps, b.room))
	}
}

// AttendCaches attends to everything that the caches hold.
func (d *Device) AttendCaches(out, q engine.Array, eb engine.Batch, layer int, window int, scale float32) {
	b := d.batch("AttendCaches", eb)
	h, t := b.heads, b.layer("AttendCaches", layer)
	same("AttendCaches", "q", q.Len, b.rows*h.Query*h.Size)
	same("AttendCaches", "out", out.Len, q.Len)
	to, from := d.pointer("AttendCaches", out, d.kind), d.pointer("AttendCaches", q, d.kind)
	ok := d.enter("AttendCaches")
	defer d.leave()
	if !ok {
		return
	}
	if b.hopper {
		if !aligned(0, from) {
			moved, done, ok := d.scratch(q.Bytes())
			if !ok {
				return
			}
			defer done()
			d.ok(call(d.driver.MemcpyDtoDAsync, uintptr(moved), uintptr(from), uintptr(q.Bytes()), d.stream))
			from = moved
		}
		name := "attend_any_"
		if h.Size == 64 || h.Size == 128 {
			name = fmt.Sprintf("attend_%d_", h.Size)
		}
		const warps, stages, rows, resident = 4, 2, 16, 2 // of kernels/attend_caches_sm90a.cu
		shared := warps*maxGroup*h.Size*4 + (2*maxGroup+warps*stages*2*rows)*h.Size*d.kind.Size()
		if t.groups <= d.card.Multiprocessors {
			shared = max(shared, 120<<10) // more than half of a multiprocessor's: one block on each
		}
		d.with(to, from, t.group).int(t.groups).ptr(b.step, b.partial, b.state, b.arrived).int(h.Size, window).float(scale)
		d.run(d.kernel("attend_caches_sm90a", name+d.suffix), min(t.groups, resident*d.card.Multiprocessors), 1, 32*warps, shared)
		if t.shared {
			d.with(to, t.parts, b.step, b.partial, b.state).int(h.Size)
			d.run(d.kernel("attend_caches_sm90a", "attend_join_"+d.suffix), b.rows*h.Query, 1, 32*warps, 0)
		}
		return
	}
	// A head's kernel follows from its own group, so a row has the same bits whatever
	// rows are beside it.
	attend := func(name string, items uint64, n int) {
		if n == 0 {
			return
		}
		d.with(to, from, items, b.step, b.partial, b.state, b.arrived).int(h.Size, window).float(scale)
		d.run(d.kernel("attend_caches", "attend_"+name+"_"+d.suffix), n, 1, 256, 0)
	}
	single, group := "single_plain", "single_plain"
	if d.kind != engine.Float32 && aligned(h.Size, to, from) {
		switch {
		case h.Size <= 64:
			single, group = "single_64", "group_64"
		case h.Size <= 128:
			single, group = "single_128", "group_128"
		default:
			single, group = "single_256", "single_256"
		}
	}
	attend(single, t.single, t.singles)
	attend(group, t.group, t.groups)
}

// Advance counts a step.
func (d *Device) Advance(eb engine.Batch) {
	b := d.batch("Advance", eb)
	if d.recording != nil {
		d.recording.advances++
	} else {
		b.steps++
	}
	ok := d.enter("Advance")
	defer d.leave()
	if ok {
		d.with(b.step)
		d.run(d.kernel("attend_caches", "advance"), 1, 1, 1, 0)
	}
}

// recording is a step as a CUDA graph.
type recording struct {
	executable uintptr
	advances   int      // how often the step advances its batch
	held       []uint64 // scratch memory of the kernels in it
}

func (r *recording) close(d *Device) {
	if r.executable != 0 {
		call(d.driver.GraphExecDestroy, r.executable)
	}
	for _, p := range r.held {
		d.arena.give(p)
	}
	*r = recording{}
}

// Replay runs the step as it is the first time, which loads what it needs; the second
// time it records it as a CUDA graph, and from then on launches that.
func (d *Device) Replay(eb engine.Batch, step func()) {
	b := d.batch("Replay", eb)
	b.replays++
	d.stepping = true
	defer func() { d.stepping = false }()
	if b.replays == 1 {
		step()
		return
	}
	ok := d.enter("Replay")
	defer d.leave()
	if !ok {
		return
	}
	if b.graph == nil && !d.record(b, step) {
		return
	}
	if b.graph.advances > 0 {
		b.checkRoom("Replay")
	}
	d.last = "Replay"
	d.ok(call(d.driver.GraphLaunch, b.graph.executable, d.stream))
	b.steps += b.graph.advances
}

// record captures what step launches.
func (d *Device) record(b *batch, step func()) bool {
	const relaxed = 2
	if !d.ok(call(d.driver.StreamBeginCapture, d.stream, relaxed)) {
		return false
	}
	r := &recording{}
	d.recording = r
	var graph uintptr
	finished := false
	end := func() uint32 {
		d.recording = nil
		return call(d.driver.StreamEndCapture, d.stream, uintptr(unsafe.Pointer(&graph)))
	}
	defer func() {
		if !finished { // step panicked
			end()
			r.close(d)
		}
	}()
	step()
	finished = true
	d.last = "Replay"
	ok := d.ok(end()) && d.ok(call(d.driver.GraphInstantiate, uintptr(unsafe.Pointer(&r.executable)), graph, 0))
	if graph != 0 {
		call(d.driver.GraphDestroy, graph)
	}
	if !ok {
		r.close(d)
		return false
	}
	b.graph = r
	return true
}

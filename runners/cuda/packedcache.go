package cuda

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/snapbench/snapbench/runners/cuda/card"
	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/engine/cacheformat"
)

var _ engine.Quantizer = (*Device)(nil)

// packedFormats are the formats that have kernels: the numbers of their keys' and values' encodings in
// kernels/formats.h.
var packedFormats = map[string][2]int32{
	"f16": {1, 1}, "fp8_s1": {2, 2}, "fp8_tensor": {2, 2}, "fp8_head": {2, 2}, "fp8_th": {3, 3}, "int8_th": {4, 4}, "q8_0": {5, 5}, "q4_0": {6, 6},
	"q8_0_rot": {5, 5}, "q4_0_rot": {6, 6}, "nvfp4": {7, 7}, "mxfp4": {8, 8}, "int4_th": {9, 9}, "tq_k8v4": {2, 10},
}

// packSpec is Spec of kernels/formats.h.
type packSpec struct{ keyFormat, valueFormat, keyBytes, valueBytes, keyTurn, valueTurn int32 }

func specOf(f *cacheformat.Format, size int) packSpec {
	format := packedFormats[f.Name]
	s := packSpec{format[0], format[1], int32(f.Key.Bytes(size)), int32(f.Value.Bytes(size)), 0, 0}
	block := int32(size & -size)
	switch f.Name {
	case "q8_0_rot", "q4_0_rot":
		s.keyTurn, s.valueTurn = block, min(64, block)
	case "int4_th":
		s.keyTurn, s.valueTurn = -block, -block
	}
	return s
}

// packScales are a head's calibrated scales, 1 where there are none.
type packScales struct{ key, value float32 }

func scalesOf(p *engine.Packed, head int) packScales {
	if p.Format.Calibration == cacheformat.Uncalibrated {
		return packScales{1, 1}
	}
	return packScales{p.Scales[head].Key, p.Scales[head].Value}
}

// packSource is Source of kernels/quantize.cu.
type packSource struct {
	k, v, toK, toV uint64
	rows           int32
	scales         packScales
	_              int32
}

// packStage is Stage of kernels/quantize.cu.
type packStage struct {
	fromK, fromV, k, v uint64
	held, row, head    int32
	spec               packSpec
	scales             packScales
	_                  int32
}

// packQuery is Query of kernels/attend_packed.cu.
type packQuery struct {
	k, v, positions       uint64
	held, position, query int32
	spec                  packSpec
	scales                packScales
	_                     int32
}

// packedTables are a layer's tables of caches in formats.
type packedTables struct {
	stages, queries uint64
	heads, count    int // how many of each
}

// packedBatch is what a batch has for caches in formats.
type packedBatch struct {
	packedHeads int    // of the layer with most of them
	stage       uint64 // (2, packedHeads, d) in the device's type: a step's keys and values
	refused     uint64 // int32 (rows): what quantize_append could not store
	formats     []string
}

// Quantizes refuses formats without kernels by name.
func (d *Device) Quantizes(f *cacheformat.Format, size int) error {
	if _, ok := packedFormats[f.Name]; !ok {
		return fmt.Errorf("%s has no kernels for the cache format %s: it has them for %s", d.Name(), f.Name, strings.Join(slices.Sorted(maps.Keys(packedFormats)), ", "))
	}
	if size > maxHead {
		return fmt.Errorf("%s: heads of %d, at most %d are served", d.Name(), size, maxHead)
	}
	return f.Fits(size)
}

// Quantize encodes all heads in one launch.
func (d *Device) Quantize(c engine.Cache, f *cacheformat.Format, scales []cacheformat.Scale, room int) (engine.Cache, error) {
	out, keys, values, rows := c.Pack(f, scales, room)
	fail := func(err error) (engine.Cache, error) {
		d.FreeCache(out)
		return engine.Cache{}, err
	}
	var err error
	if out.K, err = d.New(engine.Uint8, keys); err != nil {
		return fail(err)
	}
	if out.V, err = d.New(engine.Uint8, values); err != nil {
		return fail(err)
	}
	if c.Positions.Len > 0 {
		if out.Positions, err = d.New(engine.Int32, rows); err != nil {
			return fail(err)
		}
	}
	k, v := d.pointer("Quantize", c.K, d.kind), d.pointer("Quantize", c.V, d.kind)
	toK, toV := d.pointer("Quantize", out.K, engine.Uint8), d.pointer("Quantize", out.V, engine.Uint8)
	positions, toPositions := d.pointer("Quantize", c.Positions, engine.Int32), d.pointer("Quantize", out.Positions, engine.Int32)
	var heads []packSource
	most := 0
	for h, n := range c.Len {
		at := uint64(c.Start[h]*c.Size) * uint64(d.kind.Size())
		heads = append(heads, packSource{k: k + at, v: v + at, toK: toK + uint64(out.Packed.Keys[h]), toV: toV + uint64(out.Packed.Values[h]), rows: int32(n), scales: scalesOf(out.Packed, h)})
		most = max(most, n)
	}
	refused := make([]int32, len(heads))
	ok := d.card.Enter("Quantize")
	defer d.card.Leave()
	if !ok {
		return out, nil
	}
	d.card.HostNeeded("Quantize")
	table, done, ok := card.Table(d.card, heads)
	defer done()
	if !ok {
		return out, nil
	}
	flags, give, ok := d.card.Scratch(4 * int64(len(heads)))
	defer give()
	if !ok || !d.card.Clear(flags, 4*int64(len(heads))) {
		return out, nil
	}
	if c.Positions.Len > 0 {
		for h, n := range c.Len {
			if n > 0 {
				d.card.Copy(toPositions+4*uint64(out.Start[h]), positions+4*uint64(c.Start[h]), 4*int64(n))
			}
		}
	}
	const threads = 128
	s := specOf(f, c.Size)
	d.card.Args(table).Int(int(s.keyFormat), int(s.valueFormat), int(s.keyBytes), int(s.valueBytes), int(s.keyTurn), int(s.valueTurn), c.Size).Ptr(flags)
	d.card.Launch(d.card.Kernel("quantize", "quantize_"+d.suffix), blocks(2*most, threads), len(heads), threads, 0)
	if !d.read(card.Bytes(refused), flags) {
		return out, nil
	}
	for h, row := range refused {
		if row > 0 {
			d.Free(out.K, out.V, out.Positions)
			return engine.Cache{}, &engine.Refusal{Layer: -1, Head: h, Format: f.Name, Err: fmt.Errorf("entry %d holds what it cannot store", row-1)}
		}
	}
	return out, nil
}

// read copies bytes of the card to the host and waits for them.
func (d *Device) read(to []byte, from uint64) bool {
	for len(to) > 0 {
		n := min(len(to), card.PieceBytes)
		p := d.card.Stage(n)
		if !d.card.Fetch(p, from) || !d.card.Wait() {
			return false
		}
		copy(to, p)
		to, from = to[n:], from+uint64(n)
	}
	return true
}

// CacheRows decodes rows on the host.
func (d *Device) CacheRows(keys, values []float32, c engine.Cache, h, lo, hi, settled int) {
	p := c.Packed
	n := c.Len[h] + c.Room
	keyRoom, valueRoom := p.Format.Rooms(n, c.Size)
	k, v := make([]byte, keyRoom), make([]byte, valueRoom)
	ok := d.card.Enter("CacheRows")
	defer d.card.Leave()
	if !ok {
		return
	}
	d.card.HostNeeded("CacheRows")
	if d.read(k, d.pointer("CacheRows", c.K, engine.Uint8)+uint64(p.Keys[h])) && d.read(v, d.pointer("CacheRows", c.V, engine.Uint8)+uint64(p.Values[h])) {
		p.Format.Keys(keys, k, lo, hi, settled, c.Size, p.Scales[h])
		p.Format.Values(values, v, lo, hi, settled, c.Size, p.Scales[h])
	}
}

// Refused reads what steps could not store.
func (d *Device) Refused(eb engine.Batch) []error {
	b := d.batch("Refused", eb)
	if b.packedHeads == 0 {
		return nil
	}
	list, flags := make([]error, b.rows), make([]int32, b.rows)
	ok := d.card.Enter("Refused")
	defer d.card.Leave()
	if !ok {
		return list
	}
	d.card.HostNeeded("Refused")
	if d.read(card.Bytes(flags), b.refused) {
		for row, flag := range flags {
			if flag > 0 {
				list[row] = &engine.Refusal{Layer: int(flag >> 16), Head: int(flag&0xffff) - 1, Format: b.formats[row], Err: fmt.Errorf("a new entry holds what it cannot store")}
			}
		}
	}
	return list
}

// countPacked finds how much room a step's entries need.
func (b *batch) countPacked(s []engine.Sequence) {
	b.formats = make([]string, len(s))
	for layer := range s[0].Caches {
		heads := 0
		for row, q := range s {
			if p := q.Caches[layer].Packed; p != nil {
				heads += len(q.Caches[layer].Len)
				b.formats[row] = p.Format.Name
			}
		}
		b.packedHeads = max(b.packedHeads, heads)
	}
}

// takeStage takes memory for a step's entries and for what is refused.
func (b *batch) takeStage(d *Device, take func(int64) (uint64, error)) (err error) {
	if b.packedHeads == 0 {
		return nil
	}
	if b.stage, err = take(2 * int64(b.packedHeads) * int64(roomOf(d, b.heads.Size))); err != nil {
		return err
	}
	if b.refused, err = take(4 * int64(b.rows)); err == nil {
		d.card.Clear(b.refused, 4*int64(b.rows))
	}
	return err
}

// roomOf is the bytes of a head's vector in the device's type, in whole units of 16, so that every
// one is aligned.
func roomOf(d *Device, size int) int { return (size*d.kind.Size() + 15) / 16 * 16 }

// layPacked adds a row's cache in a format to a layer's tables.
func (l *layout) layPacked(d *Device, q engine.Sequence, row int, c engine.Cache, h engine.Heads) {
	f, group := c.Packed.Format, h.Query/len(c.Len)
	spec := specOf(f, c.Size)
	k, v := d.pointer("NewBatch", c.K, engine.Uint8), d.pointer("NewBatch", c.V, engine.Uint8)
	positions := d.pointer("NewBatch", c.Positions, engine.Int32)
	for a, n := range c.Len {
		at := l.stage + 2*uint64(len(l.stages))*uint64(roomOf(d, c.Size))
		s := packStage{
			fromK: at, fromV: at + uint64(roomOf(d, c.Size)), k: k + uint64(c.Packed.Keys[a]), v: v + uint64(c.Packed.Values[a]),
			held: int32(n), row: int32(row), head: int32(a), spec: spec,
			scales: scalesOf(c.Packed, a),
		}
		head := batchHead{k: s.fromK, v: s.fromV, held: int32(n), staged: 1}
		if positions != 0 {
			head.positions = positions + 4*uint64(c.Start[a])
		}
		l.stages, l.heads = append(l.stages, s), append(l.heads, head)
		for g := range group {
			l.queries = append(l.queries, packQuery{
				k: s.k, v: s.v, positions: head.positions, held: int32(n), position: int32(q.Position), query: int32(row*h.Query + a*group + g),
				spec: spec, scales: s.scales,
			})
		}
	}
}

// appendPacked encodes what RotateAppend has staged.
func (d *Device) appendPacked(b *batch, t layerTables, layer int) {
	if t.packed.heads == 0 {
		return
	}
	const threads = 128
	d.card.Args(t.packed.stages).Int(t.packed.heads).Ptr(b.step).Int(b.heads.Size, layer).Ptr(b.refused)
	d.card.Launch(d.card.Kernel("quantize", "quantize_append_"+d.suffix), blocks(2*t.packed.heads, threads), 1, threads, 0)
}

// attendPacked is the attention of those rows whose caches are in formats.
func (d *Device) attendPacked(to, from uint64, b *batch, t layerTables, by engine.Attention, w way) {
	if t.packed.count == 0 {
		return
	}
	d.card.Args(to, from, t.packed.queries, b.step).Int(b.heads.Size, by.Window).Float(by.Scale, by.Cap).Ptr(w.sinks).Int(b.heads.Query)
	d.card.Launch(d.card.Kernel("attend_packed", "attend_packed_"+d.suffix), t.packed.count, 1, 128, 0)
}

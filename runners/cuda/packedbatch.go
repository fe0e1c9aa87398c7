package cuda

import (
	"fmt"

	"github.com/snapbench/snapbench/runners/cuda/card"
	"github.com/snapbench/snapbench/runners/engine"
)

// packStage is Stage of kernels/quantize.cu.
type packStage struct {
	fromK, fromV, k, v uint64
	held, row, head    int32
	scales             packScales
	_                  int32
	spec               packSpec
}

// packedTables are a layer's tables of caches in formats.
type packedTables struct {
	stages        uint64
	heads         int  // how many
	residual      bool // some have what Advance encodes
	cached        uint64
	packs         []packTable
	packParts     uint64 // of their query heads
	packPartCount int
	packsShared   bool // heads may have several items
	codes         []codeTable
	codeParts     uint64 // of their query heads
	codePartCount int
	codesShared   bool // heads may have several items
}

// packedBatch is what a batch has for caches in formats.
type packedBatch struct {
	packedHeads int    // of the layer with most of them
	stage       uint64 // (2, packedHeads, d) in the device's type: a step's keys and values
	refused     uint64 // int32 (rows): what quantize_append could not store
	formats     []string
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
	if d.card.Read(card.Bytes(flags), b.refused) {
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
	l.residual = l.residual || f.Residual > 0
	for a, n := range c.Len {
		at := l.stage + 2*uint64(len(l.stages))*uint64(roomOf(d, c.Size))
		s := packStage{
			fromK: at, fromV: at + uint64(roomOf(d, c.Size)), k: k + uint64(c.Packed.Keys[a]), v: v + uint64(c.Packed.Values[a]),
			held: int32(n), row: int32(row), head: int32(a), scales: scalesOf(c.Packed, a), spec: spec,
		}
		head := batchHead{k: s.fromK, v: s.fromV, held: int32(n), staged: 1}
		if positions != 0 {
			head.positions = positions + 4*uint64(c.Start[a])
		}
		l.stages, l.heads = append(l.stages, s), append(l.heads, head)
		if d.hasCodeKernel(f, c.Size) {
			l.layCodes(c, s, head, q.Position, row*h.Query+a*group, group)
			continue
		}
		l.layPacks(c, s, head, q.Position, row*h.Query+a*group, group)
	}
}

// appendPacked encodes what RotateAppend has staged.
func (d *Device) appendPacked(b *batch, t layerTables, layer int) {
	if t.packed.heads == 0 {
		return
	}
	const warps = 4
	d.card.Args(t.packed.stages).Int(t.packed.heads).Ptr(b.step).Int(b.heads.Size, layer).Ptr(b.refused)
	d.card.Launch(d.card.Kernel("quantize", "quantize_append_"+d.suffix), blocks(2*t.packed.heads, warps), 1, 32*warps, 0)
}

// settlePacked encodes what residuals make due, before the step is counted.
func (d *Device) settlePacked(b *batch) {
	for layer, t := range b.layers {
		if t.packed.residual {
			d.card.Args(t.packed.stages, b.step).Int(b.heads.Size, layer).Ptr(b.refused)
			d.card.Launch(d.card.Kernel("quantize", "quantize_settle"), t.packed.heads, 1, (b.heads.Size+31)/32*32, 0)
		}
	}
}

package ref

import (
	"fmt"

	"github.com/snapbench/snapbench/runners/engine"
)

type batch struct {
	sequences []engine.Sequence
	heads     engine.Heads
	steps     int
	refused   []error // by row
}

func (b *batch) Rows() int  { return len(b.sequences) }
func (b *batch) Steps() int { return b.steps }

// NewBatch keeps the sequences.
func (d *Device) NewBatch(s []engine.Sequence, h engine.Heads) (engine.Batch, error) {
	return &batch{sequences: append([]engine.Sequence(nil), s...), heads: h, refused: make([]error, len(s))}, nil
}

// FreeBatch does nothing.
func (d *Device) FreeBatch(engine.Batch) {}

// Advance counts a step, once what it made due is encoded.
func (d *Device) Advance(eb engine.Batch) {
	b := eb.(*batch)
	b.steps++
	b.settle()
}

// RotateAppend stores one token of each sequence.
func (d *Device) RotateAppend(q engine.Array, eb engine.Batch, layer int, qkv engine.Array, r engine.Rotary, norm engine.QKNorm) {
	b := eb.(*batch)
	h := b.heads
	width := (h.Query + 2*h.KV) * h.Size
	same("RotateAppend", qkv.Len, b.Rows()*width)
	same("RotateAppend", q.Len, b.Rows()*h.Query*h.Size)
	for i, s := range b.sequences {
		position := s.Position + b.steps
		qr, kr, vr := split(floats(qkv)[i*width:(i+1)*width], position, h, r.(*rotary), norm)
		copy(floats(q)[i*h.Query*h.Size:], qr)
		c := s.Caches[layer]
		if b.steps >= c.Room {
			panic(fmt.Sprintf("ref: RotateAppend: step %d, the cache has room for %d", b.steps, c.Room))
		}
		for a, n := range c.Len {
			g := a / (len(c.Len) / h.KV)
			row := c.Start[a] + n + b.steps
			if c.Positions.Len > 0 {
				ints(c.Positions)[row] = int32(position)
			}
			if c.Packed != nil {
				b.append(i, layer, a, kr[g*h.Size:(g+1)*h.Size], vr[g*h.Size:(g+1)*h.Size])
				continue
			}
			copy(floats(c.K)[row*h.Size:(row+1)*h.Size], kr[g*h.Size:])
			copy(floats(c.V)[row*h.Size:(row+1)*h.Size], vr[g*h.Size:])
		}
	}
}

// AttendCaches reads each sequence's own cache.
func (d *Device) AttendCaches(out, q engine.Array, eb engine.Batch, layer int, by engine.Attention) {
	b := eb.(*batch)
	h := b.heads
	if by.Heads != h {
		panic(fmt.Sprintf("ref: AttendCaches: heads %+v, the batch has %+v", by.Heads, h))
	}
	row := h.Query * h.Size
	same("AttendCaches", out.Len, b.Rows()*row)
	same("AttendCaches", q.Len, b.Rows()*row)
	for i, s := range b.sequences {
		c := s.Caches[layer]
		position := s.Position + b.steps
		first := visible(position, by.Window)
		for a := range h.Query {
			head := a / (h.Query / len(c.Len))
			rows := c.Len[head] + b.steps + 1
			lo := 0
			for lo < rows && cachePosition(c, head, lo) < first {
				lo++
			}
			keys, values := b.rows(c, head, rows)
			at := i*row + a*h.Size
			attend(floats(out)[at:at+h.Size], floats(q)[at:at+h.Size], keys, values, lo, rows, a, by)
		}
	}
}

// cachePosition returns the prompt position of a cache row: where everything
// was kept, a row is its position.
func cachePosition(c engine.Cache, head, row int) int {
	if c.Positions.Len == 0 {
		return row
	}
	return int(ints(c.Positions)[c.Start[head]+row])
}

package cuda

import (
	"fmt"
	"math"
	"slices"

	"github.com/snapbench/snapbench/runners/cuda/card"
	"github.com/snapbench/snapbench/runners/engine"
)

// rotary is the frequencies on the card. Cosines and sines are computed when they are
// needed, in double precision, which costs less than reading a table.
type rotary struct {
	frequencies uint64 // (half), then the later ones (half) where there are any
	half        int    // pairs of a head that are turned
	from        int    // the position from which the later ones count
	scale       float32
	positions   int
}

func (r *rotary) Positions() int { return r.positions }

// NewRotary keeps the frequencies.
func (d *Device) NewRotary(rotation engine.Rotation, n int) (engine.Rotary, error) {
	if err := rotation.Check(n); err != nil {
		return nil, fmt.Errorf("cuda: %w", err)
	}
	r := &rotary{half: len(rotation.Frequencies), from: math.MaxInt32, scale: rotation.Scale, positions: n}
	frequencies := slices.Concat(rotation.Frequencies, rotation.Later)
	if rotation.Later != nil {
		r.from = min(r.from, rotation.From)
	}
	var err error
	if r.frequencies, err = d.take(4 * int64(len(frequencies))); err != nil {
		return nil, err
	}
	ok := d.card.Enter("NewRotary")
	defer d.card.Leave()
	if !ok || !d.card.Write(r.frequencies, card.Bytes(frequencies)) {
		d.card.Give(r.frequencies)
		return nil, d.Sync()
	}
	return r, nil
}

// FreeRotary gives the frequencies back.
func (d *Device) FreeRotary(r engine.Rotary) { d.card.Give(r.(*rotary).frequencies) }

// own is a rotary of this device for heads of that size.
func own(operation string, er engine.Rotary, h engine.Heads) *rotary {
	r, ok := er.(*rotary)
	if !ok {
		panic(fmt.Sprintf("cuda: %s: a rotary of another device", operation))
	}
	if 2*r.half > h.Size {
		panic(fmt.Sprintf("cuda: %s: a rotary turns %d pairs, a head has %d numbers", operation, r.half, h.Size))
	}
	return r
}

// turn checks and adds the arguments that Rotate and RotateAppend have in common.
func (d *Device) turn(operation string, l *card.Args, h engine.Heads, er engine.Rotary, norm engine.QKNorm) *card.Args {
	r := own(operation, er, h)
	query, key := d.pointer(operation, norm.Query, engine.Float32), d.pointer(operation, norm.Key, engine.Float32)
	for _, a := range []engine.Array{norm.Query, norm.Key} {
		if a.Len != 0 {
			same(operation, "a norm", a.Len, h.Size)
		}
	}
	return l.Ptr(r.frequencies).Int(r.half, r.from).Float(r.scale).Ptr(query, key).Float(norm.Epsilon)
}

// vectors says in which pieces heads are read: pairs of numbers (1) or eight of them (2)
// where pairs, and what is not turned, divide into them; otherwise numbers (0).
func vectors(h engine.Heads, er engine.Rotary) int {
	half := own("Rotate", er, h).half
	return flag(h.Size%4 == 0 && half%2 == 0) + flag(h.Size%16 == 0 && half%8 == 0)
}

// Rotate takes fused projections apart.
func (d *Device) Rotate(q engine.Array, kv engine.KV, qkv engine.Array, start int, h engine.Heads, er engine.Rotary, norm engine.QKNorm) {
	row := (h.Query + 2*h.KV) * h.Size
	if row == 0 || qkv.Len%row != 0 {
		panic(fmt.Sprintf("cuda: Rotate: qkv has %d elements, a row of %+v %d", qkv.Len, h, row))
	}
	m := qkv.Len / row
	d.checkRotate("Rotate", q, kv, m, start, h, er)
	qp, k, v := d.pointer("Rotate", q, d.kind), d.pointer("Rotate", kv.K, d.kind), d.pointer("Rotate", kv.V, d.kind)
	from := d.pointer("Rotate", qkv, d.kind)
	ok := d.card.Enter("Rotate")
	defer d.card.Leave()
	if !ok {
		return
	}
	l := d.turn("Rotate", d.card.Args(qp, k, v, from), h, er, norm)
	vec := 0
	if aligned(0, qp, k, v, from) {
		vec = vectors(h, er)
	}
	const tokens = 4 // per block
	l.Int(start).Long(kv.Tokens).Int(h.Query, h.KV, h.Size, m, vec)
	d.card.Launch(d.card.Kernel("rotate", "rotate_"+d.suffix), blocks(m, tokens), 1, 256, 4*h.Size*tokens)
}

// RotateAppend turns one token of each sequence and puts it into the caches.
func (d *Device) RotateAppend(q engine.Array, eb engine.Batch, layer int, qkv engine.Array, r engine.Rotary, norm engine.QKNorm) {
	b := d.batch("RotateAppend", eb)
	h, t := b.heads, b.layer("RotateAppend", layer)
	same("RotateAppend", "qkv", qkv.Len, b.rows*(h.Query+2*h.KV)*h.Size)
	same("RotateAppend", "q", q.Len, b.rows*h.Query*h.Size)
	b.checkRoom("RotateAppend")
	to, from := d.pointer("RotateAppend", q, d.kind), d.pointer("RotateAppend", qkv, d.kind)
	ok := d.card.Enter("RotateAppend")
	defer d.card.Leave()
	if !ok {
		return
	}
	const warps = 4
	l := d.turn("RotateAppend", d.card.Args(to, t.rows, t.heads, b.step, from), h, r, norm)
	l.Int(h.Query, h.KV, h.Size, flag(vectors(h, r) > 0 && aligned(0, to, from)))
	d.card.Launch(d.card.Kernel("rotate", "rotate_append_"+d.suffix), b.rows, blocks(h.Query+t.most, warps), 32*warps, 4*h.Size)
	d.appendPacked(b, t, layer)
}

// checkRotate panics where m rows from start on do not fit q, kv or the rotary.
func (d *Device) checkRotate(operation string, q engine.Array, kv engine.KV, m, start int, h engine.Heads, er engine.Rotary) {
	same(operation, "q", q.Len, m*h.Query*h.Size)
	d.checkKV(operation, kv, h)
	if start < 0 || start+m > kv.Tokens || start+m > er.Positions() {
		panic(fmt.Sprintf("cuda: %s: rows %d to %d of %d, the rotary serves %d", operation, start, start+m, kv.Tokens, er.Positions()))
	}
}

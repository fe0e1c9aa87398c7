package enginetest

import (
	goerrors "errors"
	"fmt"
	"math"
	"strings"

	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/engine/cacheformat"
)

// formatsOf returns the formats that a device has for heads of a size. What it has not, it
// must refuse by name.
func (b *bench) formatsOf(size int) (list []*cacheformat.Format) {
	for _, f := range cacheformat.All() {
		switch err := engine.Quantizes(b.dev, f, size); {
		case err == nil:
			list = append(list, f)
		case f.Fits(size) == nil && !strings.Contains(err.Error(), f.Name):
			b.Errorf("%s for heads of %d is refused by another name: %v", f.Name, size, err)
		}
	}
	return list
}

// packed holds caches in formats to the reference: what is stored of a prompt, what steps add
// beside caches of other formats, what attention reads, and what is refused.
func packed(b *bench) {
	for _, h := range headShapes {
		formats := b.formatsOf(h.Size)
		if len(formats) == 0 || !b.affords(len(formats)*600*h.Query*h.Size) {
			continue
		}
		b.packedSteps(h, formats)
		b.packedRefusals(h, formats)
		b.release()
	}
}

// quantized gathers what one sequence keeps of a prompt, in each format, on a device. It does
// the same for the cache as it is, which is the first.
func (b *bench) quantized(d engine.Device, kv engine.KV, kept engine.Kept, formats []*cacheformat.Format, room int) []engine.Cache {
	b.Helper()
	plain, err := d.Gather(kv, []engine.Kept{kept}, room)
	b.must(err)
	caches := plain
	exact, err := d.Gather(kv, []engine.Kept{kept}, 0)
	b.must(err)
	defer d.FreeCache(exact...)
	for i, f := range formats {
		var scales []cacheformat.Scale
		if f.Calibration != cacheformat.Uncalibrated {
			for range kept.Len {
				scales = append(scales, f.Calibrate([]float32{4}, []float32{3})...)
			}
		}
		before := d.Memory().InUse
		var c engine.Cache
		if i%2 == 0 { // some in the one way, some in the other
			c, err = d.(engine.Quantizer).Quantize(exact[0], f, scales, room)
		} else {
			c, err = engine.GatherQuantized(d, kv, kept, f, scales, room)
		}
		b.must(err)
		var want int64
		for _, n := range kept.Len {
			k, v := f.Rooms(n+room, kv.Size)
			want += int64(k + v)
		}
		ends := int64(2 * len(kept.Len) * (engine.RunAlign - 1)) // runs begin at multiples of it
		if got := c.K.Bytes() + c.V.Bytes(); got < want || got > want+ends || c.K.Type != engine.Uint8 {
			b.Errorf("%s, %d heads of %d: %d bytes of %v, want %d", f.Name, len(kept.Len), kv.Size, got, c.K.Type, want)
		}
		if got := d.Memory().InUse - before; got < want {
			b.Errorf("%s: memory in use rises by %d, the codes take %d", f.Name, got, want)
		}
		caches = append(caches, c)
	}
	b.Cleanup(func() { d.FreeCache(caches...) })
	return caches
}

// packedSteps decodes a batch with a row in each format, so many steps that residuals are
// encoded, from ragged heads. No rotation turns anything, so that codes are the same.
func (b *bench) packedSteps(h engine.Heads, formats []*cacheformat.Format) {
	b.Helper()
	const n, steps = 150, 12
	zeros := make([]float32, h.Size/2)
	rotary := map[engine.Device]engine.Rotary{}
	kv := b.kv(n, h)
	kept, positions := b.sequences(h, n, steps)
	for _, i := range []int{0, 2} {
		batches, held := map[engine.Device]engine.Batch{}, map[engine.Device][]engine.Cache{}
		b.both(func(d engine.Device, at func(*pair) engine.Array) {
			k := kept[i]
			if positions[i] != nil {
				k.Positions = at(positions[i])
			}
			r, err := d.NewRotary(engine.Rotation{Frequencies: zeros, Scale: 1}, n+steps)
			b.must(err)
			b.Cleanup(func() { d.FreeRotary(r) })
			rotary[d] = r
			held[d] = b.quantized(d, kv.on(at), k, formats, steps)
			var s []engine.Sequence
			for _, c := range held[d] {
				s = append(s, engine.Sequence{Caches: []engine.Cache{c}, Position: n})
			}
			batch, err := d.NewBatch(s, h)
			b.must(err)
			b.Cleanup(func() { d.FreeBatch(batch) })
			batches[d] = batch
		})
		rows := len(held[b.dev])
		x := b.in(b.normal(rows * (h.Query + 2*h.KV) * h.Size))
		q, out := b.out(rows*h.Query*h.Size), b.out(rows*h.Query*h.Size)
		for step := range steps {
			v := b.normal(x.dev.Len)
			b.dev.Put(x.dev, v)
			b.dev.Get(x.input, x.dev)
			b.ref.Put(x.ref, x.input)
			window := step % 3 / 2 * 60
			b.both(func(d engine.Device, at func(*pair) engine.Array) {
				engine.Step(d, func() { // a window that changes cannot be replayed
					d.RotateAppend(at(q), batches[d], 0, at(x), rotary[d], engine.QKNorm{})
					d.AttendCaches(at(out), at(q), batches[d], 0, engine.Attention{Heads: h, Window: window, Scale: float32(1 / math.Sqrt(float64(h.Size)))})
					d.Advance(batches[d])
				})
			})
			b.checkChain(fmt.Sprintf("%+v, formats after the first row, kept %d, step %d", h, i, step), out, h.Size, h.Size+n, 3)
			for row, err := range b.dev.(engine.Quantizer).Refused(batches[b.dev]) {
				if err != nil {
					b.Fatalf("row %d: %v", row, err)
				}
			}
		}
		for f, got := range held[b.dev][1:] {
			b.sameRows(fmt.Sprintf("%+v, %s, kept %d", h, formats[f].Name, i), got, held[engine.Device(b.ref)][1+f], steps)
		}
	}
}

// sameRows compares what caches in a format hold after so many steps, and their positions.
func (b *bench) sameRows(what string, got, want engine.Cache, steps int) {
	b.Helper()
	for head, length := range want.Len {
		n := length + steps
		var sides [4][]float32
		for i := range sides {
			sides[i] = make([]float32, n*want.Size)
		}
		engine.Rows(b.dev, sides[0], sides[1], got, head, 0, n, n)
		b.must(b.dev.Sync())
		engine.Rows(b.ref, sides[2], sides[3], want, head, 0, n, n)
		if err := same(sides[0], sides[2]); err != nil {
			b.Errorf("%s: head %d: keys: %v", what, head, err)
		}
		if err := same(sides[1], sides[3]); err != nil {
			b.Errorf("%s: head %d: values: %v", what, head, err)
		}
	}
	if want.Positions.Len > 0 {
		p := make([]int32, want.Positions.Len)
		b.ref.GetInts(p, want.Positions)
		for i, g := range b.getInts(got.Positions) {
			if g != p[i] {
				b.Fatalf("%s: position %d is %d, want %d", what, i, g, p[i])
			}
		}
	}
}

// packedRefusals: what is not a number is refused, of a prompt with the head, of a step with the
// row, beside rows that are as they would be.
func (b *bench) packedRefusals(h engine.Heads, formats []*cacheformat.Format) {
	b.Helper()
	const n = 40
	nan := float32(math.NaN())
	d := b.dev.(engine.Quantizer)
	numbers := b.normal(h.KV * n * h.Size)
	kv := b.kv(n, h)
	side := func(p *pair) engine.Array { return p.dev }
	all := make([]int, h.KV)
	for i := range all {
		all[i] = n
	}
	var caches []engine.Cache
	defer func() { b.dev.FreeCache(caches...) }()
	for _, f := range formats {
		scales := make([]cacheformat.Scale, h.KV)
		for i := range scales {
			scales[i] = cacheformat.Scale{Key: 1, Value: 1}
		}
		plain, err := b.dev.Gather(kv.on(side), []engine.Kept{{Len: all, All: true}}, 1)
		b.must(err)
		c, err := d.Quantize(plain[0], f, scales, 1)
		b.must(err)
		caches = append(caches, c)
		head := h.KV - 1
		at := (plain[0].Start[head]+n/2)*h.Size + 3
		b.dev.Put(plain[0].V.Slice(at, at+1), []float32{nan})
		before := b.dev.Memory().InUse
		_, err = d.Quantize(plain[0], f, scales, 1)
		var refused *engine.Refusal
		if !goerrors.As(err, &refused) || refused.Head != head || refused.Format != f.Name {
			b.Errorf("%s: NaN among the values of head %d: %v, want a refusal that names the head", f.Name, head, err)
		}
		if after := b.dev.Memory().InUse; after != before {
			b.Errorf("%s: a refusal leaves %d bytes", f.Name, after-before)
		}
		b.dev.FreeCache(plain...)
	}
	b.packedUnstored(h, formats)
	var s []engine.Sequence
	for _, c := range caches {
		s = append(s, engine.Sequence{Caches: []engine.Cache{c}, Position: n})
	}
	batch, err := b.dev.NewBatch(s, h)
	b.must(err)
	defer b.dev.FreeBatch(batch)
	rotary, err := b.dev.NewRotary(engine.Rotation{Frequencies: make([]float32, h.Size/2), Scale: 1}, n+1)
	b.must(err)
	defer b.dev.FreeRotary(rotary)
	width := (h.Query + 2*h.KV) * h.Size
	bad := len(s) / 2
	copy(numbers, b.normal(len(numbers)))
	x := make([]float32, len(s)*width)
	for i := range x {
		x[i] = numbers[i%len(numbers)]
	}
	x[(bad+1)*width-1] = nan // the last value of the last head
	qkv, q := b.in(x), b.out(len(s)*h.Query*h.Size)
	b.dev.RotateAppend(q.dev, batch, 0, qkv.dev, rotary, engine.QKNorm{})
	b.dev.Advance(batch)
	b.must(b.dev.Sync())
	for row, err := range d.Refused(batch) {
		var refused *engine.Refusal
		switch {
		case row != bad && err != nil:
			b.Errorf("row %d (%s): %v", row, formats[row].Name, err)
		case row == bad && (!goerrors.As(err, &refused) || refused.Head != h.KV-1 || refused.Layer != 0):
			b.Errorf("row %d (%s) is given NaN in layer 0, head %d: %v", row, formats[row].Name, h.KV-1, err)
		}
	}
	b.release()
}

// packedUnstored gathers a prompt with a NaN in each format, and asks for all of them at once: by now, or then, each is refused
// with the head. What is gathered beside them is stored.
func (b *bench) packedUnstored(h engine.Heads, formats []*cacheformat.Format) {
	b.Helper()
	const n = 40
	head := h.KV - 1
	good, bad := b.kv(n, h), b.kv(n, h)
	at := (head*n+n/2)*h.Size + 3
	b.dev.Put(bad.v.dev.Slice(at, at+1), []float32{float32(math.NaN())})
	all := engine.Kept{All: true}
	for range h.KV {
		all.Len = append(all.Len, n)
	}
	scales := make([]cacheformat.Scale, h.KV)
	for i := range scales {
		scales[i] = cacheformat.Scale{Key: 1, Value: 1}
	}
	side := func(p *pair) engine.Array { return p.dev }
	var caches []engine.Cache
	var of []*cacheformat.Format
	refusal := func(f *cacheformat.Format, err error) {
		b.Helper()
		var refused *engine.Refusal
		if !goerrors.As(err, &refused) || refused.Head != head || refused.Format != f.Name {
			b.Errorf("%s: NaN among the values of head %d that are gathered: %v, want a refusal that names the head", f.Name, head, err)
		}
	}
	for _, f := range formats {
		c, err := engine.GatherQuantized(b.dev, good.on(side), all, f, scales, 1)
		b.must(err)
		caches, of = append(caches, c), append(of, nil)
		c, err = engine.GatherQuantized(b.dev, bad.on(side), all, f, scales, 1)
		if err != nil {
			refusal(f, err)
			continue
		}
		caches, of = append(caches, c), append(of, f)
	}
	for i, err := range engine.Unstored(b.dev, caches...) {
		if of[i] != nil {
			refusal(of[i], err)
		} else if err != nil {
			b.Errorf("what can be stored is refused: %v", err)
		}
	}
	for _, err := range engine.Unstored(b.dev, caches...) {
		if err != nil {
			b.Errorf("a refusal is told twice: %v", err)
		}
	}
	b.dev.FreeCache(caches...)
}

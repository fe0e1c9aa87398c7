package cuda

import (
	"fmt"

	"github.com/snapbench/snapbench/runners/engine"
)

// AttendCaches is attention over everything that the caches hold.
func (d *Device) AttendCaches(out, q engine.Array, eb engine.Batch, layer int, by engine.Attention) {
	b := d.batch("AttendCaches", eb)
	h, t := b.heads, b.layer("AttendCaches", layer)
	if by.Heads != h {
		panic(fmt.Sprintf("cuda: AttendCaches: heads %+v, the batch has %+v", by.Heads, h))
	}
	same("AttendCaches", "q", q.Len, b.rows*h.Query*h.Size)
	same("AttendCaches", "out", out.Len, q.Len)
	to, from := d.pointer("AttendCaches", out, d.kind), d.pointer("AttendCaches", q, d.kind)
	ok := d.card.Enter("AttendCaches")
	defer d.card.Leave()
	if !ok {
		return
	}
	w := d.way("AttendCaches", by)
	d.attendPacked(to, from, b, t, by, w)
	d.attendCodes(to, from, b, t, by, w)
	if b.hopper {
		d.attendHopper(to, from, q.Bytes(), b, t, by, w)
		return
	}
	// The size of a head's group alone decides which kernel it gets, so a row has the same
	// bits whatever rows are beside it.
	attend := func(name string, items uint64, n int) {
		if n == 0 {
			return
		}
		w.add(d.card.Args(to, from, items, b.step, b.partial, b.state, b.arrived).Int(h.Size, by.Window).Float(by.Scale))
		d.card.Launch(w.kernel("attend_caches", "attend_"+name+"_"+d.suffix), n, 1, 256, 0)
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
	ok := d.card.Enter("Advance")
	defer d.card.Leave()
	if ok {
		d.settlePacked(b)
		d.card.Args(b.step)
		d.card.Launch(d.card.Kernel("attend_caches", "advance"), 1, 1, 1, 0)
	}
}

package cuda

import (
	"fmt"

	"github.com/snapbench/snapbench/runners/engine"
)

// Companions is [Companions] of this card.
func (d *Device) Companions() int { return Companions(d.kind, d.hopperCard()) }

// Companions is how many rows of x the kernels for few rows multiply at once, by the element
// type and whether the card has compute capability 9.0. A step of more rows is multiplied in
// pieces of so many, each of which reads the weights again.
func Companions(t engine.Type, hopper bool) int {
	if hopper && t != engine.Float32 {
		return wideRows
	}
	return fewRows
}

var _ engine.Companion = (*Device)(nil)

// few multiplies with the kernels for few rows.
func (d *Device) few(to uint64, t engine.Type, from uint64, m int, w *weight, add bool, used uint64) {
	for most := d.Companions(); m > 0; m -= most {
		d.fewOf(to, t, from, min(m, most), w, add, choice{used: used, count: 1})
		to, from = to+uint64(most*w.rows*t.Size()), from+uint64(most*w.cols*d.kind.Size())
	}
}

// choice says whether few rows, at most Companions, are multiplied, or which of them with which experts' weights
// (kernels/matmul_few.cu).
type choice struct {
	used            uint64
	choices         uint64 // a table of so many parts, or 0
	count           int
	experts, tokens uint64
}

// resultName is the name of a kernel for results of type t, which are the device's own or float32.
func resultName(name string, t engine.Type) string {
	if t == engine.Float32 {
		name += "_f32"
	}
	return name
}

// fewOf is few with a choice; w is the weight, or any of the experts', which are alike.
func (d *Device) fewOf(to uint64, t engine.Type, from uint64, m int, w *weight, add bool, c choice) {
	name := resultName(d.suffix, t)
	if w.packed() {
		if !aligned(w.cols, from, w.address) {
			own, done, ok := d.plain(w)
			defer done()
			if ok { // and by kernels that wait for it: no weight that is unpacked is aligned with such an x
				d.fewOf(to, t, from, m, own, add, c)
			}
			return
		}
		switch {
		case w.pieces != nil: // which no expert has that is chosen by a table
			for _, p := range w.pieces {
				d.fewBlocks(to, t, from, m, p, w.rows, add, c)
				to += uint64(p.rows * t.Size())
			}
		case inBlocks(w.storage):
			d.fewBlocks(to, t, from, m, w, w.rows, add, c)
		default:
			d.fewPacked(to, t, from, m, w, add, c)
		}
		return
	}
	plain := d.kind == engine.Float32 || !aligned(w.cols, from, w.address)
	if d.hopperCard() && !plain && m > 8 {
		if m > ringRows {
			d.wide(to, t, name, from, m, w, add, c.used)
		} else {
			d.ring(to, name, from, m, w, add, c.used)
		}
		return
	}
	d.card.Args(to, from, w.address, w.bias).Int(m).Long(w.rows, w.cols).Int(flag(add)).Ptr(c.used, c.choices, c.experts, c.tokens)
	if plain {
		d.card.Launch(d.card.Kernel("matmul_few", "matmul_plain_"+name), blocks(w.rows, 8), c.count*blocks(m, 8), 256, 0)
		return
	}
	// Groups of eight rows of x, and how many rows of w a block takes with them.
	groups, rows := blocks(m, 8), 32
	switch {
	case groups == 1:
		rows = 16
	case groups > 4:
		groups = 8
	}
	d.card.Launch(d.card.Kernel("matmul_few", fmt.Sprintf("matmul_few_%d_%s", groups, name)), blocks(w.rows, rows), c.count, 256, 0)
}

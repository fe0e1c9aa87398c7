package cuda

import (
	"fmt"

	"github.com/snapbench/snapbench/runners/engine"
)

// SwiGLU joins gate and up.
func (d *Device) SwiGLU(dst, gateUp engine.Array, ff int) {
	if ff <= 0 || dst.Len%ff != 0 {
		panic(fmt.Sprintf("cuda: SwiGLU: dst has %d elements, a row %d", dst.Len, ff))
	}
	same("SwiGLU", "gateUp", gateUp.Len, 2*dst.Len)
	to, from := d.pointer("SwiGLU", dst, d.kind), d.pointer("SwiGLU", gateUp, d.kind)
	ok := d.card.Enter("SwiGLU")
	defer d.card.Leave()
	if ok {
		d.swiGLU(to, from, dst.Len/ff, ff)
	}
}

func (d *Device) swiGLU(to, from uint64, m, ff int) {
	vec := aligned(ff, to, from)
	total, threads := m*ff, 256
	each := 1
	if vec {
		each = 8
	}
	ordered := uint64(0)
	if vec {
		ordered = d.alsoInOrder(to, m, ff)
	}
	d.card.Args(to, ordered, from).Long(total).Int(ff, flag(vec))
	d.card.Launch(d.card.Kernel("swiglu", "swiglu_"+d.suffix), blocks(total, each*threads), 1, threads, 0)
}

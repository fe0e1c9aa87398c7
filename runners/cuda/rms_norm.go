package cuda

import (
	"fmt"

	"github.com/snapbench/snapbench/runners/engine"
)

// RMSNorm normalises rows.
func (d *Device) RMSNorm(dst, x, weight engine.Array, eps float32) {
	width := weight.Len
	if width == 0 || x.Len%width != 0 {
		panic(fmt.Sprintf("cuda: RMSNorm: x has %d elements, a row %d", x.Len, width))
	}
	same("RMSNorm", "dst", dst.Len, x.Len)
	to, from, w := d.pointer("RMSNorm", dst, d.kind), d.pointer("RMSNorm", x, d.kind), d.pointer("RMSNorm", weight, engine.Float32)
	ok := d.card.Enter("RMSNorm")
	defer d.card.Leave()
	if !ok {
		return
	}
	vec := aligned(width, to, from, w)
	threads := 256
	if vec {
		threads = min(max(blocks(blocks(width, 16), 32)*32, 64), 512)
	}
	ordered := uint64(0)
	if vec {
		ordered = d.alsoInOrder(to, x.Len/width, width)
	}
	d.card.Args(to, ordered, from, w).Long(width).Float(eps).Int(flag(vec))
	d.card.Launch(d.card.Kernel("rms_norm", "rms_norm_"+d.suffix), x.Len/width, 1, threads, 0)
}

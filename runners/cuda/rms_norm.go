package cuda

import (
	"fmt"

	"github.com/snapbench/snapbench/runners/engine"
)

// RMSNorm normalises rows.
func (d *Device) RMSNorm(dst, x, weight engine.Array, eps float32) {
	d.rmsNorm("RMSNorm", "rms_norm_", dst, x, weight, eps)
}

// RMSNormAdd adds normalised rows.
func (d *Device) RMSNormAdd(dst, x, weight engine.Array, eps float32) {
	d.rmsNorm("RMSNormAdd", "rms_norm_add_", dst, x, weight, eps)
}

func (d *Device) rmsNorm(op, kernel string, dst, x, weight engine.Array, eps float32) {
	width := weight.Len
	if width == 0 || x.Len%width != 0 {
		panic(fmt.Sprintf("cuda: %s: x has %d elements, a row %d", op, x.Len, width))
	}
	same(op, "dst", dst.Len, x.Len)
	to, from, w := d.pointer(op, dst, d.kind), d.pointer(op, x, d.kind), d.pointer(op, weight, engine.Float32)
	ok := d.card.Enter(op)
	defer d.card.Leave()
	if !ok {
		return
	}
	vec := aligned(width, to, from, w)
	threads := 256
	if vec {
		threads = min(max(blocks(blocks(width, 16), 32)*32, 64), 512)
	}
	d.card.Args(to, from, w).Long(width).Float(eps).Int(flag(vec))
	d.card.Launch(d.card.Kernel("rms_norm", kernel+d.suffix), x.Len/width, 1, threads, 0)
}

package cuda

import (
	"fmt"

	"github.com/snapbench/snapbench/runners/cuda/card"
	"github.com/snapbench/snapbench/runners/engine"
)

// Gate joins gate and up.
func (d *Device) Gate(dst, gateUp engine.Array, ff int, a engine.Activation) {
	if ff <= 0 || dst.Len%ff != 0 {
		panic(fmt.Sprintf("cuda: Gate: dst has %d elements, a row %d", dst.Len, ff))
	}
	same("Gate", "gateUp", gateUp.Len, 2*dst.Len)
	to, from := d.pointer("Gate", dst, d.kind), d.pointer("Gate", gateUp, d.kind)
	ok := d.card.Enter("Gate")
	defer d.card.Leave()
	if ok {
		d.gate(to, from, dst.Len/ff, ff, a)
	}
}

func (d *Device) gate(to, from uint64, m, ff int, a engine.Activation) {
	vec := aligned(ff, to, from)
	total, threads := m*ff, 256
	each := 1
	if vec {
		each = 8
	}
	numbers(d.card.Args(to, from).Long(total).Int(ff, flag(vec)), a)
	d.card.Launch(d.card.Kernel("gate", formula(a)+"_"+d.suffix), blocks(total, each*threads), 1, threads, 0)
}

// formula is what kernels of an activation have in their names.
func formula(a engine.Activation) string {
	switch a.Kind {
	case engine.SwiGLU:
		return "swiglu"
	case engine.TanhGEGLU:
		return "geglu"
	case engine.ClampedSwiGLU:
		return "clamped"
	}
	panic(fmt.Sprintf("cuda: Gate: %v", a.Kind))
}

// numbers are the last arguments of a kernel of an activation.
func numbers(l *card.Args, a engine.Activation) {
	if a.Kind == engine.ClampedSwiGLU {
		l.Float(a.Alpha).Float(a.Limit)
	}
}

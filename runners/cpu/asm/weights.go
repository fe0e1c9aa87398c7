package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// widen loads a vector of 16-bit numbers as float32, exactly.
func (w width) widen(format string, m Mem, dst reg.VecVirtual) {
	if format == "F16" {
		VCVTPH2PS(m, dst)
		return
	}
	VPMOVZXWD(m, dst)
	VPSLLD(Imm(16), dst, dst)
}

// unpackHalf: dst[i] = float32(src[i]), n a multiple of the panel's columns.
func (w width) unpackHalf(format string) {
	name := fmt.Sprintf("unpack%s%s", format, w.name)
	TEXT(name, NOSPLIT, "func(n int, src *byte, dst *float32)")
	Doc(name + " widens n 16-bit numbers, n a multiple of a panel's columns.")
	Pragma("noescape")
	n := Load(Param("n"), GP64())
	src, dst := Load(Param("src"), GP64()), Load(Param("dst"), GP64())
	v := w.vecs(2)
	Label("loop")
	for j := range v {
		w.widen(format, Mem{Base: src, Disp: j * w.bytes / 2}, v[j])
		VMOVUPS(v[j], Mem{Base: dst, Disp: j * w.bytes})
	}
	ADDQ(U32(uint32(w.bytes)), src)
	ADDQ(U32(uint32(2*w.bytes)), dst)
	SUBQ(Imm(uint64(w.panel())), n)
	JNE(LabelRef("loop"))
	VZEROUPPER()
	RET()
}

// A panel of Q8_0 is a run of blocks of 32 k: the scales of the columns as
// halfs, then for each k the columns' codes, a byte each.
func (w width) q8Bytes() int { return w.panel() * 34 }

// A panel of Q4_1 is a run of blocks of 32 k: the columns' scales and minima as
// halfs, then for each eight k a word per column, the first k in the low nibble.
func (w width) q4Bytes() int { return w.panel() * 20 }

func (w width) unpackQ8() {
	name := "unpackQ8" + w.name
	TEXT(name, NOSPLIT, "func(blocks int, src *byte, dst *float32)")
	Doc(name + " writes the values of a panel's blocks of 32 k.")
	Pragma("noescape")
	n := Load(Param("blocks"), GP64())
	src, dst := Load(Param("src"), GP64()), Load(Param("dst"), GP64())
	d, v := w.vecs(2), w.vecs(2)
	i := GP64()
	Label("block")
	for j := range d {
		VCVTPH2PS(Mem{Base: src, Disp: j * w.bytes / 2}, d[j])
	}
	ADDQ(Imm(uint64(2*w.panel())), src)
	MOVQ(U32(32), i)
	Label("k")
	for j := range d {
		VPMOVSXBD(Mem{Base: src, Disp: j * w.lanes()}, v[j])
		VCVTDQ2PS(v[j], v[j])
		VMULPS(d[j], v[j], v[j])
		VMOVUPS(v[j], Mem{Base: dst, Disp: j * w.bytes})
	}
	ADDQ(Imm(uint64(w.panel())), src)
	ADDQ(U32(uint32(2*w.bytes)), dst)
	DECQ(i)
	JNE(LabelRef("k"))
	DECQ(n)
	JNE(LabelRef("block"))
	VZEROUPPER()
	RET()
}

// nibble leaves code i, of eight, of the words q in t as float32.
func (w width) nibble(q, mask, t reg.VecVirtual, i int) {
	switch i {
	case 0:
		w.and(mask, q, t)
	case 7:
		VPSRLD(Imm(28), q, t)
	default:
		VPSRLD(Imm(uint64(4*i)), q, t)
		w.and(mask, t, t)
	}
	VCVTDQ2PS(t, t)
}

func (w width) unpackQ4() {
	name := "unpackQ4" + w.name
	TEXT(name, NOSPLIT, "func(blocks int, src *byte, dst *float32)")
	Doc(name + " writes the values of a panel's blocks of 32 k.")
	Pragma("noescape")
	n := Load(Param("blocks"), GP64())
	src, dst := Load(Param("src"), GP64()), Load(Param("dst"), GP64())
	mask := w.broadcast(15)
	d, m, q, t := w.vecs(2), w.vecs(2), w.vecs(2), w.vecs(2)
	i := GP64()
	Label("block")
	for j := range d {
		VCVTPH2PS(Mem{Base: src, Disp: j * w.bytes / 2}, d[j])
		VCVTPH2PS(Mem{Base: src, Disp: w.bytes + j*w.bytes/2}, m[j])
	}
	ADDQ(U32(uint32(4*w.panel())), src)
	MOVQ(U32(4), i)
	Label("word")
	for j := range q {
		VMOVUPS(Mem{Base: src, Disp: j * w.bytes}, q[j])
	}
	for k := range 8 {
		for j := range q {
			w.nibble(q[j], mask, t[j], k)
			// d·q is exact in float32 (15 bits), so that one rounding is two.
			VFMADD213PS(m[j], d[j], t[j])
			VMOVUPS(t[j], Mem{Base: dst, Disp: k*2*w.bytes + j*w.bytes})
		}
	}
	ADDQ(U32(uint32(2*w.bytes)), src)
	ADDQ(U32(uint32(16*w.bytes)), dst)
	DECQ(i)
	JNE(LabelRef("word"))
	DECQ(n)
	JNE(LabelRef("block"))
	VZEROUPPER()
	RET()
}

// row declares a kernel for one row of x: c = init + x·panel, or c += x·panel,
// for one panel or two neighbours, stride bytes apart. It returns the pieces
// all of them share.
type row struct {
	w        width
	n, x     reg.Register
	b        []reg.Register // per panel
	acc      []reg.VecVirtual
	panels   int
	finishes func()
}

func (w width) row(format, count string, panels int) *row {
	name := fmt.Sprintf("row%s%s_%d", format, w.name, panels)
	TEXT(name, NOSPLIT, "func("+count+" int, x *float32, b *byte, stride int, init *float32, c *float32, add int)")
	Doc(fmt.Sprintf("%s multiplies one row by %d panels.", name, panels))
	Pragma("noescape")
	r := &row{w: w, panels: panels}
	r.n, r.x = Load(Param(count), GP64()), Load(Param("x"), GP64())
	r.b = []reg.Register{Load(Param("b"), GP64())}
	if panels == 2 {
		s := Load(Param("stride"), GP64())
		ADDQ(r.b[0], s)
		r.b = append(r.b, s)
	}
	init := Load(Param("init"), GP64())
	r.acc = w.vecs(2 * panels)
	for j, v := range r.acc {
		VMOVUPS(Mem{Base: init, Disp: j * w.bytes}, v)
	}
	return r
}

func (r *row) store() {
	c, add := Load(Param("c"), GP64()), Load(Param("add"), GP64())
	TESTQ(add, add)
	JE(LabelRef("set"))
	for j, v := range r.acc {
		VADDPS(Mem{Base: c, Disp: j * r.w.bytes}, v, v)
	}
	Label("set")
	for j, v := range r.acc {
		VMOVUPS(v, Mem{Base: c, Disp: j * r.w.bytes})
	}
	VZEROUPPER()
	RET()
}

func (r *row) advance(bytes int) {
	for _, b := range r.b {
		ADDQ(U32(uint32(bytes)), b)
	}
}

func (w width) rowHalf(format string, panels int) {
	r := w.row(format, "k", panels)
	x, t := w.vec(), w.vecs(2)
	Label("loop")
	VBROADCASTSS(Mem{Base: r.x}, x)
	for j, acc := range r.acc {
		w.widen(format, Mem{Base: r.b[j/2], Disp: j % 2 * w.bytes / 2}, t[j&1])
		VFMADD231PS(t[j&1], x, acc)
	}
	ADDQ(Imm(4), r.x)
	r.advance(w.bytes)
	DECQ(r.n)
	JNE(LabelRef("loop"))
	r.store()
}

func (w width) rowQ8(panels int) {
	r := w.row("Q8", "blocks", panels)
	x, t, d := w.vec(), w.vecs(2), w.vecs(2*panels)
	i := GP64()
	Label("block")
	for j := range d {
		VCVTPH2PS(Mem{Base: r.b[j/2], Disp: j % 2 * w.bytes / 2}, d[j])
	}
	r.advance(2 * w.panel())
	MOVQ(U32(8), i)
	Label("k")
	for k := range 4 {
		VBROADCASTSS(Mem{Base: r.x, Disp: 4 * k}, x)
		for j, acc := range r.acc {
			VPMOVSXBD(Mem{Base: r.b[j/2], Disp: k*w.panel() + j%2*w.lanes()}, t[j&1])
			VCVTDQ2PS(t[j&1], t[j&1])
			VMULPS(d[j], t[j&1], t[j&1])
			VFMADD231PS(t[j&1], x, acc)
		}
	}
	ADDQ(Imm(16), r.x)
	r.advance(4 * w.panel())
	DECQ(i)
	JNE(LabelRef("k"))
	DECQ(r.n)
	JNE(LabelRef("block"))
	r.store()
}

func (w width) rowQ4(panels int) {
	r := w.row("Q4", "blocks", panels)
	minima := AllocLocal(2 * panels * w.bytes)
	mask := w.broadcast(15)
	x, t, d, q := w.vec(), w.vecs(2), w.vecs(2*panels), w.vecs(2*panels)
	i := GP64()
	Label("block")
	for j := range d {
		// The minima wait on the stack: two panels leave no registers for them.
		VCVTPH2PS(Mem{Base: r.b[j/2], Disp: w.bytes + j%2*w.bytes/2}, d[j])
		VMOVUPS(d[j], minima.Offset(j*w.bytes))
	}
	for j := range d {
		VCVTPH2PS(Mem{Base: r.b[j/2], Disp: j % 2 * w.bytes / 2}, d[j])
	}
	r.advance(4 * w.panel())
	MOVQ(U32(4), i)
	Label("word")
	for j := range q {
		VMOVUPS(Mem{Base: r.b[j/2], Disp: j % 2 * w.bytes}, q[j])
	}
	for k := range 8 {
		VBROADCASTSS(Mem{Base: r.x, Disp: 4 * k}, x)
		for j, acc := range r.acc {
			w.nibble(q[j], mask, t[j&1], k)
			VFMADD213PS(minima.Offset(j*w.bytes), d[j], t[j&1])
			VFMADD231PS(t[j&1], x, acc)
		}
	}
	ADDQ(Imm(32), r.x)
	r.advance(2 * w.bytes)
	DECQ(i)
	JNE(LabelRef("word"))
	DECQ(r.n)
	JNE(LabelRef("block"))
	r.store()
}

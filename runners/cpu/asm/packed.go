package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// codes4 are the values of the codes of MXFP4 for a look-up: AVX2 has room for the eight
// magnitudes, AVX-512 for all sixteen.
type codes4 struct{ table, sign reg.VecVirtual }

func (w width) codes4() (c codes4) {
	name := "fp4" + w.name
	m, ok := tables[name]
	if !ok {
		m = GLOBL(name, RODATA|NOPTR)
		for i := range w.lanes() {
			v := [8]float32{0, .5, 1, 1.5, 2, 3, 4, 6}[i%8]
			DATA(4*i, U32(math.Float32bits(v)|uint32(i/8)<<31))
		}
		tables[name] = m
	}
	c.table = w.vec()
	VMOVUPS(m, c.table)
	if w.bytes == 32 {
		c.sign = w.broadcast(1 << 31)
	}
	return c
}

var tables = map[string]Mem{}

// value leaves code i, of eight, of the words q in t as float32; s is lost.
func (w width) value(c codes4, q, t, s reg.VecVirtual, i int) {
	from := q
	if i > 0 {
		VPSRLD(Imm(uint64(4*i)), q, t)
		from = t
	}
	if w.bytes == 64 {
		VPERMPS(c.table, from, t) // by the lower four bits
		return
	}
	VPSLLD(Imm(28), from, s)
	VPERMPS(c.table, from, t) // by the lower three
	VPAND(c.sign, s, s)
	VPOR(s, t, t)
}

// unpackP4: a panel of MXFP4 is a run of blocks of 32 k: the columns' scales as bfloat16,
// then for each eight k a word per column, the first k in the low nibble.
func (w width) unpackP4() {
	name := "unpackP4" + w.name
	TEXT(name, NOSPLIT, "func(blocks int, src *byte, dst *float32)")
	Doc(name + " writes the values of a panel's blocks of 32 k.")
	Pragma("noescape")
	n := Load(Param("blocks"), GP64())
	src, dst := Load(Param("src"), GP64()), Load(Param("dst"), GP64())
	c := w.codes4()
	d, q, t, s := w.vecs(2), w.vecs(2), w.vecs(2), w.vec()
	i := GP64()
	Label("block")
	for j := range d {
		w.widen("BF16", Mem{Base: src, Disp: j * w.bytes / 2}, d[j])
	}
	ADDQ(U32(uint32(2*w.panel())), src)
	MOVQ(U32(4), i)
	Label("word")
	for j := range q {
		VMOVUPS(Mem{Base: src, Disp: j * w.bytes}, q[j])
	}
	for k := range 8 {
		for j := range q {
			w.value(c, q[j], t[j], s, k)
			VMULPS(d[j], t[j], t[j])
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

// code8 leaves the values of a vector's lanes of codes of E4M3, less the factor 256, in t: a
// half of the same bits. mask is 0xbfff in each word.
func (w width) code8(m Mem, mask, t reg.VecVirtual) {
	half := t.AsY()
	if w.bytes == 32 {
		narrow := t.AsX()
		VPMOVSXBW(m, narrow)
		VPSLLW(Imm(7), narrow, narrow)
		VPAND(mask.AsX(), narrow, narrow)
		VCVTPH2PS(narrow, t)
		return
	}
	VPMOVSXBW(m, half)
	VPSLLW(Imm(7), half, half)
	VPAND(mask.AsY(), half, half)
	VCVTPH2PS(half, t)
}

// unpackE8: a panel of E4M3 is a run of blocks of 32 k: the columns' scales as float32, times
// 256, then for each k the columns' codes, a byte each.
func (w width) unpackE8() {
	name := "unpackE8" + w.name
	TEXT(name, NOSPLIT, "func(blocks int, src *byte, dst *float32)")
	Doc(name + " writes the values of a panel's blocks of 32 k.")
	Pragma("noescape")
	n := Load(Param("blocks"), GP64())
	src, dst := Load(Param("src"), GP64()), Load(Param("dst"), GP64())
	mask := w.broadcast(0xbfffbfff)
	d, v := w.vecs(2), w.vecs(2)
	i := GP64()
	Label("block")
	for j := range d {
		VMOVUPS(Mem{Base: src, Disp: j * w.bytes}, d[j])
	}
	ADDQ(U32(uint32(4*w.panel())), src)
	MOVQ(U32(32), i)
	Label("k")
	for j := range d {
		w.code8(Mem{Base: src, Disp: j * w.lanes()}, mask, v[j])
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

func (w width) rowP4(rows, panels int) {
	r := w.row("P4", "blocks", rows, panels)
	c := w.codes4()
	scales := w.kept(2 * panels)
	d, q, s := w.vec(), w.vecs(2*panels), w.vec()
	i := GP64()
	Label("block")
	for j := range q {
		w.widen("BF16", Mem{Base: r.b[j/2], Disp: j % 2 * w.bytes / 2}, d)
		VMOVUPS(d, scales[j])
	}
	r.advance(0, 2*w.panel())
	MOVQ(U32(4), i)
	Label("word")
	for j := range q {
		VMOVUPS(Mem{Base: r.b[j/2], Disp: j % 2 * w.bytes}, q[j])
	}
	for k := range 8 {
		r.step(k, func(j int, t reg.VecVirtual) {
			w.value(c, q[j], t, s, k)
			VMULPS(scales[j], t, t)
		})
	}
	r.advance(8, 2*w.bytes)
	DECQ(i)
	JNE(LabelRef("word"))
	DECQ(r.n)
	JNE(LabelRef("block"))
	r.store()
}

func (w width) rowE8(rows, panels int) {
	r := w.row("E8", "blocks", rows, panels)
	mask := w.broadcast(0xbfffbfff)
	d := w.vecs(2 * panels)
	i := GP64()
	Label("block")
	for j := range d {
		VMOVUPS(Mem{Base: r.b[j/2], Disp: j % 2 * w.bytes}, d[j])
	}
	r.advance(0, 4*w.panel())
	MOVQ(U32(8), i)
	Label("k")
	for k := range 4 {
		r.step(k, func(j int, t reg.VecVirtual) {
			w.code8(Mem{Base: r.b[j/2], Disp: k*w.panel() + j%2*w.lanes()}, mask, t)
			VMULPS(d[j], t, t)
		})
	}
	r.advance(4, 4*w.panel())
	DECQ(i)
	JNE(LabelRef("k"))
	DECQ(r.n)
	JNE(LabelRef("block"))
	r.store()
}

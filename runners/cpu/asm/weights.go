package main

import (
	"fmt"
	"math"

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

// unpackQ8: a panel of Q8_0 is a run of blocks of 32 k: the scales of the
// columns as halfs, then for each k the columns' codes, a byte each.
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

// unpackQ4: a panel of Q4_1 is a run of blocks of 32 k: the columns' scales and
// minima as halfs, then for each eight k a word per column, the first k in the
// low nibble.
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
			// d·q is exact in float32 (15 bits), so the fused multiply-add rounds as a
			// product and a sum would.
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

// row declares a kernel for few rows of x, interleaved as a tile's are: c[r][:] =
// init + Σ_k x[k·rows + r]·panel[k], or added to c, for one panel or two
// neighbours, stride bytes apart. A weight's number is unpacked in a register,
// where it meets every row.
type row struct {
	w     width
	rows  int
	n, x  reg.Register
	b     []reg.Register     // per panel
	acc   [][]reg.VecVirtual // per row, then vector
	bcast reg.VecVirtual     // x of the row at hand
	t     []reg.VecVirtual   // unpacked numbers
}

// fewRows are the kernels that are made, as (rows, panels): with enough sums to hide the
// latency of the multiply-adds, and few enough to hold them in registers.
var fewRows = [][2]int{{1, 1}, {1, 2}, {2, 1}, {3, 1}}

func (w width) row(format, count string, rows, panels int) *row {
	name := fmt.Sprintf("row%s%s_%dx%d", format, w.name, rows, panels)
	TEXT(name, NOSPLIT, "func("+count+" int, x *float32, b *byte, stride int, init *float32, c *float32, cs int, add int)")
	Doc(fmt.Sprintf("%s multiplies rows of x by panels: %d by %d.", name, rows, panels))
	Pragma("noescape")
	r := &row{w: w, rows: rows}
	r.n, r.x = Load(Param(count), GP64()), Load(Param("x"), GP64())
	r.b = []reg.Register{Load(Param("b"), GP64())}
	if panels == 2 {
		s := Load(Param("stride"), GP64())
		ADDQ(r.b[0], s)
		r.b = append(r.b, s)
	}
	init := Load(Param("init"), GP64())
	for i := range rows {
		r.acc = append(r.acc, w.vecs(2*panels))
		for j, v := range r.acc[i] {
			VMOVUPS(Mem{Base: init, Disp: j * w.bytes}, v)
		}
	}
	r.bcast, r.t = w.vec(), w.vecs(2)
	return r
}

// step multiplies the numbers that unpack leaves in its register, vector by
// vector, with every row's x of k places after the pointer.
func (r *row) step(k int, unpack func(j int, t reg.VecVirtual)) {
	if r.rows == 1 {
		VBROADCASTSS(Mem{Base: r.x, Disp: 4 * k}, r.bcast)
		for j, acc := range r.acc[0] {
			unpack(j, r.t[j&1])
			VFMADD231PS(r.t[j&1], r.bcast, acc)
		}
		return
	}
	for j := range r.t {
		unpack(j, r.t[j])
	}
	for i, acc := range r.acc {
		VBROADCASTSS(Mem{Base: r.x, Disp: 4 * (k*r.rows + i)}, r.bcast)
		for j := range r.t {
			VFMADD231PS(r.t[j], r.bcast, acc[j])
		}
	}
}

// advance moves x by k places and the panels by bytes.
func (r *row) advance(k, bytes int) {
	if k > 0 {
		ADDQ(U32(uint32(4*k*r.rows)), r.x)
	}
	for _, b := range r.b {
		ADDQ(U32(uint32(bytes)), b)
	}
}

func (r *row) store() {
	c, cs, add := Load(Param("c"), GP64()), Load(Param("cs"), GP64()), Load(Param("add"), GP64())
	SHLQ(Imm(2), cs)
	TESTQ(add, add)
	JE(LabelRef("set"))
	p := GP64()
	MOVQ(c, p)
	for _, acc := range r.acc {
		for j, v := range acc {
			VADDPS(Mem{Base: p, Disp: j * r.w.bytes}, v, v)
		}
		ADDQ(cs, p)
	}
	Label("set")
	for _, acc := range r.acc {
		for j, v := range acc {
			VMOVUPS(v, Mem{Base: c, Disp: j * r.w.bytes})
		}
		ADDQ(cs, c)
	}
	VZEROUPPER()
	RET()
}

func (w width) rowHalf(format string, rows, panels int) {
	r := w.row(format, "k", rows, panels)
	Label("loop")
	r.step(0, func(j int, t reg.VecVirtual) {
		w.widen(format, Mem{Base: r.b[j/2], Disp: j % 2 * w.bytes / 2}, t)
	})
	r.advance(1, w.bytes)
	DECQ(r.n)
	JNE(LabelRef("loop"))
	r.store()
}

func (w width) rowQ8(rows, panels int) {
	r := w.row("Q8", "blocks", rows, panels)
	d := w.vecs(2 * panels)
	i := GP64()
	Label("block")
	for j := range d {
		VCVTPH2PS(Mem{Base: r.b[j/2], Disp: j % 2 * w.bytes / 2}, d[j])
	}
	r.advance(0, 2*w.panel())
	MOVQ(U32(8), i)
	Label("k")
	for k := range 4 {
		r.step(k, func(j int, t reg.VecVirtual) {
			VPMOVSXBD(Mem{Base: r.b[j/2], Disp: k*w.panel() + j%2*w.lanes()}, t)
			VCVTDQ2PS(t, t)
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

func (w width) rowQ4(rows, panels int) {
	r := w.row("Q4", "blocks", rows, panels)
	minima := AllocLocal(2 * panels * w.bytes)
	mask := w.broadcast(15)
	d, q := w.vecs(2*panels), w.vecs(2*panels)
	i := GP64()
	Label("block")
	for j := range d {
		// The minima are kept on the stack: with two panels no registers are left.
		VCVTPH2PS(Mem{Base: r.b[j/2], Disp: w.bytes + j%2*w.bytes/2}, d[j])
		VMOVUPS(d[j], minima.Offset(j*w.bytes))
	}
	for j := range d {
		VCVTPH2PS(Mem{Base: r.b[j/2], Disp: j % 2 * w.bytes / 2}, d[j])
	}
	r.advance(0, 4*w.panel())
	MOVQ(U32(4), i)
	Label("word")
	for j := range q {
		VMOVUPS(Mem{Base: r.b[j/2], Disp: j % 2 * w.bytes}, q[j])
	}
	for k := range 8 {
		r.step(k, func(j int, t reg.VecVirtual) {
			w.nibble(q[j], mask, t, k)
			VFMADD213PS(minima.Offset(j*w.bytes), d[j], t)
		})
	}
	r.advance(8, 2*w.bytes)
	DECQ(i)
	JNE(LabelRef("word"))
	DECQ(r.n)
	JNE(LabelRef("block"))
	r.store()
}

func (w width) rowP4(rows, panels int) {
	r := w.row("P4", "blocks", rows, panels)
	c := w.codes4()
	scales := AllocLocal(2 * panels * w.bytes)
	d, q, s := w.vec(), w.vecs(2*panels), w.vec()
	i := GP64()
	Label("block")
	for j := range q {
		// The scales are kept on the stack: with two panels no registers are left.
		w.widen("BF16", Mem{Base: r.b[j/2], Disp: j % 2 * w.bytes / 2}, d)
		VMOVUPS(d, scales.Offset(j*w.bytes))
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
			VMULPS(scales.Offset(j*w.bytes), t, t)
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

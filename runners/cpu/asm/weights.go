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

// blocks is a format of blocks: how many k each has, and what the columns' scales (and minima) before
// the codes are.
type blocks struct {
	name string
	k    int
	wide bool // float32 instead of halfs
}

var (
	q8 = blocks{"Q8", 32, false}
	q4 = blocks{"Q4", 32, false}
	k6 = blocks{"K6", 16, true}
	k4 = blocks{"K4", 32, true}
)

// size is the bytes of a scale.
func (b blocks) size() int {
	if b.wide {
		return 4
	}
	return 2
}

// scales loads vector j of row i of a panel's scales, the minima being row 1.
func (w width) scales(b blocks, base reg.Register, i, j int, dst reg.VecVirtual) {
	m := Mem{Base: base, Disp: b.size() * (i*w.panel() + j*w.lanes())}
	if b.wide {
		VMOVUPS(m, dst)
	} else {
		VCVTPH2PS(m, dst)
	}
}

// unpackQ8: a panel of Q8_0 or Q6_K is a run of blocks: the scales of the
// columns, then for each k the columns' codes, a byte each.
func (w width) unpackQ8(b blocks) {
	name := "unpack" + b.name + w.name
	TEXT(name, NOSPLIT, "func(blocks int, src *byte, dst *float32)")
	Doc(fmt.Sprintf("%s writes the values of a panel's blocks of %d k.", name, b.k))
	Pragma("noescape")
	n := Load(Param("blocks"), GP64())
	src, dst := Load(Param("src"), GP64()), Load(Param("dst"), GP64())
	d, v := w.vecs(2), w.vecs(2)
	i := GP64()
	Label("block")
	for j := range d {
		w.scales(b, src, 0, j, d[j])
	}
	ADDQ(U32(uint32(b.size()*w.panel())), src)
	MOVQ(U32(uint32(b.k)), i)
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

// unpackQ4: a panel of Q4_1 or Q4_K is a run of blocks of 32 k: the columns' scales and
// minima, then for each eight k a word per column, the first k in the low nibble.
func (w width) unpackQ4(b blocks) {
	name := "unpack" + b.name + w.name
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
		w.scales(b, src, 0, j, d[j])
		w.scales(b, src, 1, j, m[j])
	}
	ADDQ(U32(uint32(2*b.size()*w.panel())), src)
	MOVQ(U32(4), i)
	Label("word")
	for j := range q {
		VMOVUPS(Mem{Base: src, Disp: j * w.bytes}, q[j])
	}
	for k := range 8 {
		for j := range q {
			w.nibble(q[j], mask, t[j], k)
			// d·q is exact in float32 (15 bits, 21 of Q4_K), so the fused multiply-add rounds
			// as a product and a sum would.
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
	bcast reg.VecVirtual     // x of the row at hand, where a multiply-add cannot broadcast it itself
	t     []reg.VecVirtual   // unpacked numbers
}

// fewRows returns the kernels that are made, as (rows, panels): with enough sums to hide the
// latency of the multiply-adds, and few enough to hold them in registers. Two panels are two
// streams from memory, which come more slowly than one; AVX-512 needs no second, since a panel's
// two sums take as long as unpacking what goes into them.
func (w width) fewRows() [][2]int {
	if w.bytes == 64 {
		return [][2]int{{1, 1}, {2, 1}, {3, 1}}
	}
	return [][2]int{{1, 1}, {1, 2}, {2, 1}, {3, 1}}
}

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
	r.t = w.vecs(2)
	if w.bytes == 32 {
		r.bcast = w.vec()
	}
	return r
}

// load loads row i's x of place k where a multiply-add cannot broadcast it itself.
func (r *row) load(k, i int) {
	if r.bcast != nil {
		VBROADCASTSS(r.place(k, i), r.bcast)
	}
}

func (r *row) place(k, i int) Mem { return Mem{Base: r.x, Disp: 4 * (k*r.rows + i)} }

// multiply adds t times row i's x of place k to acc.
func (r *row) multiply(k, i int, t, acc reg.VecVirtual) {
	if r.bcast != nil {
		VFMADD231PS(t, r.bcast, acc)
		return
	}
	VFMADD231PS_BCST(r.place(k, i), t, acc)
}

// step multiplies the numbers that unpack leaves in its register, vector by
// vector, with every row's x of k places after the pointer.
func (r *row) step(k int, unpack func(j int, t reg.VecVirtual)) {
	if r.rows == 1 {
		r.load(k, 0)
		for j, acc := range r.acc[0] {
			unpack(j, r.t[j&1])
			r.multiply(k, 0, r.t[j&1], acc)
		}
		return
	}
	for j := range r.t {
		unpack(j, r.t[j])
	}
	for i, acc := range r.acc {
		r.load(k, i)
		for j := range r.t {
			r.multiply(k, i, r.t[j], acc[j])
		}
	}
}

// ahead is how many bytes of a panel are asked for before they are needed, where two panels are read.
const ahead = 2048

// advance moves x by k places and the panels by bytes.
func (r *row) advance(k, bytes int) {
	if len(r.b) == 2 && bytes >= 64 {
		for _, b := range r.b {
			for at := 0; at < bytes; at += 64 {
				PREFETCHT0(Mem{Base: b, Disp: ahead + at})
			}
		}
	}
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

func (w width) rowQ8(b blocks, rows, panels int) {
	r := w.row(b.name, "blocks", rows, panels)
	d := w.vecs(2 * panels)
	i := GP64()
	Label("block")
	for j := range d {
		w.scales(b, r.b[j/2], 0, j%2, d[j])
	}
	r.advance(0, b.size()*w.panel())
	MOVQ(U32(uint32(b.k/4)), i)
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

// kept returns n places for what a block's numbers share: registers, or with AVX2, where two panels leave
// none, the stack.
func (w width) kept(n int) (places []Op) {
	if w.bytes == 32 {
		stack := AllocLocal(n * w.bytes)
		for j := range n {
			places = append(places, stack.Offset(j*w.bytes))
		}
		return places
	}
	for range n {
		places = append(places, w.vec())
	}
	return places
}

func (w width) rowQ4(b blocks, rows, panels int) {
	r := w.row(b.name, "blocks", rows, panels)
	minima := w.kept(2 * panels)
	mask := w.broadcast(15)
	d, q := w.vecs(2*panels), w.vecs(2*panels)
	i := GP64()
	Label("block")
	for j := range d {
		w.scales(b, r.b[j/2], 1, j%2, d[j])
		VMOVUPS(d[j], minima[j])
	}
	for j := range d {
		w.scales(b, r.b[j/2], 0, j%2, d[j])
	}
	r.advance(0, 2*b.size()*w.panel())
	MOVQ(U32(4), i)
	Label("word")
	for j := range q {
		VMOVUPS(Mem{Base: r.b[j/2], Disp: j % 2 * w.bytes}, q[j])
	}
	for k := range 8 {
		r.step(k, func(j int, t reg.VecVirtual) {
			w.nibble(q[j], mask, t, k)
			VFMADD213PS(minima[j], d[j], t)
		})
	}
	r.advance(8, 2*w.bytes)
	DECQ(i)
	JNE(LabelRef("word"))
	DECQ(r.n)
	JNE(LabelRef("block"))
	r.store()
}

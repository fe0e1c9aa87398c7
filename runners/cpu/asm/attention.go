package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// softmax takes one block of scores (n keys, a panel of queries), in units of
// log 2, through a running softmax: m becomes the new maxima, f the factors
// 2^(old m - new m), l = l·f + Σ 2^(s - m), and s its own powers.
func (w width) softmax() {
	name := "softmax" + w.name
	TEXT(name, NOSPLIT, "func(n int, s *float32, m *float32, l *float32, f *float32)")
	Doc(name + " is one step of a running softmax, a query in each lane.")
	Pragma("noescape")
	n, s := Load(Param("n"), GP64()), Load(Param("s"), GP64())
	m, l, f := Load(Param("m"), GP64()), Load(Param("l"), GP64()), Load(Param("f"), GP64())
	top := w.vecs(2)
	p, i := GP64(), GP64()
	MOVQ(s, p)
	MOVQ(n, i)
	for j := range top {
		VMOVUPS(Mem{Base: m, Disp: j * w.bytes}, top[j])
	}
	Label("max")
	for j := range top {
		VMAXPS(Mem{Base: p, Disp: j * w.bytes}, top[j], top[j])
	}
	ADDQ(U32(uint32(2*w.bytes)), p)
	DECQ(i)
	JNE(LabelRef("max"))
	e := w.exp2Constants()
	t, whole, dst := w.vec(), w.vec(), w.vec()
	for j := range top {
		VMOVUPS(Mem{Base: m, Disp: j * w.bytes}, t)
		VMOVUPS(top[j], Mem{Base: m, Disp: j * w.bytes})
		VSUBPS(top[j], t, t)
		w.exp2(e, t, whole, dst)
		VMOVUPS(dst, Mem{Base: f, Disp: j * w.bytes})
		// l·f is kept in memory: every register is in use.
		VMULPS(Mem{Base: l, Disp: j * w.bytes}, dst, dst)
		VMOVUPS(dst, Mem{Base: l, Disp: j * w.bytes})
	}
	sum := w.vecs(2)
	for j := range sum {
		w.zero(sum[j])
	}
	Label("exp")
	for j := range top {
		VMOVUPS(Mem{Base: s, Disp: j * w.bytes}, t)
		VSUBPS(top[j], t, t)
		w.exp2(e, t, whole, dst)
		VMOVUPS(dst, Mem{Base: s, Disp: j * w.bytes})
		VADDPS(dst, sum[j], sum[j])
	}
	ADDQ(U32(uint32(2*w.bytes)), s)
	DECQ(n)
	JNE(LabelRef("exp"))
	for j := range sum {
		VADDPS(Mem{Base: l, Disp: j * w.bytes}, sum[j], sum[j])
		VMOVUPS(sum[j], Mem{Base: l, Disp: j * w.bytes})
	}
	VZEROUPPER()
	RET()
}

// scaleColumns: o[i][:] *= f[:], rows of a panel's width.
func (w width) scaleColumns() {
	name := "scaleColumns" + w.name
	TEXT(name, NOSPLIT, "func(rows int, o *float32, f *float32)")
	Doc(name + " multiplies every row of a panel by f.")
	Pragma("noescape")
	n, o, f := Load(Param("rows"), GP64()), Load(Param("o"), GP64()), Load(Param("f"), GP64())
	v, t := w.vecs(2), w.vecs(2)
	for j := range v {
		VMOVUPS(Mem{Base: f, Disp: j * w.bytes}, v[j])
	}
	Label("loop")
	for j := range v {
		VMULPS(Mem{Base: o, Disp: j * w.bytes}, v[j], t[j])
		VMOVUPS(t[j], Mem{Base: o, Disp: j * w.bytes})
	}
	ADDQ(U32(uint32(2*w.bytes)), o)
	DECQ(n)
	JNE(LabelRef("loop"))
	VZEROUPPER()
	RET()
}

// dots: out[j] = q·k[j] for n keys of d numbers, stride numbers apart; d is a
// multiple of 8. Every key has one vector of sums, added up as a tree, the same
// whether it is one of four or alone.
func dots() {
	TEXT("dotsAVX2", NOSPLIT, "func(n int, d int, q *float32, k *float32, stride int, out *float32)")
	Doc("dotsAVX2 multiplies q with n keys.")
	Pragma("noescape")
	n, d := Load(Param("n"), GP64()), Load(Param("d"), GP64())
	q, k := Load(Param("q"), GP64()), Load(Param("k"), GP64())
	stride, out := Load(Param("stride"), GP64()), Load(Param("out"), GP64())
	SHLQ(Imm(2), stride)
	SHLQ(Imm(2), d)
	i := GP64()
	k1, k2, k3 := GP64(), GP64(), GP64()
	x := YMM()
	acc := avx2.vecs(4)
	SUBQ(Imm(4), n)
	JL(LabelRef("tail"))
	Label("four")
	MOVQ(k, k1)
	ADDQ(stride, k1)
	MOVQ(k1, k2)
	ADDQ(stride, k2)
	MOVQ(k2, k3)
	ADDQ(stride, k3)
	for _, v := range acc {
		VXORPS(v, v, v)
	}
	XORQ(i, i)
	Label("column")
	VMOVUPS(Mem{Base: q, Index: i, Scale: 1}, x)
	for j, b := range []reg.Register{k, k1, k2, k3} {
		VFMADD231PS(Mem{Base: b, Index: i, Scale: 1}, x, acc[j])
	}
	ADDQ(Imm(32), i)
	CMPQ(i, d)
	JL(LabelRef("column"))
	// Lanes (0+1, 2+3 of two keys), then (all of one half of four keys), then the halves.
	VHADDPS(acc[1], acc[0], acc[0])
	VHADDPS(acc[3], acc[2], acc[2])
	VHADDPS(acc[2], acc[0], acc[0])
	h := XMM()
	VEXTRACTF128(Imm(1), acc[0], h)
	VADDPS(h, acc[0].AsX(), h)
	VMOVUPS(h, Mem{Base: out})
	ADDQ(Imm(16), out)
	MOVQ(k3, k)
	ADDQ(stride, k)
	SUBQ(Imm(4), n)
	JGE(LabelRef("four"))
	Label("tail")
	ADDQ(Imm(4), n)
	JE(LabelRef("done"))
	Label("one")
	v := YMM()
	VXORPS(v, v, v)
	XORQ(i, i)
	Label("oneColumn")
	VMOVUPS(Mem{Base: q, Index: i, Scale: 1}, x)
	VFMADD231PS(Mem{Base: k, Index: i, Scale: 1}, x, v)
	ADDQ(Imm(32), i)
	CMPQ(i, d)
	JL(LabelRef("oneColumn"))
	VHADDPS(v, v, v)
	VHADDPS(v, v, v)
	VEXTRACTF128(Imm(1), v, h)
	VADDPS(h, v.AsX(), h)
	VMOVSS(h, Mem{Base: out})
	ADDQ(Imm(4), out)
	ADDQ(stride, k)
	DECQ(n)
	JNE(LabelRef("one"))
	Label("done")
	VZEROUPPER()
	RET()
}

// dotsStream is dots with one key after the other, so that keys from memory come as one stream: processors fetch
// that ahead, but not four rows in turn, which takes three times as long.
func dotsStream() {
	TEXT("dotsStreamAVX2", NOSPLIT, "func(n int, d int, q *float32, k *float32, stride int, out *float32)")
	Doc("dotsStreamAVX2 multiplies q with n keys, one after the other.")
	Pragma("noescape")
	n, d := Load(Param("n"), GP64()), Load(Param("d"), GP64())
	q, k := Load(Param("q"), GP64()), Load(Param("k"), GP64())
	stride, out := Load(Param("stride"), GP64()), Load(Param("out"), GP64())
	SHLQ(Imm(2), stride)
	SHLQ(Imm(2), d)
	const unroll = 4
	i, most := GP64(), GP64() // most: up to where there are as many vectors as a loop takes
	MOVQ(d, most)
	SUBQ(Imm(32*unroll), most)
	v, h := YMM(), XMM()
	x := avx2.vecs(unroll)
	step := func(j int) {
		VMOVUPS(Mem{Base: q, Index: i, Scale: 1, Disp: 32 * j}, x[j])
		VFMADD231PS(Mem{Base: k, Index: i, Scale: 1, Disp: 32 * j}, x[j], v)
	}
	Label("key")
	VXORPS(v, v, v)
	XORQ(i, i)
	CMPQ(i, most)
	JG(LabelRef("rest"))
	Label("columns")
	for j := range unroll {
		step(j)
	}
	ADDQ(U32(32*unroll), i)
	CMPQ(i, most)
	JLE(LabelRef("columns"))
	Label("rest")
	CMPQ(i, d)
	JGE(LabelRef("sum"))
	step(0)
	ADDQ(Imm(32), i)
	JMP(LabelRef("rest"))
	Label("sum")
	VHADDPS(v, v, v)
	VHADDPS(v, v, v)
	VEXTRACTF128(Imm(1), v, h)
	VADDPS(h, v.AsX(), h)
	VMOVSS(h, Mem{Base: out})
	ADDQ(Imm(4), out)
	ADDQ(stride, k)
	DECQ(n)
	JNE(LabelRef("key"))
	VZEROUPPER()
	RET()
}

// weightedSum: out[:] += Σ_j p[j]·v[j][:], ascending, d a multiple of 8. Rows that registers hold whole come from memory
// as one stream; where AVX2's do not, the sums are in memory, which is the L1 cache.
func (w width) weightedSum() {
	name := "weightedSum" + w.name
	TEXT(name, NOSPLIT, "func(n int, d int, p *float32, v *float32, stride int, out *float32)")
	Doc(name + " adds n values, each times its weight.")
	Pragma("noescape")
	n, d := Load(Param("n"), GP64()), Load(Param("d"), GP64())
	p, v := Load(Param("p"), GP64()), Load(Param("v"), GP64())
	stride, out := Load(Param("stride"), GP64()), Load(Param("out"), GP64())
	SHLQ(Imm(2), stride)
	pp, pv, i := GP64(), GP64(), GP64()
	wide := []int{8, 4, 2, 1} // vectors of sums
	if w.bytes == 64 {
		wide = []int{16, 8, 4, 2, 1}
	} else {
		CMPQ(d, Imm(uint64(wide[0]*w.lanes())))
		JG(LabelRef("inMemory"))
	}
	for _, vecs := range wide {
		w.weightedColumns(n, d, p, v, stride, out, pp, pv, i, vecs)
	}
	if w.bytes == 64 {
		avx2.weightedColumns(n, d, p, v, stride, out, pp, pv, i, 1)
	}
	VZEROUPPER()
	RET()
	if w.bytes == 64 {
		return
	}
	Label("inMemory")
	SHLQ(Imm(2), d)
	x, sum := w.vec(), w.vec()
	Label("row")
	VBROADCASTSS(Mem{Base: p}, x)
	XORQ(i, i)
	Label("columns")
	VMOVUPS(Mem{Base: out, Index: i, Scale: 1}, sum)
	VFMADD231PS(Mem{Base: v, Index: i, Scale: 1}, x, sum)
	VMOVUPS(sum, Mem{Base: out, Index: i, Scale: 1})
	ADDQ(Imm(32), i)
	CMPQ(i, d)
	JL(LabelRef("columns"))
	ADDQ(Imm(4), p)
	ADDQ(stride, v)
	DECQ(n)
	JNE(LabelRef("row"))
	VZEROUPPER()
	RET()
}

// weightedColumns takes as many columns as vecs vectors have as long as there are so many.
func (w width) weightedColumns(n, d, p, v, stride, out, pp, pv, i reg.Register, vecs int) {
	name := fmt.Sprintf("%s_%d", w.name, vecs)
	x := w.vec()
	Label(name)
	CMPQ(d, U32(uint32(w.lanes()*vecs)))
	JL(LabelRef(name + "Done"))
	acc := w.vecs(vecs)
	for j, a := range acc {
		VMOVUPS(Mem{Base: out, Disp: w.bytes * j}, a)
	}
	MOVQ(p, pp)
	MOVQ(v, pv)
	MOVQ(n, i)
	Label(name + "Loop")
	VBROADCASTSS(Mem{Base: pp}, x)
	for j, a := range acc {
		VFMADD231PS(Mem{Base: pv, Disp: w.bytes * j}, x, a)
	}
	ADDQ(Imm(4), pp)
	ADDQ(stride, pv)
	DECQ(i)
	JNE(LabelRef(name + "Loop"))
	for j, a := range acc {
		VMOVUPS(a, Mem{Base: out, Disp: w.bytes * j})
	}
	ADDQ(U32(uint32(w.bytes*vecs)), v)
	ADDQ(U32(uint32(w.bytes*vecs)), out)
	SUBQ(U32(uint32(w.lanes()*vecs)), d)
	JMP(LabelRef(name))
	Label(name + "Done")
}

// maximum of n numbers, n a multiple of 8, none of them NaN.
func maximum() {
	TEXT("maximumAVX2", NOSPLIT, "func(n int, s *float32) float32")
	Doc("maximumAVX2 returns the highest of n numbers, n a multiple of 8.")
	Pragma("noescape")
	n, s := Load(Param("n"), GP64()), Load(Param("s"), GP64())
	v, h := YMM(), XMM()
	VMOVUPS(Mem{Base: s}, v)
	Label("loop")
	VMAXPS(Mem{Base: s}, v, v)
	ADDQ(Imm(32), s)
	SUBQ(Imm(8), n)
	JNE(LabelRef("loop"))
	VEXTRACTF128(Imm(1), v, h)
	VMAXPS(h, v.AsX(), h)
	t := XMM()
	VPERMILPS(Imm(0b01001110), h, t)
	VMAXPS(t, h, h)
	VPERMILPS(Imm(0b10110001), h, t)
	VMAXPS(t, h, h)
	Store(h, ReturnIndex(0))
	VZEROUPPER()
	RET()
}

// highest is maximum with a second result that is 0 if all numbers are finite and NaN otherwise: the sum of their
// differences from themselves. If it is NaN the first means nothing.
func highest() {
	TEXT("highestAVX2", NOSPLIT, "func(n int, s *float32) (top float32, zero float32)")
	Doc("highestAVX2 returns the highest of n numbers, n a multiple of 8, and a sum that is NaN unless all are finite.")
	Pragma("noescape")
	n, s := Load(Param("n"), GP64()), Load(Param("s"), GP64())
	top, zero, x := YMM(), YMM(), YMM()
	VMOVUPS(Mem{Base: s}, top)
	VXORPS(zero, zero, zero)
	Label("loop")
	VMOVUPS(Mem{Base: s}, x)
	VMAXPS(x, top, top)
	VSUBPS(x, x, x)
	VADDPS(x, zero, zero)
	ADDQ(Imm(32), s)
	SUBQ(Imm(8), n)
	JNE(LabelRef("loop"))
	h, t := XMM(), XMM()
	for i, v := range []reg.VecVirtual{top, zero} {
		join := VMAXPS
		if i == 1 {
			join = VADDPS
		}
		VEXTRACTF128(Imm(1), v, h)
		join(h, v.AsX(), h)
		VPERMILPS(Imm(0b01001110), h, t)
		join(t, h, h)
		VPERMILPS(Imm(0b10110001), h, t)
		join(t, h, h)
		Store(h, ReturnIndex(i))
	}
	VZEROUPPER()
	RET()
}

// expSum: s[i] = 2^(s[i]-m), and returns their sum; n a multiple of 8.
func expSum() {
	TEXT("expSumAVX2", NOSPLIT, "func(n int, s *float32, m float32) float32")
	Doc("expSumAVX2 replaces s by 2^(s-m) and returns the sum, n a multiple of 8.")
	Pragma("noescape")
	n, s := Load(Param("n"), GP64()), Load(Param("s"), GP64())
	top := YMM()
	mm, _ := Param("m").Resolve()
	VBROADCASTSS(mm.Addr, top)
	e := avx2.exp2Constants()
	sum, t, whole, dst := YMM(), YMM(), YMM(), YMM()
	VXORPS(sum, sum, sum)
	Label("loop")
	VMOVUPS(Mem{Base: s}, t)
	VSUBPS(top, t, t)
	avx2.exp2(e, t, whole, dst)
	VMOVUPS(dst, Mem{Base: s})
	VADDPS(dst, sum, sum)
	ADDQ(Imm(32), s)
	SUBQ(Imm(8), n)
	JNE(LabelRef("loop"))
	h := XMM()
	VHADDPS(sum, sum, sum)
	VHADDPS(sum, sum, sum)
	VEXTRACTF128(Imm(1), sum, h)
	VADDPS(h, sum.AsX(), h)
	Store(h, ReturnIndex(0))
	VZEROUPPER()
	RET()
}

package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// tile: c[r][:] = init[:] + Σ_k a[k·as + r] · b[k·bs …], a panel's columns wide;
// with add the sum is added to c instead. Strides are in elements.
func (w width) tile(rows int) {
	TEXT(fmt.Sprintf("tile%s_%d", w.name, rows), NOSPLIT, "func(k int, a *float32, as int, b *float32, bs int, init *float32, c *float32, cs int, add int)")
	Doc(fmt.Sprintf("tile%s_%d multiplies a tile of %d rows by a panel.", w.name, rows, rows))
	Pragma("noescape")
	k := Load(Param("k"), GP64())
	a, as := Load(Param("a"), GP64()), Load(Param("as"), GP64())
	b, bs := Load(Param("b"), GP64()), Load(Param("bs"), GP64())
	init := Load(Param("init"), GP64())
	SHLQ(Imm(2), as)
	SHLQ(Imm(2), bs)
	acc := make([][]reg.VecVirtual, rows)
	for r := range acc {
		acc[r] = w.vecs(2)
		for j := range acc[r] {
			if r == 0 {
				VMOVUPS(Mem{Base: init, Disp: j * w.bytes}, acc[r][j])
			} else {
				VMOVAPS(acc[0][j], acc[r][j])
			}
		}
	}
	bv := w.vecs(2)
	x := w.vecs(2)
	step := func() {
		for j := range bv {
			VMOVUPS(Mem{Base: b, Disp: j * w.bytes}, bv[j])
		}
		for r := range acc {
			VBROADCASTSS(Mem{Base: a, Disp: 4 * r}, x[r&1])
			for j := range bv {
				VFMADD231PS(bv[j], x[r&1], acc[r][j])
			}
		}
		ADDQ(as, a)
		ADDQ(bs, b)
	}
	const unroll = 4
	SUBQ(Imm(unroll), k)
	JL(LabelRef("tail"))
	Label("loop")
	for range unroll {
		step()
	}
	SUBQ(Imm(unroll), k)
	JGE(LabelRef("loop"))
	Label("tail")
	ADDQ(Imm(unroll), k)
	JE(LabelRef("store"))
	Label("one")
	step()
	DECQ(k)
	JNE(LabelRef("one"))
	Label("store")
	c, cs, add := Load(Param("c"), GP64()), Load(Param("cs"), GP64()), Load(Param("add"), GP64())
	SHLQ(Imm(2), cs)
	TESTQ(add, add)
	JE(LabelRef("set"))
	p := GP64()
	MOVQ(c, p)
	for r := range acc {
		for j := range bv {
			VADDPS(Mem{Base: p, Disp: j * w.bytes}, acc[r][j], acc[r][j])
		}
		if r < rows-1 {
			ADDQ(cs, p)
		}
	}
	Label("set")
	for r := range acc {
		for j := range bv {
			VMOVUPS(acc[r][j], Mem{Base: c, Disp: j * w.bytes})
		}
		if r < rows-1 {
			ADDQ(cs, c)
		}
	}
	VZEROUPPER()
	RET()
}

package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// decode declares a kernel for a format of caches that has blocks of 32 numbers, of so many bytes: first
// the scale, a half, which is in every lane of d, then the codes.
func (w width) decode(format string, bytes int, block func(src reg.Register, d reg.VecVirtual, store func(i int, t reg.VecVirtual))) {
	name := "decode" + format + w.name
	TEXT(name, NOSPLIT, "func(n int, src *byte, dst *float32)")
	Doc(name + " writes n numbers, a multiple of 32, of a cache's blocks.")
	Pragma("noescape")
	n := Load(Param("n"), GP64())
	src, dst := Load(Param("src"), GP64()), Load(Param("dst"), GP64())
	d := w.vec()
	half := d.AsX()
	if w.bytes == 64 {
		half = d.AsY()
	}
	Label("block")
	VPBROADCASTW(Mem{Base: src}, half)
	VCVTPH2PS(half, d)
	block(src, d, func(i int, t reg.VecVirtual) {
		VCVTDQ2PS(t, t)
		VMULPS(d, t, t)
		VMOVUPS(t, Mem{Base: dst, Disp: i * w.bytes})
	})
	ADDQ(Imm(uint64(bytes)), src)
	ADDQ(U32(128), dst)
	SUBQ(Imm(32), n)
	JNE(LabelRef("block"))
	VZEROUPPER()
	RET()
}

// decodeQ8: 32 bytes, each a code.
func (w width) decodeQ8() {
	w.decode("Q8", 34, func(src reg.Register, d reg.VecVirtual, store func(int, reg.VecVirtual)) {
		for i, t := range w.vecs(32 / w.lanes()) {
			VPMOVSXBD(Mem{Base: src, Disp: 2 + i*w.lanes()}, t)
			store(i, t)
		}
	})
}

// decodeQ4: 16 bytes, of which byte j has code j in its low half and code j+16 in its high half, 8 more than
// what it stands for.
func (w width) decodeQ4() {
	w.decode("Q4", 18, func(src reg.Register, d reg.VecVirtual, store func(int, reg.VecVirtual)) {
		t, low, high, mask, eight := w.vec(), XMM(), XMM(), XMM(), XMM()
		VMOVDQU(Mem{Base: src, Disp: 2}, low)
		VPSRLW(Imm(4), low, high)
		VBROADCASTSS(constant(0x0f0f0f0f), mask)
		VBROADCASTSS(constant(0x08080808), eight)
		for i, codes := range []reg.VecVirtual{low, high} {
			VPAND(mask, codes, codes)
			VPSUBB(eight, codes, codes)
			for j := range 16 / w.lanes() {
				if j > 0 {
					VPSRLDQ(Imm(8), codes, codes)
				}
				VPMOVSXBD(codes, t)
				store(i*16/w.lanes()+j, t)
			}
		}
	})
}

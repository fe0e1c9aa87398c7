package main

import (
	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// eight returns the place of eight 32-bit constants.
func eight(name string, words [8]uint32) Mem {
	m := GLOBL(name, attr.RODATA|attr.NOPTR)
	for i, w := range words {
		DATA(4*i, U32(w))
	}
	return m
}

// inAll returns a vector that has a parameter, a float32, in all lanes.
func inAll(name string) reg.VecVirtual {
	at, err := Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	v := YMM()
	VBROADCASTSS(at.Addr, v)
	return v
}

// lowBits returns a vector whose lanes have so many ones, from the lowest bit on. count is lost.
func lowBits(bits reg.Register, count reg.VecVirtual) reg.VecVirtual {
	rest, mask := GP64(), YMM()
	MOVQ(U32(32), rest)
	SUBQ(bits, rest)
	VMOVD(rest.As32(), count)
	VPCMPEQD(mask, mask, mask)
	VPSRLD(count, mask, mask)
	return mask
}

// lookup: dst[i] = f·table[code i], codes a stream of b bits each, the lowest first.
func lookup() {
	iota := eight("iota8", [8]uint32{0, 1, 2, 3, 4, 5, 6, 7})
	TEXT("lookupAVX2", NOSPLIT, "func(n int, bits int, codes *byte, table *float32, f float32, dst *float32)")
	Doc("lookupAVX2 writes f times the table's entries (16) that n codes of 2, 3 or 4 bits name, n a multiple of 8; of",
		"each eight it reads four bytes.")
	Pragma("noescape")
	n, bits, codes := Load(Param("n"), GP64()), Load(Param("bits"), GP64()), Load(Param("codes"), GP64())
	table, dst := Load(Param("table"), GP64()), Load(Param("dst"), GP64())
	f, low, high := inAll("f"), YMM(), YMM()
	VMOVUPS(Mem{Base: table}, low)
	VMOVUPS(Mem{Base: table, Disp: 32}, high)
	shift, count := YMM(), XMM()
	VMOVD(bits.(reg.GP).As32(), count)
	VPBROADCASTD(count, shift)
	VPMULLD(iota, shift, shift)
	mask := lowBits(bits, count)
	code, a, b := YMM(), YMM(), YMM()
	Label("loop")
	VPBROADCASTD(Mem{Base: codes}, code)
	VPSRLVD(shift, code, code)
	VPAND(mask, code, code)
	VPERMPS(low, code, a)
	VPERMPS(high, code, b)
	VPSLLD(Imm(28), code, code)
	VBLENDVPS(code, b, a, a)
	VMULPS(f, a, a)
	VMOVUPS(a, Mem{Base: dst})
	ADDQ(bits, codes)
	ADDQ(Imm(32), dst)
	SUBQ(Imm(8), n)
	JNE(LabelRef("loop"))
	VZEROUPPER()
	RET()
}

// squares: Σ x² in float64, in eight sums.
func squares() {
	TEXT("squaresAVX2", NOSPLIT, "func(n int, x *float32) float64")
	Doc("squaresAVX2 returns the sum of the squares of n numbers, n a multiple of 8, in float64: every eighth is summed apart,",
		"then halves of these sums are added up.")
	Pragma("noescape")
	n, x := Load(Param("n"), GP64()), Load(Param("x"), GP64())
	sum, t := avx2.vecs(2), avx2.vecs(2)
	for _, s := range sum {
		VXORPS(s, s, s)
	}
	Label("loop")
	for j, s := range sum {
		VCVTPS2PD(Mem{Base: x, Disp: 16 * j}, t[j])
		VFMADD231PD(t[j], t[j], s)
	}
	ADDQ(Imm(32), x)
	SUBQ(Imm(8), n)
	JNE(LabelRef("loop"))
	VADDPD(sum[1], sum[0], sum[0])
	h := XMM()
	VEXTRACTF128(Imm(1), sum[0], h)
	VADDPD(h, sum[0].AsX(), h)
	VUNPCKHPD(h, h, t[0].AsX())
	VADDPD(t[0].AsX(), h, h)
	Store(h, ReturnIndex(0))
	VZEROUPPER()
	RET()
}

// channels: dst[c] = scale[c]·code + minimum[c], whose code is a field of word c.
func channels() {
	TEXT("channelsAVX2", NOSPLIT, "func(n int, shift int, bits int, words *byte, scales *float32, minima *float32, dst *float32)")
	Doc("channelsAVX2 writes scale·code + minimum, each rounded, for n words of which a code of 2 or 4 bits begins at bit shift,",
		"n a multiple of 8.")
	Pragma("noescape")
	n, words := Load(Param("n"), GP64()), Load(Param("words"), GP64())
	shift, bits := Load(Param("shift"), GP64()), Load(Param("bits"), GP64())
	scales, minima := Load(Param("scales"), GP64()), Load(Param("minima"), GP64())
	dst := Load(Param("dst"), GP64())
	count, t := XMM(), YMM()
	mask := lowBits(bits, count)
	VMOVD(shift.(reg.GP).As32(), count)
	i := GP64()
	XORQ(i, i)
	SHLQ(Imm(2), n)
	at := func(base reg.Register) Mem { return Mem{Base: base, Index: i, Scale: 1} }
	Label("loop")
	VMOVDQU(at(words), t)
	VPSRLD(count, t, t)
	VPAND(mask, t, t)
	VCVTDQ2PS(t, t)
	VMULPS(at(scales), t, t)
	VADDPS(at(minima), t, t)
	VMOVUPS(t, at(dst))
	ADDQ(Imm(32), i)
	CMPQ(i, n)
	JNE(LabelRef("loop"))
	VZEROUPPER()
	RET()
}

// scaled declares a kernel for codes of a byte, which have one scale.
func scaled(name, doc string, widen func() func(from Mem, t reg.VecVirtual)) {
	TEXT(name, NOSPLIT, "func(n int, codes *byte, scale float32, dst *float32)")
	Doc(name + doc)
	Pragma("noescape")
	n, codes, dst := Load(Param("n"), GP64()), Load(Param("codes"), GP64()), Load(Param("dst"), GP64())
	scale, t := inAll("scale"), YMM()
	w := widen()
	Label("loop")
	w(Mem{Base: codes}, t)
	VMULPS(scale, t, t)
	VMOVUPS(t, Mem{Base: dst})
	ADDQ(Imm(8), codes)
	ADDQ(Imm(32), dst)
	SUBQ(Imm(8), n)
	JNE(LabelRef("loop"))
	VZEROUPPER()
	RET()
}

func scaledInt8() {
	scaled("scaledInt8AVX2", " writes n numbers of int8, a multiple of 8, times a scale.", func() func(Mem, reg.VecVirtual) {
		return func(from Mem, t reg.VecVirtual) {
			VPMOVSXBD(from, t)
			VCVTDQ2PS(t, t)
		}
	})
}

func scaledE4M3() {
	scaled("scaledE4M3AVX2", " writes n numbers of E4M3, a multiple of 8, times a 256th of a scale.", func() func(Mem, reg.VecVirtual) {
		mask := avx2.broadcast(0xbfffbfff)
		return func(from Mem, t reg.VecVirtual) { avx2.code8(from, mask, t) }
	})
}

// butterfly: x becomes f times its product with the Hadamard matrix. Each pass of strides 1, 2, 4, … makes of p and q a
// stride apart p+q and p−q.
func butterfly() {
	const minus = 1 << 31
	within := []Mem{ // which of eight are q of strides 1, 2 and 4
		eight("minus1", [8]uint32{0, minus, 0, minus, 0, minus, 0, minus}),
		eight("minus2", [8]uint32{0, 0, minus, minus, 0, 0, minus, minus}),
		eight("minus4", [8]uint32{0, 0, 0, 0, minus, minus, minus, minus}),
	}
	TEXT("butterflyAVX2", NOSPLIT, "func(block int, f float32, x *float32)")
	Doc("butterflyAVX2 multiplies a block, a power of two of at least 16, by the unnormalised Hadamard matrix in Sylvester's order",
		"and then by f, in place.")
	Pragma("noescape")
	block, x := Load(Param("block"), GP64()), Load(Param("x"), GP64())
	f, p, q := inAll("f"), YMM(), YMM()
	SHLQ(Imm(2), block)
	masks := avx2.vecs(len(within))
	for i, m := range within {
		VMOVUPS(m, masks[i])
	}
	i, j, stride := GP64(), GP64(), GP64()
	here := Mem{Base: x, Index: i, Scale: 1}
	XORQ(i, i)
	Label("within")
	VMOVUPS(here, p)
	for s, m := range masks {
		switch s {
		case 0:
			VPERMILPS(Imm(0xb1), p, q)
		case 1:
			VPERMILPS(Imm(0x4e), p, q)
		case 2:
			VPERM2F128(Imm(1), p, p, q)
		}
		VXORPS(m, p, p)
		VADDPS(p, q, p)
	}
	VMOVUPS(p, here)
	ADDQ(Imm(32), i)
	CMPQ(i, block)
	JNE(LabelRef("within"))
	MOVQ(U32(32), stride)
	far := GP64()
	Label("pass")
	LEAQ(Mem{Base: x, Index: stride, Scale: 1}, far)
	there := Mem{Base: far, Index: i, Scale: 1}
	XORQ(i, i)
	Label("pairs")
	MOVQ(stride, j)
	Label("pair")
	VMOVUPS(here, p)
	VADDPS(there, p, q)
	VSUBPS(there, p, p)
	VMOVUPS(q, here)
	VMOVUPS(p, there)
	ADDQ(Imm(32), i)
	SUBQ(Imm(32), j)
	JNE(LabelRef("pair"))
	ADDQ(stride, i)
	CMPQ(i, block)
	JNE(LabelRef("pairs"))
	SHLQ(Imm(1), stride)
	CMPQ(stride, block)
	JNE(LabelRef("pass"))
	XORQ(i, i)
	Label("scale")
	VMULPS(here, f, p)
	VMOVUPS(p, here)
	ADDQ(Imm(32), i)
	CMPQ(i, block)
	JNE(LabelRef("scale"))
	VZEROUPPER()
	RET()
}

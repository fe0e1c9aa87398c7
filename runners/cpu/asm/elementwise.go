package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// sumSquares: Σ x², in four vectors of sums, n a multiple of 8.
func sumSquares() {
	TEXT("sumSquaresAVX2", NOSPLIT, "func(n int, x *float32) float32")
	Doc("sumSquaresAVX2 returns the sum of the squares of n numbers, n a multiple of 8.")
	Pragma("noescape")
	n, x := Load(Param("n"), GP64()), Load(Param("x"), GP64())
	acc, t := avx2.vecs(4), avx2.vecs(4)
	for _, a := range acc {
		VXORPS(a, a, a)
	}
	SUBQ(Imm(32), n)
	JL(LabelRef("tail"))
	Label("loop")
	for j, a := range acc {
		VMOVUPS(Mem{Base: x, Disp: 32 * j}, t[j])
		VFMADD231PS(t[j], t[j], a)
	}
	ADDQ(U32(128), x)
	SUBQ(Imm(32), n)
	JGE(LabelRef("loop"))
	Label("tail")
	ADDQ(Imm(32), n)
	JE(LabelRef("sum"))
	Label("one")
	VMOVUPS(Mem{Base: x}, t[0])
	VFMADD231PS(t[0], t[0], acc[0])
	ADDQ(Imm(32), x)
	SUBQ(Imm(8), n)
	JNE(LabelRef("one"))
	Label("sum")
	VADDPS(acc[1], acc[0], acc[0])
	VADDPS(acc[3], acc[2], acc[2])
	VADDPS(acc[2], acc[0], acc[0])
	h := XMM()
	VHADDPS(acc[0], acc[0], acc[0])
	VHADDPS(acc[0], acc[0], acc[0])
	VEXTRACTF128(Imm(1), acc[0], h)
	VADDPS(h, acc[0].AsX(), h)
	Store(h, ReturnIndex(0))
	VZEROUPPER()
	RET()
}

// scaleProduct: dst[i] = x[i]·f·y[i], n a multiple of 8.
func scaleProduct() {
	TEXT("scaleProductAVX2", NOSPLIT, "func(n int, x *float32, f float32, y *float32, dst *float32)")
	Doc("scaleProductAVX2 writes (x·f)·y for n numbers, n a multiple of 8.")
	Pragma("noescape")
	n, x := Load(Param("n"), GP64()), Load(Param("x"), GP64())
	y, dst := Load(Param("y"), GP64()), Load(Param("dst"), GP64())
	f, t := YMM(), YMM()
	ff, _ := Param("f").Resolve()
	VBROADCASTSS(ff.Addr, f)
	Label("loop")
	VMULPS(Mem{Base: x}, f, t)
	VMULPS(Mem{Base: y}, t, t)
	VMOVUPS(t, Mem{Base: dst})
	ADDQ(Imm(32), x)
	ADDQ(Imm(32), y)
	ADDQ(Imm(32), dst)
	SUBQ(Imm(8), n)
	JNE(LabelRef("loop"))
	VZEROUPPER()
	RET()
}

// gate: dst[i] = g[i]·σ(p(g[i]))·u[i], n a multiple of 8: p is what a formula of engine.ActivationKind puts into the
// logistic function, and may change the numbers first. The power's reduction carries the rest of log2(e), so that
// large |p| cost no accuracy. Each formula takes alpha and limit, which only the clamped one reads.
func gate(name, doc string, first func(x, t reg.VecVirtual), power func(x, t, c reg.VecVirtual), up func(t, y reg.VecVirtual)) {
	TEXT(name, NOSPLIT, "func(n int, gate *float32, up *float32, dst *float32, alpha float32, limit float32)")
	Doc(name + " writes " + doc + " for n numbers, n a multiple of 8.")
	Pragma("noescape")
	n, g := Load(Param("n"), GP64()), Load(Param("gate"), GP64())
	u, dst := Load(Param("up"), GP64()), Load(Param("dst"), GP64())
	w := avx2
	var e exp2Constants
	for i, b := range exp2Bits {
		e.c[i] = w.broadcast(b)
	}
	log2e := w.broadcast(bitsMinusLog2e)
	x, c, r, whole, y, lim := YMM(), YMM(), YMM(), YMM(), YMM(), YMM()
	Label("loop")
	VMOVUPS(Mem{Base: g}, x)
	if first != nil {
		first(x, lim)
	}
	p := x
	if power != nil {
		p = c
		power(x, lim, c)
	}
	// The power stays within ±87/log 2: beyond, σ is 0 or 1 to float32.
	VBROADCASTSS(constant(0x42ae0000), lim) // 87
	VMINPS(p, lim, c)
	VBROADCASTSS(constant(0xc2ae0000), lim) // -87
	VMAXPS(c, lim, c)
	VMULPS(log2e, c, whole)
	w.round(whole, whole)
	VMOVAPS(log2e, r)
	VFMSUB213PS(whole, c, r) // c·(-log2e) - n
	VBROADCASTSS(constant(bitsMinusLog2eR), lim)
	VFMADD231PS(lim, c, r)
	w.exp2Reduced(e, r, whole, y)
	VADDPS(e.c[len(e.c)-1], y, y)
	VDIVPS(y, x, y)
	if up != nil {
		VMOVUPS(Mem{Base: u}, r)
		up(lim, r)
		VMULPS(r, y, y)
	} else {
		VMULPS(Mem{Base: u}, y, y)
	}
	VMOVUPS(y, Mem{Base: dst})
	ADDQ(Imm(32), g)
	ADDQ(Imm(32), u)
	ADDQ(Imm(32), dst)
	SUBQ(Imm(8), n)
	JNE(LabelRef("loop"))
	VZEROUPPER()
	RET()
}

func swiglu() { gate("swigluAVX2", "silu(g)·u", nil, nil, nil) }

func geglu() {
	gate("gegluAVX2", "gelu(g)·u, by tanh,", nil, func(x, t, c reg.VecVirtual) {
		VMULPS(x, x, c)
		VBROADCASTSS(constant(math.Float32bits(gegluCubic)), t)
		VMULPS(t, c, c)
		VBROADCASTSS(constant(math.Float32bits(gegluLinear)), t)
		VADDPS(t, c, c)
		VMULPS(x, c, c)
	}, nil)
}

// engine.GEGLULinear and engine.GEGLUCubic.
const (
	gegluLinear = 1.5957691216057308
	gegluCubic  = 0.044715 * gegluLinear
)

func clamped() {
	argument := func(name string, t reg.VecVirtual) {
		p, err := Param(name).Resolve()
		if err != nil {
			panic(err)
		}
		VBROADCASTSS(p.Addr, t)
	}
	gate("clampedAVX2", "g·σ(alpha·g)·(u+1), g at most limit, u within ±limit,", func(x, t reg.VecVirtual) {
		argument("limit", t)
		VMINPS(x, t, x)
	}, func(x, t, c reg.VecVirtual) {
		argument("alpha", t)
		VMULPS(t, x, c)
	}, func(t, y reg.VecVirtual) {
		argument("limit", t)
		VMINPS(y, t, y)
		s := YMM()
		VXORPS(s, s, s)
		VSUBPS(t, s, t)
		VMAXPS(y, t, y)
		VBROADCASTSS(constant(math.Float32bits(1)), t)
		VADDPS(t, y, y)
	})
}

// rotate: dst[i] = x[i]·cos[i] - x[n+i]·sin[i], dst[n+i] = x[n+i]·cos[i] +
// x[i]·sin[i], products rounded as torch rounds them; n a multiple of 8.
func rotate() {
	TEXT("rotateAVX2", NOSPLIT, "func(n int, x *float32, cos *float32, sin *float32, dst *float32)")
	Doc("rotateAVX2 turns n pairs (i, n+i), n a multiple of 8.")
	Pragma("noescape")
	n, x := Load(Param("n"), GP64()), Load(Param("x"), GP64())
	cos, sin := Load(Param("cos"), GP64()), Load(Param("sin"), GP64())
	dst := Load(Param("dst"), GP64())
	i := GP64()
	XORQ(i, i)
	a, b, c, s, p, q := YMM(), YMM(), YMM(), YMM(), YMM(), YMM()
	SHLQ(Imm(2), n)
	x2, dst2 := GP64(), GP64()
	MOVQ(x, x2)
	ADDQ(n, x2)
	MOVQ(dst, dst2)
	ADDQ(n, dst2)
	Label("loop")
	VMOVUPS(Mem{Base: x, Index: i, Scale: 1}, a)
	VMOVUPS(Mem{Base: x2, Index: i, Scale: 1}, b)
	VMOVUPS(Mem{Base: cos, Index: i, Scale: 1}, c)
	VMOVUPS(Mem{Base: sin, Index: i, Scale: 1}, s)
	VMULPS(c, a, p)
	VMULPS(s, b, q)
	VSUBPS(q, p, p)
	VMOVUPS(p, Mem{Base: dst, Index: i, Scale: 1})
	VMULPS(c, b, p)
	VMULPS(s, a, q)
	VADDPS(q, p, p)
	VMOVUPS(p, Mem{Base: dst2, Index: i, Scale: 1})
	ADDQ(Imm(32), i)
	CMPQ(i, n)
	JL(LabelRef("loop"))
	VZEROUPPER()
	RET()
}

func pause() {
	TEXT("pauseAMD64", NOSPLIT, "func()")
	Doc("pauseAMD64 tells the core that it waits.")
	for range 8 {
		PAUSE()
	}
	RET()
}

package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// width is a vector width with the tile it can hold in registers.
type width struct {
	name     string
	bytes    int // of a vector
	tileRows int
}

var (
	avx2   = width{"AVX2", 32, 6}
	avx512 = width{"AVX512", 64, 14}
)

func (w width) lanes() int { return w.bytes / 4 }

// panel is the number of columns in a panel.
func (w width) panel() int { return 2 * w.lanes() }

func (w width) vec() reg.VecVirtual {
	if w.bytes == 64 {
		return ZMM()
	}
	return YMM()
}

func (w width) vecs(n int) []reg.VecVirtual {
	v := make([]reg.VecVirtual, n)
	for i := range v {
		v[i] = w.vec()
	}
	return v
}

func (w width) zero(v reg.VecVirtual) {
	if w.bytes == 64 {
		VPXORD(v, v, v)
	} else {
		VXORPS(v, v, v)
	}
}

func (w width) and(a, b, dst reg.VecVirtual) {
	if w.bytes == 64 {
		VPANDD(a, b, dst)
	} else {
		VPAND(a, b, dst)
	}
}

func (w width) round(a, dst reg.VecVirtual) {
	if w.bytes == 64 {
		VRNDSCALEPS(Imm(8), a, dst)
	} else {
		VROUNDPS(Imm(8), a, dst)
	}
}

var constants = map[uint32]Mem{}

// constant returns the place of a 32-bit constant.
func constant(bits uint32) Mem {
	m, ok := constants[bits]
	if !ok {
		m = ConstData(fmt.Sprintf("const%08x", bits), U32(bits))
		constants[bits] = m
	}
	return m
}

func (w width) broadcast(bits uint32) reg.VecVirtual {
	v := w.vec()
	VBROADCASTSS(constant(bits), v)
	return v
}

// exp2Bits are the coefficients of 2^r = 1 + c1·r + … + c6·r⁶ on [-½, ½],
// interpolated at Chebyshev nodes; its error is 9e-9, relatively. The constant
// is exactly one, so that whole powers are exact.
var exp2Bits = [...]uint32{0x392209c5, 0x3aaf8448, 0x3c1d952a, 0x3d6357b6, 0x3e75fdf0, 0x3f317218, bitsOne}

const (
	bitsOne         = 0x3f800000
	bitsMinus127    = 0xc2fe0000
	bitsMinusLog2e  = 0xbfb8aa3b
	bitsMinusLog2eR = 0xb2a57060 // the difference between it and the exact value
)

// exp2Constants holds what exp2 needs in registers.
type exp2Constants struct {
	low reg.VecVirtual
	c   [len(exp2Bits)]reg.VecVirtual
}

func (w width) exp2Constants() (e exp2Constants) {
	e.low = w.broadcast(bitsMinus127)
	for i, b := range exp2Bits {
		e.c[i] = w.broadcast(b)
	}
	return e
}

// exp2 writes 2^t to dst for t ≤ 127. Below -127 it is exactly zero, because the
// clamped power has the exponent field 0 and the fraction of 1; NaN stays NaN,
// because of two operands max returns the second when one is NaN. t is lost.
func (w width) exp2(e exp2Constants, t, n, dst reg.VecVirtual) {
	VMAXPS(t, e.low, t)
	w.round(t, n)
	VSUBPS(n, t, t)
	w.exp2Reduced(e, t, n, dst)
}

// exp2Reduced writes 2^(n+r) for whole n.
func (w width) exp2Reduced(e exp2Constants, r, n, dst reg.VecVirtual) {
	VCVTPS2DQ(n, n)
	VPSLLD(Imm(23), n, n)
	VMOVAPS(e.c[0], dst)
	for _, c := range e.c[1:] {
		VFMADD213PS(c, r, dst)
	}
	VPADDD(n, dst, dst)
}

// Command asm generates the assembly of package cpu. It is a module of its own
// so that the project does not depend on avo. In this folder:
//
//	go run . -out ../kernels_amd64.s -stubs ../stubs_amd64.go -pkg cpu
//
// Kernels come in two widths: 256 bits (AVX2, FMA, F16C; panels of 16 columns)
// and 512 bits (AVX-512 F, DQ, BW, VL; panels of 32 columns). A panel is two
// vectors wide in both. Every lane is one output, and its sum runs over k in
// ascending order by fused multiply-adds, whichever kernel computes it: that is
// what makes a row independent of its company.
package main

import . "github.com/mmcloughlin/avo/build"

func main() {
	ConstraintExpr("amd64")
	ConstraintExpr("!noasm")
	for _, w := range []width{avx2, avx512} {
		for rows := 1; rows <= w.tileRows; rows++ {
			w.tile(rows)
		}
		w.unpackHalf("BF16")
		w.unpackHalf("F16")
		for _, b := range []blocks{q8, k6} {
			w.unpackQ8(b)
		}
		for _, b := range []blocks{q4, k4} {
			w.unpackQ4(b)
		}
		w.unpackP4()
		w.unpackE8()
		w.decodeQ8()
		w.decodeQ4()
		for _, n := range w.fewRows() {
			w.rowHalf("BF16", n[0], n[1])
			w.rowHalf("F16", n[0], n[1])
			w.rowQ8(q8, n[0], n[1])
			w.rowQ8(k6, n[0], n[1])
			w.rowQ4(q4, n[0], n[1])
			w.rowQ4(k4, n[0], n[1])
			w.rowP4(n[0], n[1])
			w.rowE8(n[0], n[1])
		}
		w.softmax()
		w.scaleColumns()
		w.weightedSum()
	}
	lookup()
	squares()
	channels()
	scaledInt8()
	scaledE4M3()
	butterfly()
	dots()
	dotsStream()
	maximum()
	highest()
	expSum()
	sumSquares()
	scaleProduct()
	swiglu()
	geglu()
	clamped()
	rotate()
	pause()
	Generate()
}

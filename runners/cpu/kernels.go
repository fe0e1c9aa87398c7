package cpu

import "github.com/snapbench/snapbench/runners/engine/cacheformat"

//go:generate go -C asm run . -out ../kernels_amd64.s -stubs ../stubs_amd64.go -pkg cpu

type (
	tileFunc   = func(k int, a *float32, as int, b *float32, bs int, init *float32, c *float32, cs int, add int)
	unpackFunc = func(n int, src *byte, dst *float32)
	rowFunc    = func(n int, x *float32, b *byte, stride int, init *float32, c *float32, cs int, add int)
)

// maxRows is the most rows of x that a kernel for few rows takes.
const maxRows = 3

// kernels are the inner loops of one instruction set. Strides are in elements. A panel is
// panelWidth outputs side by side. Where a comment says that a size is a multiple, the caller
// must see to it.
type kernels struct {
	name       string
	tileRows   int // most rows of a tile
	panelWidth int // columns of a panel

	// tile[r]: c[i][:] = init[:] + Σ_k a[k·as+i]·b[k·bs …] for i < r, a panel's
	// columns; with add ≠ 0 the sum is added to c.
	tile []tileFunc
	// unpack writes n units of a format as float32: numbers of half formats (a
	// multiple of the panel's width), blocks of the others.
	unpack [formats]unpackFunc
	// row[f][r][p]: r interleaved rows of x times p neighbouring panels, stride
	// bytes apart; n is k for half formats, blocks for the others. Where it is nil
	// unpack and tile do it.
	row [formats][maxRows + 1][3]rowFunc

	// decode[name] writes n numbers, a multiple of 32, of that format of caches as float32, to the bit as the format's own
	// code does.
	decode map[string]unpackFunc
	// formats are others, by name, whose codecs decode by kernels, to the bit as their own do, where heads have a multiple of 32 numbers.
	formats map[string]*cacheformat.Format

	// softmax takes n keys × a panel of queries, in units of log 2, through a
	// running softmax: maxima m, sums l, factors f for what was summed before.
	softmax      func(n int, s, m, l, f *float32)
	scaleColumns func(rows int, o, f *float32)

	// d is a multiple of 8. dots is for keys in a cache, dotsStream, with the same results, for keys in memory.
	// weightedSum adds to out, so that rows may come in pieces.
	dots        func(n, d int, q, k *float32, stride int, out *float32)
	dotsStream  func(n, d int, q, k *float32, stride int, out *float32)
	weightedSum func(n, d int, p, v *float32, stride int, out *float32)

	// n is a multiple of 8.
	maximum      func(n int, s *float32) float32
	highest      func(n int, s *float32) (top, zero float32) // zero is NaN, and top nothing, unless all are finite
	expSum       func(n int, s *float32, m float32) float32
	sumSquares   func(n int, x *float32) float32
	scaleProduct func(n int, x *float32, f float32, y, dst *float32)
	gates        [3]gateFunc // by engine.ActivationKind
	rotate       func(n int, x, cos, sin, dst *float32)

	pause func()
}

// gateFunc joins n numbers of gate and up. alpha and limit are of engine.ClampedSwiGLU alone.
type gateFunc func(n int, g, u, dst *float32, alpha, limit float32)

// format is how the numbers of a panel lie in memory.
type format int

const (
	formatF32 format = iota
	formatBF16
	formatF16
	formatQ8 // 32 k: scales (half), then a byte for each k and column
	formatQ4 // 32 k: scales and minima (half), then a word per column for each 8 k
	formatP4 // MXFP4, 32 k: scales (bfloat16), then a word per column for each 8 k
	formatE8 // E4M3, 32 k: scales (float32), then a byte for each k and column
	formatK4 // Q4_K, 32 k: scales and minima (float32), then a word per column for each 8 k
	formatK6 // Q6_K, 16 k: scales (float32), then a byte for each k and column
	formats
)

// units returns how many units unpack and row count for k numbers of width
// columns (1 for row).
func (f format) units(k, width int) int {
	switch {
	case f == formatK6:
		return k / 16
	case f >= formatQ8:
		return k / 32
	}
	return k * width
}

// panelBytes returns the bytes of k numbers of a panel.
func (f format) panelBytes(k, width int) int {
	switch f {
	case formatF32:
		return 4 * k * width
	case formatBF16, formatF16:
		return 2 * k * width
	case formatQ8:
		return k / 32 * 34 * width
	case formatP4:
		return k / 32 * 18 * width
	case formatE8:
		return k / 32 * 36 * width
	case formatK4:
		return k / 32 * 24 * width
	case formatK6:
		return k / 16 * 20 * width
	}
	return k / 32 * 20 * width
}

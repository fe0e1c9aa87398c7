package cpu

import (
	"encoding/binary"
	"math"
	"runtime"
	"unsafe"

	"github.com/snapbench/snapbench/runners/engine"
)

// goKernels are plain Go. Each also documents the assembly kernels for the same task.
var goKernels = &kernels{
	name: "go", tileRows: 4, panelWidth: 8,
	tile:         []tileFunc{nil, tileGo(1), tileGo(2), tileGo(3), tileGo(4)},
	unpack:       [formats]unpackFunc{formatBF16: unpackBF16Go, formatF16: unpackF16Go, formatQ8: unpackQ8Go, formatQ4: unpackQ4Go, formatP4: unpackP4Go, formatE8: unpackE8Go, formatK4: unpackK4Go, formatK6: unpackK6Go},
	softmax:      softmaxGo,
	scaleColumns: scaleColumnsGo,
	dots:         dotsGo, dotsStream: dotsGo, weightedSum: weightedSumGo, maximum: maximumGo, highest: highestGo, expSum: expSumGo,
	sumSquares: sumSquaresGo, scaleProduct: scaleProductGo, gates: [3]gateFunc{swigluGo, gegluGo, clampedGo}, rotate: rotateGo,
	pause: runtime.Gosched,
}

const goPanel = 8

func floats(p *float32, n int) []float32 { return unsafe.Slice(p, n) }

func tileGo(rows int) tileFunc {
	return func(k int, a *float32, as int, b *float32, bs int, init *float32, c *float32, cs int, add int) {
		from := *(*[goPanel]float32)(floats(init, goPanel))
		av, bv, cv := floats(a, (k-1)*as+rows), floats(b, (k-1)*bs+goPanel), floats(c, (rows-1)*cs+goPanel)
		for r := range rows {
			sum := from
			for i := range k {
				x, y := av[i*as+r], (*[goPanel]float32)(bv[i*bs:])
				// The conversion rounds the product: the compiler must not fuse it with the
				// sum on some machines only.
				sum[0] += float32(x * y[0])
				sum[1] += float32(x * y[1])
				sum[2] += float32(x * y[2])
				sum[3] += float32(x * y[3])
				sum[4] += float32(x * y[4])
				sum[5] += float32(x * y[5])
				sum[6] += float32(x * y[6])
				sum[7] += float32(x * y[7])
			}
			out := (*[goPanel]float32)(cv[r*cs:])
			for j, s := range sum {
				if add != 0 {
					s += out[j]
				}
				out[j] = s
			}
		}
	}
}

func unpackBF16Go(n int, src *byte, dst *float32) {
	s, d := unsafe.Slice(src, 2*n), floats(dst, n)
	for i := range d {
		d[i] = math.Float32frombits(uint32(binary.LittleEndian.Uint16(s[2*i:])) << 16)
	}
}

func unpackF16Go(n int, src *byte, dst *float32) {
	s, d := unsafe.Slice(src, 2*n), floats(dst, n)
	for i := range d {
		d[i] = halfToFloat(binary.LittleEndian.Uint16(s[2*i:]))
	}
}

func unpackQ8Go(blocks int, src *byte, dst *float32) {
	unpackBlocks(formatQ8, goPanel, blocks, src, dst)
}

func unpackQ4Go(blocks int, src *byte, dst *float32) {
	unpackBlocks(formatQ4, goPanel, blocks, src, dst)
}

func unpackP4Go(blocks int, src *byte, dst *float32) {
	unpackBlocks(formatP4, goPanel, blocks, src, dst)
}

func unpackE8Go(blocks int, src *byte, dst *float32) {
	unpackBlocks(formatE8, goPanel, blocks, src, dst)
}

func unpackK4Go(blocks int, src *byte, dst *float32) {
	unpackBlocks(formatK4, goPanel, blocks, src, dst)
}

func unpackK6Go(blocks int, src *byte, dst *float32) {
	unpackBlocks(formatK6, goPanel, blocks/2, src, dst)
}

// unpackBlocks writes the values of runs of 32 k.
func unpackBlocks(f format, width, blocks int, src *byte, dst *float32) {
	size := f.panelBytes(32, width)
	s, d := unsafe.Slice(src, blocks*size), floats(dst, blocks*32*width)
	for b := range blocks {
		for j := range width {
			for i := range 32 {
				d[(32*b+i)*width+j] = blockValue(f, width, s[b*size:(b+1)*size], i, j)
			}
		}
	}
}

// blockValue returns number k of column j of 32 k of a panel.
func blockValue(f format, width int, block []byte, k, j int) float32 {
	switch f {
	case formatP4:
		return p4Value(width, block, k, j)
	case formatE8:
		return e8Value(width, block, k, j)
	case formatK4:
		return k4Value(width, block, k, j)
	case formatK6:
		return k6Value(width, block, k, j)
	}
	d := halfToFloat(binary.LittleEndian.Uint16(block[2*j:]))
	if f == formatQ8 {
		return d * float32(int8(block[2*width+k*width+j]))
	}
	m := halfToFloat(binary.LittleEndian.Uint16(block[2*width+2*j:]))
	word := binary.LittleEndian.Uint32(block[4*width+4*(k/8*width+j):])
	return float32(d*float32(word>>(4*(k%8))&15)) + m
}

// halfToFloat widens a half exactly.
func halfToFloat(h uint16) float32 {
	bits := uint32(h&0x7fff) << 13
	if bits >= 0x7c00<<13 {
		bits |= 0x7f800000
	} else {
		bits = math.Float32bits(math.Float32frombits(bits) * 0x1p112)
	}
	return math.Float32frombits(bits | uint32(h&0x8000)<<16)
}

func exp2Go(x float32) float32 { return float32(math.Exp2(float64(x))) }

func softmaxGo(n int, s, m, l, f *float32) {
	sv, mv, lv, fv := floats(s, n*goPanel), floats(m, goPanel), floats(l, goPanel), floats(f, goPanel)
	for j := range goPanel {
		top := mv[j]
		for i := range n {
			if x := sv[i*goPanel+j]; x > top {
				top = x
			}
		}
		fv[j] = exp2Go(mv[j] - top)
		mv[j] = top
		var sum float32
		for i := range n {
			p := exp2Go(sv[i*goPanel+j] - top)
			sv[i*goPanel+j] = p
			sum += p
		}
		lv[j] = float32(lv[j]*fv[j]) + sum
	}
}

func scaleColumnsGo(rows int, o, f *float32) {
	ov, fv := floats(o, rows*goPanel), floats(f, goPanel)
	for i := range ov {
		ov[i] *= fv[i%goPanel]
	}
}

func dotsGo(n, d int, q, k *float32, stride int, out *float32) {
	qv, kv, ov := floats(q, d), floats(k, (n-1)*stride+d), floats(out, n)
	for j := range ov {
		var sum float32
		for i, x := range kv[j*stride : j*stride+d] {
			sum += float32(x * qv[i])
		}
		ov[j] = sum
	}
}

func weightedSumGo(n, d int, p, v *float32, stride int, out *float32) {
	pv, vv, ov := floats(p, n), floats(v, (n-1)*stride+d), floats(out, d)
	for j, w := range pv {
		for i, x := range vv[j*stride : j*stride+d] {
			ov[i] += float32(w * x)
		}
	}
}

func maximumGo(n int, s *float32) float32 {
	top := *s
	for _, x := range floats(s, n) {
		if x > top {
			top = x
		}
	}
	return top
}

func highestGo(n int, s *float32) (top, zero float32) {
	top = *s
	for _, x := range floats(s, n) {
		zero += x - x
		if x > top {
			top = x
		}
	}
	return top, zero
}

func expSumGo(n int, s *float32, m float32) float32 {
	var sum float32
	v := floats(s, n)
	for i, x := range v {
		v[i] = exp2Go(x - m)
		sum += v[i]
	}
	return sum
}

func sumSquaresGo(n int, x *float32) float32 {
	sum := 0.0 // squares do not cancel: one chain in float32 would drift
	for _, v := range floats(x, n) {
		sum += float64(v) * float64(v)
	}
	return float32(sum)
}

func scaleProductGo(n int, x *float32, f float32, y, dst *float32) {
	xv, yv, dv := floats(x, n), floats(y, n), floats(dst, n)
	for i := range dv {
		dv[i] = xv[i] * f * yv[i]
	}
}

func swigluGo(n int, g, u, dst *float32, _, _ float32) {
	gv, uv, dv := floats(g, n), floats(u, n), floats(dst, n)
	for i := range dv {
		dv[i] = gv[i] / (1 + float32(math.Exp(-float64(gv[i])))) * uv[i]
	}
}

func gegluGo(n int, g, u, dst *float32, _, _ float32) {
	gv, uv, dv := floats(g, n), floats(u, n), floats(dst, n)
	for i, x := range gv {
		power := float64(x) * (engine.GEGLULinear + engine.GEGLUCubic*float64(x)*float64(x))
		dv[i] = x / (1 + float32(math.Exp(-power))) * uv[i]
	}
}

func clampedGo(n int, g, u, dst *float32, alpha, limit float32) {
	gv, uv, dv := floats(g, n), floats(u, n), floats(dst, n)
	for i := range dv {
		x, y := min(gv[i], limit), min(max(uv[i], -limit), limit)
		dv[i] = x / (1 + float32(math.Exp(-float64(alpha)*float64(x)))) * (y + 1)
	}
}

func rotateGo(n int, x, cos, sin, dst *float32) {
	xv, cv, sv, dv := floats(x, 2*n), floats(cos, n), floats(sin, n), floats(dst, 2*n)
	for i := range n {
		a, b := xv[i], xv[n+i]
		dv[i] = float32(a*cv[i]) - float32(b*sv[i])
		dv[n+i] = float32(b*cv[i]) + float32(a*sv[i])
	}
}

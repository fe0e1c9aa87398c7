package cuda

import (
	"fmt"

	"github.com/snapbench/snapbench/runners/engine"
)

// fewRows is the most rows of x of a prompt for which the kernels of matmul_few.cu, and on
// compute capability 9.0 those of matmul_rows_sm90a.cu and matmul_wide_sm90a.cu, multiply;
// above it cuBLAS does. In a decoding step those kernels take any number of rows, so that no
// row depends on the others.
const fewRows = 64

// MatMul multiplies: dst = x · wᵀ + bias.
func (d *Device) MatMul(dst, x engine.Array, ew engine.Weight) { d.matMul("MatMul", dst, x, ew, false) }

// MatMulAdd adds the product to dst, rounding once.
func (d *Device) MatMulAdd(dst, x engine.Array, ew engine.Weight) {
	d.matMul("MatMulAdd", dst, x, ew, true)
}

func (d *Device) matMul(operation string, dst, x engine.Array, ew engine.Weight, add bool) {
	w := d.weight(operation, ew)
	if x.Len%w.cols != 0 {
		panic(fmt.Sprintf("cuda: %s: x has %d elements, w is (%d, %d)", operation, x.Len, w.rows, w.cols))
	}
	m := x.Len / w.cols
	if dst.Len != m*w.rows {
		panic(fmt.Sprintf("cuda: %s: dst has %d elements, x (%d, %d) times w (%d, %d) has (%d, %d)", operation, dst.Len, m, w.cols, w.rows, w.cols, m, w.rows))
	}
	if dst.Type != engine.Float32 && dst.Type != d.kind {
		panic(fmt.Sprintf("cuda: %s: dst of %v, want %v or float32", operation, dst.Type, d.kind))
	}
	to, from := d.pointer(operation, dst, dst.Type), d.pointer(operation, x, d.kind)
	ok := d.card.Enter(operation)
	defer d.card.Leave()
	if !ok || m == 0 {
		return
	}
	d.product(to, dst.Type, from, m, w, add, 0)
}

// product is matMul on addresses. used is 0, or the address of a number on the card: where
// that number is 0, the product is not wanted and may be left out.
func (d *Device) product(to uint64, t engine.Type, from uint64, m int, w *weight, add bool, used uint64) {
	if m <= fewRows || d.stepping {
		d.few(to, t, from, m, w, add, used)
		return
	}
	w, done, ok := d.plain(w)
	defer done()
	if !ok {
		return
	}
	switch {
	case w.bias == 0:
		d.card.Gemm(to, t, from, w.address, d.kind, m, w.rows, w.cols, add)
	case add:
		// The library would round before the bias: the sum is kept in float32.
		sum, done, ok := d.card.Scratch(4 * int64(m) * int64(w.rows))
		if !ok {
			return
		}
		defer done()
		d.card.Gemm(sum, engine.Float32, from, w.address, d.kind, m, w.rows, w.cols, false)
		d.addBias(to, suffixOf(t), sum, w.bias, m, w.rows)
	default:
		d.fillBias(to, suffixOf(t), w.bias, m, w.rows)
		d.card.Gemm(to, t, from, w.address, d.kind, m, w.rows, w.cols, true)
	}
}

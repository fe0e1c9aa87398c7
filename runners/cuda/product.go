package cuda

import (
	"fmt"
	"unsafe"

	"github.com/snapbench/snapbench/runners/engine"
)

// fewRows is the most rows of x that the package's own products take; more are
// cuBLAS's, but for those of a step in float32, the type for judging, where no row is to
// depend on its company.
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
	ok := d.enter(operation)
	defer d.leave()
	if !ok || m == 0 {
		return
	}
	d.product(to, dst.Type, from, m, w, add, 0)
}

// product does the work of matMul on addresses. With used, an address of a number on
// the card, nothing need be done where it is 0.
func (d *Device) product(to uint64, t engine.Type, from uint64, m int, w *weight, add bool, used uint64) {
	if m <= fewRows || d.stepping && d.kind == engine.Float32 {
		d.few(to, t, from, m, w, add, used)
		return
	}
	total := m * w.rows
	threads := 256
	switch {
	case w.bias == 0:
		d.gemm(to, t, from, m, w, add)
	case add:
		// The library would round before the bias: the sum is kept in float32.
		sum, done, ok := d.scratch(4 * int64(total))
		if !ok {
			return
		}
		defer done()
		d.gemm(sum, engine.Float32, from, m, w, false)
		d.with(to, sum, w.bias).long(total).int(w.rows)
		d.run(d.kernel("bias", "bias_add_"+d.suffixOf(t)), blocks(total, threads), 1, threads, 0)
	default:
		d.with(to, w.bias).long(total).int(w.rows)
		d.run(d.kernel("bias", "bias_fill_"+d.suffixOf(t)), blocks(total, threads), 1, threads, 0)
		d.gemm(to, t, from, m, w, true)
	}
}

// few has the package's own kernels multiply.
func (d *Device) few(to uint64, t engine.Type, from uint64, m int, w *weight, add bool, used uint64) {
	d.fewOf(to, t, from, m, w, add, choice{used: used, count: 1})
}

// choice is whether, or with which expert's weights, few rows are multiplied
// (kernels/matmul_few.cu). More products than one are of eight rows at most.
type choice struct {
	used, experts     uint64
	count             int // of products, side by side
	xStep, resultStep int // elements from one product's to the next one's
}

// fewOf is few where a mixture's tokens choose; w is any of the experts' weights.
func (d *Device) fewOf(to uint64, t engine.Type, from uint64, m int, w *weight, add bool, c choice) {
	name := d.suffix
	if t == engine.Float32 {
		name += "_f32"
	}
	plain := d.kind == engine.Float32 || !aligned(w.cols, from, w.address)
	if d.hopperCard() && !plain && m > 8 && m <= 32 {
		d.ring(to, name, from, m, w, add, c.used)
		return
	}
	d.with(to, from, w.address, w.bias).int(m).long(w.rows, w.cols).int(flag(add)).ptr(c.used, c.experts).long(c.xStep, c.resultStep)
	if plain {
		d.run(d.kernel("matmul_few", "matmul_plain_"+name), blocks(w.rows, 8), c.count*blocks(m, 8), 256, 0)
		return
	}
	// Groups of eight rows of x, and how many rows of w a block takes with them.
	groups, rows := blocks(m, 8), 32
	switch {
	case groups == 1:
		rows = 16
	case groups > 4:
		groups = 8
	}
	d.run(d.kernel("matmul_few", fmt.Sprintf("matmul_few_%d_%s", groups, name)), blocks(w.rows, rows), c.count, 256, 0)
}

func dataType(t engine.Type) uintptr {
	switch t {
	case engine.Float16:
		return dataFloat16
	case engine.BFloat16:
		return dataBFloat16
	}
	return dataFloat32
}

// gemm has cuBLAS multiply. It counts columns first, so it is told that w, cols by
// rows as it sees it, is to be transposed.
func (d *Device) gemm(to uint64, t engine.Type, from uint64, m int, w *weight, add bool) {
	const transpose, plain = 1, 0
	const algorithm = ^uintptr(0) // CUBLAS_GEMM_DEFAULT
	l := d.launch
	l.alpha, l.beta = 1, float32(flag(add))
	if d.err != nil {
		return
	}
	status := call(d.blas.GemmEx, d.blasHandle, transpose, plain, uintptr(w.rows), uintptr(m), uintptr(w.cols),
		uintptr(unsafe.Pointer(&l.alpha)), uintptr(w.address), dataType(d.kind), uintptr(w.cols),
		uintptr(from), dataType(d.kind), uintptr(w.cols),
		uintptr(unsafe.Pointer(&l.beta)), uintptr(to), dataType(t), uintptr(w.rows), computeFloat32, algorithm)
	d.fail(d.blas.check(status))
}

// ring runs few's kernel for compute capability 9.0 and 9 to 32 rows of x; name is the
// end of its name.
func (d *Device) ring(to uint64, name string, from uint64, m int, w *weight, add bool, used uint64) {
	const warps, boxes, rows, boxBytes, resident = 8, 3, 32, 32 * 64 * 2, 2 // of kernels/matmul_few_sm90a.cu
	maps := d.launch.room()
	if !d.encodeMatrix(&maps[0], w.address, w.rows, w.cols, rows) {
		return
	}
	d.with().maps(1).ptr(to, from, w.bias).int(m, w.rows, w.cols, flag(add)).ptr(used)
	d.run(d.kernel("matmul_few_sm90a", fmt.Sprintf("matmul_ring_%d_%s", blocks(m, 8), name)),
		min(blocks(w.rows, rows), resident*d.card.Multiprocessors), 1, 32*warps, warps*boxes*boxBytes+1024)
}

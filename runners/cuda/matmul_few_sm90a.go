package cuda

import "fmt"

// ring multiplies 9 to 32 rows of x on compute capability 9.0; name is the end of the
// kernel's name.
func (d *Device) ring(to uint64, name string, from uint64, m int, w *weight, add bool, used uint64) {
	const warps, boxes, rows, boxBytes, resident = 8, 3, 32, 32 * 64 * 2, 2 // of kernels/matmul_few_sm90a.cu
	if !d.card.MapMatrix(0, w.address, d.kind, w.rows, w.cols, rows) {
		return
	}
	d.card.Args().Maps(1).Ptr(to, from, w.bias).Int(m, w.rows, w.cols, flag(add)).Ptr(used)
	d.card.Launch(d.card.Kernel("matmul_few_sm90a", fmt.Sprintf("matmul_ring_%d_%s", blocks(m, 8), name)),
		min(blocks(w.rows, rows), resident*d.card.Multiprocessors), 1, 32*warps, warps*boxes*boxBytes+1024)
}

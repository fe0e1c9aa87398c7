package cuda

import (
	"fmt"

	"github.com/snapbench/snapbench/runners/engine"
)

// columnTile is the keys of a block of column_sums_sm90a.cu, and the queries of a step.
const columnTile = 128

// hopperColumnSums runs the kernel for compute capability 9.0. It returns false, and has
// done nothing, where that kernel cannot be used: it needs what attention's needs.
func (d *Device) hopperColumnSums(dst uint64, rows lse, q, k uint64, m, start, n int, low int, by engine.Attention, w way) bool {
	h := by.Heads
	if !d.hopperHeads(h.Size, w, q, k) {
		return false
	}
	ok := d.card.Map(0, q, d.kind, [3]int{h.Size, h.Query, m}, [2]int{h.Size, h.Query * h.Size}, [2]int{1, columnTile})
	ok = ok && d.card.Map(1, k, d.kind, [3]int{h.Size, start + m, h.KV}, [2]int{h.Size, n * h.Size}, [2]int{columnTile, 1})
	if !ok {
		return true // the operation has failed
	}
	stages := 4 // of kernels/column_sums_sm90a.cu
	if h.Size > 128 {
		stages = 2
	}
	first := low / columnTile
	tiles := blocks(start+m, columnTile) - first
	w.add(d.card.Args().Maps(2).Ptr(dst, rows.address).Int(rows.pitch, m, start).Long(n).Int(h.Query, h.KV, first, tiles, by.Window).Float(by.Scale * log2e))
	shared := (1+stages)*columnTile*blocks(h.Size, 64)*64*2 + stages*columnTile*4 + 1024
	d.card.Launch(w.kernel("column_sums_sm90a", fmt.Sprintf("column_sums_%d_%s", h.Size, d.suffix)), tiles*h.Query, 1, 384, shared)
	return true
}

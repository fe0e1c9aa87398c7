package cuda

import (
	"fmt"

	"github.com/snapbench/snapbench/runners/engine"
)

// Of the kernels of matmul_packed_rows.h: the rows of w in a block, the shared memory of one where two are to find room
// on a multiprocessor, and of one that is there alone, and the most turns in a ring.
const (
	packedTileRows  = 128
	sharedOfTwo     = 112 << 10
	sharedOfOne     = 224 << 10
	packedMaxStages = 6
)

// packedTurn is what a turn of 16 rows of a storage takes in shared memory, and whether sums of x lie beside it.
func packedTurn(s engine.Storage) (bytes int, sums bool) {
	switch s {
	case engine.MXFP4:
		return 16*64 + 128, false
	case engine.E4M3:
		return 16*128 + 128, false
	}
	b := blockStorages[s]
	low, above := b.planes()
	bytes = tileOfRows * (low + above)
	switch {
	case b.scales == 0:
		bytes += 128 + 2*tileOfRows
	case b.scales == 2:
		bytes += 128
	default:
		bytes, sums = bytes+256, true
	}
	return (bytes + 127) / 128 * 128, sums
}

// packedRows multiplies more than eight rows of x by a packed weight on compute capability 9.0. A row of dst has
// `across` numbers.
func (d *Device) packedRows(to uint64, t engine.Type, from uint64, m int, w *weight, across int, add bool, used uint64) {
	tiles := blocks(w.rows, packedTileRows)
	eights, room, fit := 2, sharedOfTwo, 2*d.card.Multiprocessors // groups of eight rows of x, shared memory of a block, blocks at a time
	switch {
	case m > 32:
		eights, room, fit = 8, sharedOfOne, d.card.Multiprocessors
	case m > 16:
		eights = blocks(m, 8)
	}
	passes, split := blocks(m, 8*eights), 2 // the blocks of a cluster
	for split < 8 && split*tiles*passes < fit {
		split *= 2
	}
	bytes, sums := packedTurn(w.storage)
	stage, beside := 8*bytes+2048*eights, 0
	if sums {
		beside = 256 * eights
	}
	name, file := blockName(w.storage), "matmul_"+blockName(w.storage)+"_rows_sm90a"
	if !inBlocks(w.storage) {
		name, file = packedName(w.storage), "matmul_packed_rows_sm90a"
	}
	d.card.Args(to, from, w.address, w.bias).Int(m).Long(w.rows, w.cols, across).Int(flag(add)).Ptr(used).Int(split).Cluster(split)
	d.card.Launch(d.card.Kernel(file, fmt.Sprintf("matmul_packed_rows_%d_%s", eights, resultName(name, t))), split*tiles, passes, 256, min(packedMaxStages, (room-beside)/stage)*stage+beside)
}

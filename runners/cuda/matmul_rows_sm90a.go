package cuda

import "fmt"

// Of the kernels of matmul_rows_sm90a.cu: the most rows of x, and the most rows of w in a tile.
const (
	ringRows     = 48
	ringTileRows = 128
)

// tiles says how the rows of a weight are shared out: how many are in a tile, whether the
// two blocks of a cluster share a tile's columns or have a tile each, and the grid.
type tiles struct {
	rows, grid int
	split      bool
}

// ringTiles looks for tiles that keep all multiprocessors at work to the end.
func (d *Device) ringTiles(rows int) tiles {
	clusters := max(1, d.card.Multiprocessors/2)
	if blocks(rows, ringTileRows) <= clusters {
		t := tiles{rows: 16 * blocks(blocks(rows, clusters), 16), split: true}
		t.grid = 2 * blocks(rows, t.rows)
		return t
	}
	best, least := tiles{grid: 2 * clusters}, 0
	for n := ringTileRows / 2; n <= ringTileRows; n += 16 {
		if cost := blocks(blocks(rows, n), best.grid) * n; least == 0 || cost <= least {
			best.rows, least = n, cost
		}
	}
	return best
}

// ring multiplies 9 to ringRows rows of x on compute capability 9.0; name is the end of the
// kernel's name.
func (d *Device) ring(to uint64, name string, from uint64, m int, w *weight, add bool, used uint64) {
	t := d.ringTiles(w.rows)
	sixteens, sums := blocks(m, 16), 0
	if t.split {
		sums = 2 * t.rows * 16 * sixteens // half of them go to the other block
	}
	stages, shared, ok := d.ringMaps(t, from, m, 16*sixteens, w, sums)
	if !ok {
		return
	}
	d.card.Args().Maps(2).Ptr(to, w.bias).Int(m, w.rows, w.cols, flag(add)).Ptr(used).Int(flag(t.split), stages).Cluster(2)
	d.card.Launch(d.card.Kernel("matmul_rows_sm90a", fmt.Sprintf("matmul_rows_%d_%s", sixteens, name)), t.grid, 1, 64*(t.rows/16)+32, shared)
}

// ringMaps makes the tensor maps of w and x, and says how many boxes of both, height rows
// of x, fit into shared memory beside so many bytes of sums, and the bytes of all that.
func (d *Device) ringMaps(t tiles, from uint64, m, height int, w *weight, sums int) (stages, shared int, ok bool) {
	const most, maxStages, rowBytes, alignment = 224 << 10, 12, 64 * 2, 1024
	stage := rowBytes * (t.rows + height)
	stages = min(maxStages, (most-sums)/stage)
	if !t.split {
		height /= 2 // each block of a cluster loads half of x
	}
	ok = d.card.MapMatrix(0, w.address, d.kind, w.rows, w.cols, t.rows) && d.card.MapMatrix(1, from, d.kind, m, w.cols, height)
	return stages, stages*stage + sums + alignment, ok
}

package cuda

import "fmt"

// Of the kernels of matmul_rows_sm90a.cu: the most rows of x, and of w in a block.
const (
	ringRows     = 48
	ringTileRows = 128
)

// ring multiplies 9 to ringRows rows of x on compute capability 9.0; name is the end of the
// kernel's name.
func (d *Device) ring(to uint64, name string, from uint64, m int, w *weight, add bool, used uint64) {
	const boxBytes, maxStages, shared = 16 * 64 * 2, 12, 200 << 10
	groups, split, grid := d.ringTiles(w.rows)
	sixteens := blocks(m, 16)
	exchanged := 0
	box := 8 * sixteens // of the rows of x: each block of a cluster loads half
	if split {
		exchanged = 512 * groups * sixteens
		box = 16 * sixteens
	}
	stage := boxBytes * (groups + sixteens)
	stages := min(maxStages, (shared-exchanged)/stage)
	if !d.card.MapMatrix(0, w.address, d.kind, w.rows, w.cols, 16*groups) || !d.card.MapMatrix(1, from, d.kind, m, w.cols, box) {
		return
	}
	d.card.Args().Maps(2).Ptr(to, w.bias).Int(m, w.rows, w.cols, flag(add)).Ptr(used).Int(flag(split), stages).Cluster(2)
	d.card.Launch(d.card.Kernel("matmul_rows_sm90a", fmt.Sprintf("matmul_rows_%d_%s", sixteens, name)), grid, 1, 64*groups+32, stages*stage+exchanged+1024)
}

// ringTiles says how the rows of a weight are shared out: groups of 16 rows to a block,
// whether two blocks share a tile's columns, and how many blocks there are. It looks for
// tiles that keep all multiprocessors at work to the end.
func (d *Device) ringTiles(rows int) (groups int, split bool, grid int) {
	clusters := max(1, d.card.Multiprocessors/2)
	if blocks(rows, ringTileRows) <= clusters {
		groups = blocks(blocks(rows, clusters), 16)
		return groups, true, 2 * blocks(rows, 16*groups)
	}
	least := 0
	for g := ringTileRows / 32; g <= ringTileRows/16; g++ {
		if cost := blocks(blocks(rows, 16*g), 2*clusters) * g; least == 0 || cost <= least {
			groups, least = g, cost
		}
	}
	return groups, false, 2 * clusters
}

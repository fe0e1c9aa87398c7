package cuda

import (
	"fmt"

	"github.com/snapbench/snapbench/runners/engine"
)

// wideRows is the most rows of x that the kernels of matmul_wide_sm90a.cu take.
const wideRows = 128

const _ = uint(wideRows - fewRows) // so many they take of a prompt, too

// wideTiles says how those kernels share out a product: the rows of w in a tile, how many
// clusters share a tile's columns, and how many clusters there are.
type wideTiles struct{ rows, parts, clusters int }

// wideTiles looks for tiles that make the product of m rows of x short.
func (d *Device) wideTiles(m, rows, cols int) (best wideTiles) {
	const (
		bytesPerMicrosecond = 5_400_000 // from the L2 cache, of an H200
		joining             = 3 * bytesPerMicrosecond
	)
	clusters, height, least := max(2, d.card.Multiprocessors/2), wideHeight(m), 0
	for parts := 1; parts <= 2; parts++ {
		for n := 16; n <= ringTileRows; n += 16 {
			pairs := blocks(rows, 2*n) * parts
			rounds := blocks(pairs, clusters)
			t := wideTiles{n, parts, min(pairs, clusters/parts*parts)}
			if f := d.anyParts; f.parts > 0 {
				if f.rows != n || f.parts != parts {
					continue
				}
			} else if parts > 1 && rounds > 1 {
				continue
			}
			cost := pairs * (2*n + height) * blocks(cols, parts) * 2
			if rounds == 1 {
				cost = cost / pairs * clusters
			}
			if parts > 1 {
				cost += joining + 16*height*rows
			}
			if least == 0 || cost <= least {
				least, best = cost, t
			}
		}
	}
	return best
}

// wideHeight is how many rows of x a box has.
func wideHeight(m int) int { return max(64, 32*blocks(m, 32)) }

// wide multiplies 49 to wideRows rows of x on compute capability 9.0; name is the end of the
// kernel's name.
func (d *Device) wide(to uint64, t engine.Type, name string, from uint64, m int, w *weight, add bool, used uint64) {
	const most, maxStages, rowBytes, lines, alignment = 224 << 10, 12, 64 * 2, 2 * 16 * 68 * 4, 1024
	tiles, height, sides := d.wideTiles(m, w.rows, w.cols), wideHeight(m), 1
	group := tiles.rows / 2
	if tiles.rows <= 64 {
		group, sides = tiles.rows, 2
	}
	n, groups := height/sides, blocks(w.cols, 32)
	ordered, ok := d.room(&d.ordered, 64*int64(m)*int64(groups))
	if !ok {
		return
	}
	partial := uint64(0)
	if tiles.parts > 1 {
		if partial, ok = d.room(&d.partial, 4*int64(tiles.parts*m)*int64(4*blocks(w.rows, 4))); !ok {
			return
		}
	}
	d.card.Args(ordered, from).Int(m, w.cols, groups)
	d.card.Launch(d.card.Kernel("matmul_wide_sm90a", "matmul_order"), blocks(m*groups, 256), 1, 256, 0)
	if !d.card.MapMatrix(0, w.address, d.kind, w.rows, w.cols, tiles.rows) || !d.card.MapMatrix(1, ordered, d.kind, m, 32*groups, height/2) {
		return
	}
	stage := rowBytes * (tiles.rows + height)
	stages := min(maxStages, (most-lines)/stage)
	d.card.Args().Maps(2).Ptr(to, partial, w.bias).Int(m, w.rows, w.cols, flag(add)).Ptr(used).Int(group, sides, tiles.parts, stages).Cluster(2)
	d.card.Launch(d.card.Kernel("matmul_wide_sm90a", fmt.Sprintf("matmul_wide_%d_%s", n, name)), 2*tiles.clusters, 1, 384, stages*stage+lines+alignment)
	if tiles.parts > 1 {
		d.card.Args(to, partial, w.bias).Int(m, w.rows, flag(add)).Ptr(used)
		d.card.Launch(d.card.Kernel("matmul_wide_sm90a", "matmul_join_"+suffixOf(t)), blocks(m*blocks(w.rows, 4), 256), 1, 256, 0)
	}
}

// room is memory that operations use and that stays: a recorded step knows its address. More is
// taken where there is too little; what there was then stays, too.
type room struct {
	address uint64
	bytes   int64
}

// room returns the address of so many bytes.
func (d *Device) room(r *room, bytes int64) (uint64, bool) {
	if r.bytes < bytes {
		bytes = max(bytes, 2*r.bytes)
		p, err := d.card.Take(bytes)
		if err != nil {
			d.card.Fail(err)
			return 0, false
		}
		r.address, r.bytes = p, bytes
	}
	return r.address, true
}

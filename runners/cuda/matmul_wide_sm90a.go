package cuda

import (
	"fmt"

	"github.com/snapbench/snapbench/runners/engine"
)

// wideRows is the most rows of x that the kernels of matmul_wide_sm90a.cu take.
const wideRows = 256

// wideGroup is the most of them that a warpgroup has: of more, the two warpgroups of a block have a half each.
const wideGroup = 128

const _ = uint(wideRows - fewRows) // so many they take of a prompt, too

// wideTiles says how those kernels share out a product: the rows of w in a tile, how many
// clusters share a tile's columns, and how many clusters there are.
type wideTiles struct{ rows, parts, clusters int }

// wideTiles looks for tiles that make the product of m rows of x short, by a model of times
// in microseconds. A cluster multiplies boxes of 64 columns one after the other; each takes
// as long as the slowest of these: its own way through a multiprocessor, as measured; the
// card's memory, 4.2 TB/s for all clusters; its L2 cache, 6.4 TB/s.
func (d *Device) wideTiles(m, rows, cols int) (best wideTiles) {
	const (
		start, each      = 0.2, 1.3e-5  // of a box; for each row of w times a row of x
		memory, cache    = 4.2e6, 6.4e6 // bytes in a microsecond
		rowBytes         = 128          // of a box
		writing, joining = 1.0, 3.0     // a tile's end; the other part's sums
	)
	clusters, height, least := max(2, d.card.Multiprocessors/2), wideHeight(m), 0.0
	for parts := 1; parts <= 2; parts++ {
		for n := 16; n <= ringTileRows; n += 16 {
			if wideWidth(n, height) > wideGroup {
				continue
			}
			if d.anyParts.parts == 0 && (n < 64 || n == 80 || parts == 2 && n%64 != 0) {
				continue // never the best
			}
			groups := blocks(rows, 2*n) * parts
			if f := d.anyParts; f.parts > 0 {
				if f.rows != n || f.parts != parts {
					continue
				}
			} else if parts > 1 && groups > clusters {
				continue
			}
			t := wideTiles{n, parts, min(groups, clusters/parts*parts)}
			cost := 0.0
			for left := groups; left > 0; left -= t.clusters {
				at := float64(min(left, t.clusters))
				way := start + each*float64(n*height)
				if wideWidth(n, height) == wideGroup { // w does not come ahead
					way += each * float64(n*height)
				}
				box := max(way, at*float64(2*n)*rowBytes/memory, at*float64(2*n+height)*rowBytes/cache)
				cost += writing + float64(blocks(cols, 64*parts))*box
			}
			if parts > 1 {
				cost += joining
			}
			if least == 0 || cost <= least {
				least, best = cost, t
			}
		}
	}
	return best
}

// wideHeight is how many rows of x a box has.
func wideHeight(m int) int {
	if m > wideGroup {
		return 64 * blocks(m, 64)
	}
	return max(64, 32*blocks(m, 32))
}

// wideWidth is how many of a box's rows of x a warpgroup has. It has up to 64 rows of w: in
// tiles of more, the two warpgroups share those out, otherwise the rows of x.
func wideWidth(tileRows, height int) int {
	if tileRows > 64 {
		return height
	}
	return height / 2
}

// wide multiplies 49 to wideRows rows of x on compute capability 9.0; name is the end of the
// kernel's name.
func (d *Device) wide(to uint64, t engine.Type, name string, from uint64, m int, w *weight, add bool, used uint64) {
	const most, maxStages, rowBytes, lines, alignment = 224 << 10, 12, 64 * 2, 2 * 16 * 68 * 4, 1024
	tiles, height := d.wideTiles(m, w.rows, w.cols), wideHeight(m)
	n := wideWidth(tiles.rows, height)
	sides := height / n
	group := tiles.rows * sides / 2
	ordered, ok := d.inOrder(from, m, w.cols)
	if !ok {
		return
	}
	partial, arrived := uint64(0), uint64(0)
	if tiles.parts > 1 {
		places := 2 * 2 * blocks(w.rows, 2*tiles.rows) // warpgroups that have sums
		if partial, ok = d.room(&d.partial, int64(places)*int64(512*n), false); !ok {
			return
		}
		if arrived, ok = d.room(&d.sharers, 4*int64(places), true); !ok {
			return
		}
	}
	if !d.card.MapMatrix(0, w.address, d.kind, w.rows, w.cols, tiles.rows) || !d.card.MapMatrix(1, ordered, d.kind, m, orderedRow(w.cols), height/2) {
		return
	}
	stage := rowBytes * (tiles.rows + height)
	stages := min(maxStages, (most-lines)/stage)
	d.card.Args().Maps(2).Ptr(to, partial, arrived, w.bias).Int(m, w.rows, w.cols, flag(add)).Ptr(used).Int(group, sides, tiles.parts, stages).Cluster(2)
	d.card.Launch(d.card.Kernel("matmul_wide_sm90a", fmt.Sprintf("matmul_wide_%d_%s", n, name)), 2*tiles.clusters, 1, 384, stages*stage+lines+alignment)
}

// orderedRow is how many columns a row of x has in the kernels' order.
func orderedRow(cols int) int { return 32 * blocks(cols, 32) }

// inOrder returns the address of x (m, cols) in the kernels' order.
func (d *Device) inOrder(from uint64, m, cols int) (uint64, bool) {
	if at := from - d.order.from; d.stepping && from >= d.order.from && at < d.order.bytes && d.order.operation+1 == d.card.Operations() {
		return d.ordered.address + at, true
	}
	to, ok := d.room(&d.ordered, 2*int64(m)*int64(orderedRow(cols)), false)
	if ok {
		d.order = order{}
		d.card.Args(to, from).Int(m, cols, blocks(cols, 32))
		d.card.Launch(d.card.Kernel("matmul_wide_sm90a", "matmul_order"), blocks(m*blocks(cols, 32), 256), 1, 256, 0)
	}
	return to, ok
}

// order says which array ordered is a copy of. It is only good for the operation behind
// the one that made it: any other may change the array.
type order struct {
	from, bytes uint64
	operation   int
}

// alsoInOrder returns where an operation of a decoding step writes its result (m, cols), at
// to, in the kernels' order, too, for a product behind it; 0 where no product would read that.
func (d *Device) alsoInOrder(to uint64, m, cols int) uint64 {
	if !d.stepping || m <= ringRows || cols%32 != 0 || !d.tiled(cols, to) {
		return 0
	}
	bytes := 2 * int64(m) * int64(cols)
	p, ok := d.room(&d.ordered, bytes, false)
	if !ok {
		return 0
	}
	d.order = order{to, uint64(bytes), d.card.Operations()}
	return p
}

// room is memory that operations use and that stays: a recorded step knows its address. More is
// taken where there is too little; what there was then stays, too.
type room struct {
	address uint64
	bytes   int64
}

// room returns the address of so many bytes, which are zero when they are new if that is asked.
func (d *Device) room(r *room, bytes int64, zero bool) (uint64, bool) {
	if r.bytes < bytes {
		bytes = max(bytes, 2*r.bytes)
		p, err := d.card.Take(bytes)
		if err != nil {
			d.card.Fail(err)
			return 0, false
		}
		r.address, r.bytes = p, bytes
		if zero {
			d.card.Clear(p, bytes)
		}
	}
	return r.address, true
}

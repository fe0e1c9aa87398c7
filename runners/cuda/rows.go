package cuda

import (
	"fmt"

	"github.com/snapbench/snapbench/runners/engine"
)

// rowsEach is how many rows of keys or values a block takes: few enough to fill a card,
// many enough that a head's sums of weighted rows are put together quickly.
const rowsEach = 128

// headsOf returns how many heads an array of (heads, d) has, and how many rows each of
// them, of which per has a number.
func headsOf(operation string, vectors, per, x engine.Array, size int) (heads, n int) {
	if size <= 0 || size > maxHead || vectors.Len == 0 || vectors.Len%size != 0 {
		panic(fmt.Sprintf("cuda: %s: %d numbers for vectors of %d, at most %d are served", operation, vectors.Len, size, maxHead))
	}
	heads = vectors.Len / size
	if per.Len%heads != 0 {
		panic(fmt.Sprintf("cuda: %s: %d numbers for the rows of %d heads", operation, per.Len, heads))
	}
	same(operation, "x", x.Len, per.Len*size)
	return heads, per.Len / heads
}

// RowNorms takes each row's length.
func (d *Device) RowNorms(dst, x engine.Array, size int) {
	if size <= 0 || size > maxHead {
		panic(fmt.Sprintf("cuda: RowNorms: rows of %d, at most %d are served", size, maxHead))
	}
	same("RowNorms", "x", x.Len, dst.Len*size)
	to, from := d.pointer("RowNorms", dst, engine.Float32), d.pointer("RowNorms", x, d.kind)
	ok := d.card.Enter("RowNorms")
	defer d.card.Leave()
	if !ok {
		return
	}
	d.card.Args(to, from).Long(dst.Len).Int(size, rowsEach, flag(aligned(size, from)))
	d.card.Launch(d.card.Kernel("rows", "row_norms_"+d.suffix), blocks(dst.Len, rowsEach), 1, 256, 0)
}

// WeightedRows adds up each head's rows: blocks of them, then the blocks in their order.
func (d *Device) WeightedRows(dst, x, w engine.Array, size int) {
	heads, n := headsOf("WeightedRows", dst, w, x, size)
	to, from, weights := d.pointer("WeightedRows", dst, engine.Float32), d.pointer("WeightedRows", x, d.kind), d.pointer("WeightedRows", w, engine.Float32)
	ok := d.card.Enter("WeightedRows")
	defer d.card.Leave()
	if !ok {
		return
	}
	parts := blocks(n, rowsEach)
	partial, done, ok := d.card.Scratch(4 * int64(heads) * int64(parts) * int64(size))
	defer done()
	if !ok {
		return
	}
	d.card.Args(partial, from, weights).Long(n).Int(size, rowsEach, flag(aligned(size, from)))
	d.card.Launch(d.card.Kernel("rows", "weighted_rows_"+d.suffix), parts, heads, 256, 0)
	d.card.Args(to, partial).Int(parts, size)
	d.card.Launch(d.card.Kernel("rows", "weighted_rows_join"), heads, 1, 256, 0)
}

// RowDots multiplies each row by its head's vector.
func (d *Device) RowDots(dst, x, v engine.Array, size int, cosine bool) {
	heads, n := headsOf("RowDots", v, dst, x, size)
	to, from, vectors := d.pointer("RowDots", dst, engine.Float32), d.pointer("RowDots", x, d.kind), d.pointer("RowDots", v, engine.Float32)
	ok := d.card.Enter("RowDots")
	defer d.card.Leave()
	if !ok {
		return
	}
	d.card.Args(to, from, vectors).Long(n).Int(size, rowsEach, flag(cosine), flag(aligned(size, from)))
	d.card.Launch(d.card.Kernel("rows", "row_dots_"+d.suffix), blocks(n, rowsEach), heads, 256, 0)
}

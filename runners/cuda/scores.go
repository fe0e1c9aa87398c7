package cuda

import (
	"fmt"

	"github.com/snapbench/snapbench/runners/cuda/card"
	"github.com/snapbench/snapbench/runners/engine"
)

// GroupScores reduces the query heads of each group, or all.
func (d *Device) GroupScores(dst, src engine.Array, h engine.Heads, how engine.Grouping) {
	if h.KV <= 0 || h.Query%h.KV != 0 || src.Len%h.Query != 0 {
		panic(fmt.Sprintf("cuda: GroupScores: %d scores for %+v", src.Len, h))
	}
	m := src.Len / h.Query
	same("GroupScores", "dst", dst.Len, h.KV*m)
	to, from := d.pointer("GroupScores", dst, engine.Float32), d.pointer("GroupScores", src, engine.Float32)
	ok := d.card.Enter("GroupScores")
	defer d.card.Leave()
	if !ok {
		return
	}
	if how == engine.GroupAll {
		d.card.Args(to, from).Long(m).Int(h.Query, h.KV)
		d.card.Launch(d.card.Kernel("scores", "group_all"), blocks(m, 256), 1, 256, 0)
		return
	}
	d.card.Args(to, from).Long(dst.Len, m).Int(h.Group(), flag(how == engine.GroupMax))
	d.card.Launch(d.card.Kernel("scores", "group_scores"), blocks(dst.Len, 256), 1, 256, 0)
}

// CombineScores takes two rows' numbers together.
func (d *Device) CombineScores(dst, a, b engine.Array, rows int, how engine.Combination, factor float32) {
	const operation = "CombineScores"
	if rows <= 0 || dst.Len%rows != 0 || a.Len%rows != 0 {
		panic(fmt.Sprintf("cuda: %s: %d scores from %d in %d rows", operation, dst.Len, a.Len, rows))
	}
	m, n, pitch := dst.Len/rows, a.Len/rows, 0
	if a.Len > 0 && n < m {
		panic(fmt.Sprintf("cuda: %s: rows of %d from rows of %d", operation, m, n))
	}
	if b.Len != 0 && b.Len != m {
		same(operation, "b", b.Len, rows*m)
		pitch = m
	}
	to := d.pointer(operation, dst, engine.Float32)
	left, right := d.pointer(operation, a, engine.Float32), d.pointer(operation, b, engine.Float32)
	ok := d.card.Enter(operation)
	defer d.card.Leave()
	if !ok {
		return
	}
	d.card.Args(to, left, right).Long(m, n, pitch).Int(int(how)).Float(factor)
	d.card.Launch(d.card.Kernel("scores", "combine_scores"), blocks(m, 256), rows, 256, 0)
}

// ChunkMeans smooths chunk by chunk.
func (d *Device) ChunkMeans(dst, src engine.Array, rows, size int) {
	const operation = "ChunkMeans"
	if rows <= 0 || src.Len%rows != 0 || size <= 0 {
		panic(fmt.Sprintf("cuda: %s: %d scores in %d rows, chunks of %d", operation, src.Len, rows, size))
	}
	same(operation, "dst", dst.Len, src.Len)
	m := src.Len / rows
	to, from := d.pointer(operation, dst, engine.Float32), d.pointer(operation, src, engine.Float32)
	ok := d.card.Enter(operation)
	defer d.card.Leave()
	if !ok {
		return
	}
	d.card.Args(to, from).Long(m, size)
	d.card.Launch(d.card.Kernel("scores", "chunk_means"), blocks(m, 256), rows, 256, 0)
}

// PoolScores smooths each row.
func (d *Device) PoolScores(dst, src engine.Array, rows, kernel int, kind engine.Pooling) {
	if rows <= 0 || src.Len%rows != 0 || kernel <= 0 || kernel%2 == 0 {
		panic(fmt.Sprintf("cuda: PoolScores: %d scores in %d rows, kernel %d (odd)", src.Len, rows, kernel))
	}
	same("PoolScores", "dst", dst.Len, src.Len)
	m := src.Len / rows
	to, from := d.pointer("PoolScores", dst, engine.Float32), d.pointer("PoolScores", src, engine.Float32)
	ok := d.card.Enter("PoolScores")
	defer d.card.Leave()
	if !ok {
		return
	}
	d.card.Args(to, from).Long(m).Int(kernel, flag(kind == engine.MaxPooling))
	d.card.Launch(d.card.Kernel("scores", "pool_scores"), blocks(m, 256), rows, 256, 0)
}

// CountAbove counts the rows of each group.
func (d *Device) CountAbove(dst, src engine.Array, groups int, above float32) {
	const operation = "CountAbove"
	if groups <= 0 || dst.Len%groups != 0 || dst.Len > 0 && src.Len%dst.Len != 0 {
		panic(fmt.Sprintf("cuda: %s: %d counts of %d numbers in %d groups", operation, dst.Len, src.Len, groups))
	}
	to, from := d.pointer(operation, dst, engine.Float32), d.pointer(operation, src, engine.Float32)
	ok := d.card.Enter(operation)
	defer d.card.Leave()
	if !ok || dst.Len == 0 {
		return
	}
	d.card.Args(to, from).Long(dst.Len, dst.Len/groups).Int(src.Len / dst.Len).Float(above)
	d.card.Launch(d.card.Kernel("scores", "count_above"), blocks(dst.Len, 256), 1, 256, 0)
}

// HighestSums finds each row's lowest number that counts, a block a row.
func (d *Device) HighestSums(dst, src engine.Array, counts []int) {
	const operation = "HighestSums"
	if dst.Len == 0 {
		return
	}
	if len(counts) == 0 || dst.Len%len(counts) != 0 || src.Len%dst.Len != 0 {
		panic(fmt.Sprintf("cuda: %s: %d sums of %d numbers in %d groups", operation, dst.Len, src.Len, len(counts)))
	}
	m, list := src.Len/dst.Len, make([]int32, len(counts))
	for i, c := range counts {
		if c < 0 || c > m {
			panic(fmt.Sprintf("cuda: %s: %d of %d numbers", operation, c, m))
		}
		list[i] = int32(c)
	}
	to, from := d.pointer(operation, dst, engine.Float32), d.pointer(operation, src, engine.Float32)
	ok := d.card.Enter(operation)
	defer d.card.Leave()
	if !ok {
		return
	}
	table, done, ok := card.Table(d.card, list)
	defer done()
	if !ok {
		return
	}
	d.card.Args(to, from, table).Long(m).Int(dst.Len / len(counts))
	d.card.Launch(d.card.Kernel("highest_sums", "highest_sums"), dst.Len, 1, 1024, 0)
}

package cuda

import (
	"fmt"

	"github.com/snapbench/snapbench/runners/engine"
)

// GroupScores reduces the query heads of each group.
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
	d.card.Args(to, from).Long(dst.Len, m).Int(h.Group(), flag(how == engine.GroupMax))
	d.card.Launch(d.card.Kernel("scores", "group_scores"), blocks(dst.Len, 256), 1, 256, 0)
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

package cuda

import (
	"fmt"

	"github.com/snapbench/snapbench/runners/engine"
)

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
	ok := d.enter(operation)
	defer d.leave()
	if !ok {
		return
	}
	d.with(to, left, right).long(m, n, pitch).int(int(how)).float(factor)
	d.run(d.kernel("scores", "combine_scores"), blocks(m, 256), rows, 256, 0)
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
	ok := d.enter(operation)
	defer d.leave()
	if !ok {
		return
	}
	d.with(to, from).long(m, size)
	d.run(d.kernel("scores", "chunk_means"), blocks(m, 256), rows, 256, 0)
}

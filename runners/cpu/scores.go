package cpu

import (
	"unsafe"

	"github.com/snapbench/snapbench/runners/engine"
)

// CombineScores takes two rows' numbers together.
func (d *Device) CombineScores(dst, a, b engine.Array, rows int, how engine.Combination, factor float32) {
	const op = "combine scores"
	if rows <= 0 || dst.Len%rows != 0 || a.Len%rows != 0 {
		shape("%s: %d scores from %d in %d rows", op, dst.Len, a.Len, rows)
	}
	m, n := dst.Len/rows, a.Len/rows
	if a.Len > 0 && n < m {
		shape("%s: rows of %d from rows of %d", op, m, n)
	}
	if b.Len != 0 && b.Len != m {
		wantLen(op, "b", b, rows*m)
	}
	if d.err != nil {
		return
	}
	out, left, right := f32(op, dst), f32(op, a), f32(op, b)
	d.eachRow(rows, m, func(lo, hi int) {
		for r := lo; r < hi; r++ {
			to := out[r*m : (r+1)*m]
			var x, y []float32
			if left != nil {
				x = left[r*n:][:m]
			}
			if right != nil {
				y = right[r*m%len(right):][:m]
			}
			combine(to, x, y, how, factor)
		}
	})
}

// combine writes a row; a or b may be nil.
func combine(to, a, b []float32, how engine.Combination, factor float32) {
	for j := range to {
		v := float32(1)
		if a != nil {
			v = a[j]
		}
		if b != nil {
			switch how {
			case engine.ScoresTimes:
				v *= b[j]
			case engine.ScoresOver:
				v /= b[j]
			case engine.ScoresPlus:
				v += b[j]
			}
		}
		to[j] = factor * v
	}
}

// ChunkMeans smooths chunk by chunk.
func (d *Device) ChunkMeans(dst, src engine.Array, rows, size int) {
	const op = "chunk means"
	if rows <= 0 || src.Len%rows != 0 || size <= 0 {
		shape("%s: %d scores in %d rows, chunks of %d", op, src.Len, rows, size)
	}
	wantLen(op, "dst", dst, src.Len)
	if d.err != nil {
		return
	}
	m := src.Len / rows
	in, out := f32(op, src), f32(op, dst)
	d.eachRow(rows, m, func(lo, hi int) {
		for r := lo; r < hi; r++ {
			for j := 0; j < m; j += size {
				chunk := in[r*m+j : r*m+min(m, j+size)]
				var sum float32
				for _, v := range chunk {
					sum += v
				}
				mean := sum / float32(len(chunk))
				for i := range chunk {
					out[r*m+j+i] = mean
				}
			}
		}
	})
}

// CountAbove counts the rows of each group.
func (d *Device) CountAbove(dst, src engine.Array, groups int, above float32) {
	const op = "count above"
	if groups <= 0 || dst.Len%groups != 0 || dst.Len > 0 && src.Len%dst.Len != 0 {
		shape("%s: %d counts of %d numbers in %d groups", op, dst.Len, src.Len, groups)
	}
	if d.err != nil || dst.Len == 0 {
		return
	}
	m, rows := dst.Len/groups, src.Len/dst.Len
	in, out := f32(op, src), f32(op, dst)
	d.pool.run(groups, func(g, _ int) {
		to := out[g*m : (g+1)*m]
		clear(to)
		for r := range rows {
			for j, v := range in[(g*rows+r)*m:][:m] {
				if v > above {
					to[j]++
				}
			}
		}
	})
}

// HighestSums finds each row's lowest number that counts.
func (d *Device) HighestSums(dst, src engine.Array, counts []int) {
	const op = "highest sums"
	if dst.Len == 0 {
		return
	}
	if len(counts) == 0 || dst.Len%len(counts) != 0 || src.Len%dst.Len != 0 {
		shape("%s: %d sums of %d numbers in %d groups", op, dst.Len, src.Len, len(counts))
	}
	m, rows := src.Len/dst.Len, dst.Len/len(counts)
	for _, c := range counts {
		if c < 0 || c > m {
			shape("%s: %d of %d numbers", op, c, m)
		}
	}
	if d.err != nil {
		return
	}
	in, out := f32(op, src), f32(op, dst)
	d.pool.run(dst.Len, func(r, worker int) {
		buf := scratch(&d.local[worker], 4*m)
		out[r] = highestSum(in[r*m:(r+1)*m], counts[r/rows], unsafe.Slice((*uint32)(unsafe.Pointer(unsafe.SliceData(buf))), len(buf)))
	})
}

// highestSum adds up the count highest of a row. buf is as in choose.
func highestSum(row []float32, count int, buf []uint32) float32 {
	sum := 0.0
	if count == 0 || count == len(row) {
		for _, v := range row[:count] {
			sum += float64(v)
		}
		return float32(sum)
	}
	last, want := border(row, count, 0, buf)
	equal := float32(0)
	for j, b := range buf[:len(row)] {
		if b > last {
			sum += float64(row[j])
		} else if b == last {
			equal = row[j]
		}
	}
	return float32(sum + float64(want)*float64(equal))
}

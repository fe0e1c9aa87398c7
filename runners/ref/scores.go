package ref

import (
	"fmt"
	"slices"

	"github.com/snapbench/snapbench/runners/engine"
)

// CombineScores takes two rows' numbers together.
func (d *Device) CombineScores(dst, a, b engine.Array, rows int, how engine.Combination, factor float32) {
	m, n := dst.Len/rows, a.Len/rows
	same("CombineScores", dst.Len, rows*m)
	same("CombineScores", a.Len, rows*n)
	if n < m && a.Len > 0 {
		panic(fmt.Sprintf("ref: CombineScores: rows of %d from rows of %d", m, n))
	}
	if b.Len != 0 && b.Len != m {
		same("CombineScores", b.Len, rows*m)
	}
	for r := range rows {
		for j := range m {
			v := 1.0
			if a.Len > 0 {
				v = float64(floats(a)[r*n+j])
			}
			if b.Len > 0 {
				switch w := float64(floats(b)[(r*m+j)%b.Len]); how {
				case engine.ScoresTimes:
					v *= w
				case engine.ScoresOver:
					v /= w
				case engine.ScoresPlus:
					v += w
				}
			}
			floats(dst)[r*m+j] = float32(float64(factor) * v)
		}
	}
}

// ChunkMeans smooths chunk by chunk.
func (d *Device) ChunkMeans(dst, src engine.Array, rows, size int) {
	same("ChunkMeans", dst.Len, src.Len)
	m := src.Len / rows
	same("ChunkMeans", src.Len, rows*m)
	for r := range rows {
		in, out := floats(src)[r*m:(r+1)*m], floats(dst)[r*m:(r+1)*m]
		for j := range m {
			chunk := in[j/size*size : min(m, (j/size+1)*size)]
			sum := 0.0
			for _, v := range chunk {
				sum += float64(v)
			}
			out[j] = float32(sum / float64(len(chunk)))
		}
	}
}

// CountAbove counts the rows of each group.
func (d *Device) CountAbove(dst, src engine.Array, groups int, above float32) {
	m := dst.Len / groups
	rows := src.Len / max(1, dst.Len)
	same("CountAbove", dst.Len, groups*m)
	same("CountAbove", src.Len, groups*rows*m)
	for g := range groups {
		for j := range m {
			count := 0
			for r := range rows {
				if floats(src)[(g*rows+r)*m+j] > above {
					count++
				}
			}
			floats(dst)[g*m+j] = float32(count)
		}
	}
}

// HighestSums sorts each row.
func (d *Device) HighestSums(dst, src engine.Array, counts []int) {
	if dst.Len == 0 {
		return
	}
	m, rows := src.Len/dst.Len, dst.Len/len(counts)
	same("HighestSums", src.Len, dst.Len*m)
	same("HighestSums", dst.Len, rows*len(counts))
	for r := range dst.Len {
		row := slices.Clone(floats(src)[r*m : (r+1)*m])
		slices.Sort(row)
		sum := 0.0
		for _, v := range row[m-counts[r/rows]:] {
			sum += float64(v)
		}
		floats(dst)[r] = float32(sum)
	}
}

package ref

import (
	"math"
	"sort"

	"github.com/snapbench/snapbench/runners/engine"
)

// GroupScores reduces the query heads of each group.
func (d *Device) GroupScores(dst, src engine.Array, h engine.Heads, how engine.Grouping) {
	m := src.Len / h.Query
	same("GroupScores", dst.Len, h.KV*m)
	in, out := floats(src), floats(dst)
	for g := range h.KV {
		first, number := g*h.Group(), h.Group()
		if how == engine.GroupAll {
			first, number = 0, h.Query
		}
		for j := range m {
			sum, top := 0.0, math.Inf(-1)
			for a := range number {
				v := float64(in[(first+a)*m+j])
				sum += v
				top = math.Max(top, v)
			}
			if how == engine.GroupMax {
				out[g*m+j] = float32(top)
			} else {
				out[g*m+j] = float32(sum / float64(number))
			}
		}
	}
}

// PoolScores smooths each row.
func (d *Device) PoolScores(dst, src engine.Array, rows, kernel int, kind engine.Pooling) {
	same("PoolScores", dst.Len, src.Len)
	m := src.Len / rows
	for r := range rows {
		in, out := floats(src)[r*m:(r+1)*m], floats(dst)[r*m:(r+1)*m]
		for j := range m {
			sum, top := 0.0, math.Inf(-1)
			for i := max(0, j-kernel/2); i <= min(m-1, j+kernel/2); i++ {
				sum += float64(in[i])
				top = math.Max(top, float64(in[i]))
			}
			if kind == engine.MaxPooling {
				out[j] = float32(top)
			} else {
				out[j] = float32(sum / float64(kernel))
			}
		}
	}
}

// Select sorts each row.
func (d *Device) Select(selections []engine.Selection) {
	for _, s := range selections {
		m := s.Scores.Len / s.Rows
		same("Select", s.Dst.Len, s.Len())
		dst := ints(s.Dst)
		for r := range s.Rows {
			row := floats(s.Scores)[r*m : (r+1)*m]
			order := make([]int, m)
			for j := range order {
				order[j] = j
			}
			sort.SliceStable(order, func(a, b int) bool {
				i, j := order[a], order[b]
				if i < s.Head || j < s.Head {
					return i < s.Head && j >= s.Head
				}
				x, y := row[i], row[j]
				return x > y || x == x && y != y // NaN comes last
			})
			order = order[:s.CountOf(r)]
			sort.Ints(order)
			for j := range s.Tail {
				order = append(order, m+j)
			}
			for j, p := range order {
				dst[j] = int32(p)
			}
			dst = dst[len(order):]
		}
	}
}

// Gather copies the kept rows.
func (d *Device) Gather(kv engine.KV, kept []engine.Kept, room int) ([]engine.Cache, error) {
	caches := make([]engine.Cache, len(kept))
	for i, k := range kept {
		c := engine.Cache{Len: append([]int(nil), k.Len...), Room: room, Size: kv.Size}
		rows := 0
		for _, n := range k.Len {
			c.Start = append(c.Start, rows)
			rows += n + room
		}
		c.K, _ = d.New(engine.Float32, rows*kv.Size)
		c.V, _ = d.New(engine.Float32, rows*kv.Size)
		if !k.All {
			c.Positions, _ = d.New(engine.Int32, rows)
		}
		taken := 0
		for h, n := range k.Len {
			keys, values := headOf(kv, h/(len(k.Len)/kv.Heads))
			for j := range n {
				p := j
				if !k.All {
					p = int(ints(k.Positions)[taken+j])
					ints(c.Positions)[c.Start[h]+j] = int32(p)
				}
				at := (c.Start[h] + j) * kv.Size
				copy(floats(c.K)[at:at+kv.Size], keys[p*kv.Size:])
				copy(floats(c.V)[at:at+kv.Size], values[p*kv.Size:])
			}
			taken += n
		}
		caches[i] = c
	}
	return caches, nil
}

// FreeCache gives caches back.
func (d *Device) FreeCache(caches ...engine.Cache) {
	for _, c := range caches {
		d.Free(c.K, c.V, c.Positions, c.State.S, c.State.Conv)
	}
}

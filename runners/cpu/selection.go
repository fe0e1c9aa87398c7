package cpu

import (
	"math"
	"unsafe"

	"github.com/snapbench/snapbench/runners/engine"
)

// GroupScores reduces the query heads of each group.
func (d *Device) GroupScores(dst, src engine.Array, h engine.Heads, how engine.Grouping) {
	const op = "group scores"
	m := src.Len / h.Query
	wantLen(op, "src", src, h.Query*m)
	wantLen(op, "dst", dst, h.KV*m)
	if d.err != nil {
		return
	}
	in, out, n, groups := f32(op, src), f32(op, dst), h.Group(), h.KV
	if how == engine.GroupAll {
		n, groups = h.Query, 1 // and then a copy for each
	}
	d.pool.run(groups, func(g, _ int) {
		to := out[g*m : (g+1)*m]
		copy(to, in[g*n*m:])
		for a := 1; a < n; a++ {
			from := in[(g*n+a)*m:][:m]
			if how == engine.GroupMax {
				for j, v := range from {
					if v > to[j] || v != v {
						to[j] = v
					}
				}
			} else {
				for j, v := range from {
					to[j] += v
				}
			}
		}
		if how != engine.GroupMax && n > 1 {
			for j := range to {
				to[j] /= float32(n)
			}
		}
	})
	for g := groups; g < h.KV; g++ {
		copy(out[g*m:(g+1)*m], out[:m])
	}
}

// PoolScores smooths each row.
func (d *Device) PoolScores(dst, src engine.Array, rows, kernel int, kind engine.Pooling) {
	const op = "pool scores"
	if kernel < 1 || kernel%2 == 0 {
		shape("%s: kernel %d is not odd", op, kernel)
	}
	wantLen(op, "dst", dst, src.Len)
	if rows == 0 {
		return
	}
	m := src.Len / rows
	wantLen(op, "src", src, rows*m)
	if d.err != nil {
		return
	}
	in, out := f32(op, src), f32(op, dst)
	d.pool.run(rows, func(r, _ int) {
		pool := averagePool
		if kind == engine.MaxPooling {
			pool = maxPool
		}
		pool(out[r*m:(r+1)*m], in[r*m:(r+1)*m], kernel)
	})
}

func averagePool(out, in []float32, kernel int) {
	half := kernel / 2
	for j := range out {
		var sum float32
		for _, v := range in[max(0, j-half):min(len(in), j+half+1)] {
			sum += v
		}
		out[j] = sum / float32(kernel)
	}
}

func maxPool(out, in []float32, kernel int) {
	half := kernel / 2
	for j := range out {
		top := minusInf
		for _, v := range in[max(0, j-half):min(len(in), j+half+1)] {
			if v > top || v != v {
				top = v
			}
		}
		out[j] = top
	}
}

// rank maps scores to integers in the same order. NaN is 0, and the two zeros are equal.
func rank(v float32) uint32 {
	if v != v {
		return 0
	}
	b := math.Float32bits(v + 0) // -0 + 0 = +0
	if b>>31 != 0 {
		return ^b
	}
	return b | 1<<31
}

// Select answers each selection.
func (d *Device) Select(selections []engine.Selection) {
	const op = "select"
	type row struct {
		scores []float32
		dst    []int32
		count  int
		head   int
	}
	var rows []row
	for _, s := range selections {
		if s.Rows == 0 {
			continue
		}
		m := s.Scores.Len / s.Rows
		wantLen(op, "scores", s.Scores, s.Rows*m)
		if s.Counts != nil && len(s.Counts) != s.Rows {
			shape("%s: counts for %d of %d rows", op, len(s.Counts), s.Rows)
		}
		if s.Head < 0 || s.Head > m || s.Tail < 0 {
			shape("%s: a head of %d and a tail of %d, %d scores", op, s.Head, s.Tail, m)
		}
		for r := range s.Rows {
			if c := s.CountOf(r); c < 0 || c > m {
				shape("%s: %d of %d scores", op, c, m)
			}
		}
		wantLen(op, "dst", s.Dst, s.Len())
		if d.err != nil {
			return
		}
		scores, dst := f32(op, s.Scores), i32(op, s.Dst)
		for r := range s.Rows {
			count := s.CountOf(r)
			rows = append(rows, row{scores[r*m : (r+1)*m], dst[:count+s.Tail], count, s.Head})
			dst = dst[count+s.Tail:]
		}
	}
	d.pool.run(len(rows), func(t, worker int) {
		r := rows[t]
		buf := scratch(&d.local[worker], 4*len(r.scores))
		choose(r.dst[:r.count], r.scores, r.head, unsafe.Slice((*uint32)(unsafe.Pointer(unsafe.SliceData(buf))), len(buf)))
		for j := range r.dst[r.count:] {
			r.dst[r.count+j] = int32(len(r.scores) + j)
		}
	})
}

// choose writes the positions of the len(dst) highest scores, ascending, those of the
// first head scores before all others. buf has room for two ranks per score.
func choose(dst []int32, scores []float32, head int, buf []uint32) {
	if len(dst) == 0 {
		return
	}
	last, want := border(scores, len(dst), head, buf)
	// want of those that equal it are chosen: the earliest.
	n := 0
	for j, b := range buf[:len(scores)] {
		if b < last {
			continue
		}
		if b == last {
			if want == 0 {
				continue
			}
			want--
		}
		dst[n] = int32(j)
		n++
	}
}

// border returns the rank of the lowest of the `count` highest scores, and how many of those that equal it are among them; the
// first head scores come before all others. It leaves the scores' ranks at the front of buf, which has room for two per
// score.
func border(scores []float32, count, head int, buf []uint32) (last uint32, want int) {
	ranks := buf[:len(scores)]
	var counts [1 << 11]int32
	for j, v := range scores {
		b := rank(v)
		if j < head {
			b = math.MaxUint32 // above +∞
		}
		ranks[j] = b
		counts[b>>21]++
	}
	// Eleven or ten bits at a time. left has the ranks that begin with the bits found so far; wanted is the want-th highest.
	left, rest := ranks, buf[len(scores):len(scores)]
	want = count
	for _, digit := range [...]struct{ shift, bits uint32 }{{21, 11}, {10, 11}, {0, 10}} {
		mask := uint32(1)<<digit.bits - 1
		if digit.shift < 21 {
			clear(counts[:])
			for _, b := range left {
				counts[b>>digit.shift&mask]++
			}
		}
		c := mask
		for ; int(counts[c]) < want; c-- {
			want -= int(counts[c])
		}
		last |= c << digit.shift
		for _, b := range left {
			if b>>digit.shift&mask == c {
				rest = append(rest, b)
			}
		}
		left, rest = rest, rest[len(rest):]
		if int(counts[c]) == 1 {
			return left[0], want
		}
	}
	return last, want
}

// Gather copies what each Kept chose into caches of its own.
func (d *Device) Gather(kv engine.KV, kept []engine.Kept, room int) ([]engine.Cache, error) {
	const op = "gather"
	wantLen(op, "K", kv.K, kv.Heads*kv.Tokens*kv.Size)
	wantLen(op, "V", kv.V, kv.Heads*kv.Tokens*kv.Size)
	if d.err != nil {
		return make([]engine.Cache, len(kept)), nil
	}
	var caches []engine.Cache
	for _, k := range kept {
		c, err := d.newCache(kv, k, room)
		if err != nil {
			d.FreeCache(caches...)
			return nil, err
		}
		caches = append(caches, c)
	}
	keys, values := f32(op, kv.K), f32(op, kv.V)
	type part struct{ kept, head, first int }
	var parts []part
	for i, k := range kept {
		first := 0
		for h, n := range k.Len {
			parts = append(parts, part{i, h, first})
			first += n
		}
		if !k.All {
			for _, p := range i32(op, k.Positions) {
				if p < 0 || int(p) >= kv.Tokens {
					d.FreeCache(caches...)
					shape("%s: position %d of %d tokens", op, p, kv.Tokens)
				}
			}
		}
	}
	size := kv.Size
	d.pool.run(len(parts), func(t, _ int) {
		p := parts[t]
		c, k := caches[p.kept], kept[p.kept]
		from := p.head / (len(k.Len) / kv.Heads) * kv.Tokens * size
		n := k.Len[p.head]
		to := c.Start[p.head] * size
		toK, toV := f32(op, c.K)[to:to+n*size], f32(op, c.V)[to:to+n*size]
		if k.All {
			copy(toK, keys[from:from+n*size])
			copy(toV, values[from:from+n*size])
			return
		}
		chosen := i32(op, k.Positions)[p.first : p.first+n]
		copy(i32(op, c.Positions)[c.Start[p.head]:], chosen)
		for j, at := range chosen {
			row := from + int(at)*size
			copy(toK[j*size:(j+1)*size], keys[row:row+size])
			copy(toV[j*size:(j+1)*size], values[row:row+size])
		}
	})
	return caches, nil
}

func (d *Device) newCache(kv engine.KV, k engine.Kept, room int) (c engine.Cache, err error) {
	if len(k.Len) == 0 || len(k.Len)%kv.Heads != 0 || room < 0 {
		shape("gather: %d cache heads of %d kv heads, room %d", len(k.Len), kv.Heads, room)
	}
	c = engine.Cache{Len: append([]int(nil), k.Len...), Room: room, Size: kv.Size}
	rows, chosen := 0, 0
	for _, n := range k.Len {
		c.Start = append(c.Start, rows)
		rows += n + room
		chosen += n
		if n > kv.Tokens || n < 0 {
			shape("gather: a head keeps %d of %d tokens", n, kv.Tokens)
		}
	}
	if !k.All {
		wantLen("gather", "positions", k.Positions, chosen)
	}
	if c.K, err = d.New(engine.Float32, rows*kv.Size); err == nil {
		if c.V, err = d.New(engine.Float32, rows*kv.Size); err == nil && !k.All {
			c.Positions, err = d.New(engine.Int32, rows)
		}
	}
	if err != nil {
		d.FreeCache(c)
	}
	return c, err
}

// FreeCache gives caches back.
func (d *Device) FreeCache(caches ...engine.Cache) {
	for _, c := range caches {
		d.Free(c.K, c.V, c.Positions, c.State.S, c.State.Conv)
	}
}

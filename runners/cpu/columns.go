package cpu

import "github.com/snapbench/snapbench/runners/engine"

// ColumnSums adds up what a block's queries pay to each key, per query head. A head is
// one worker's: its panels of queries go by in their order.
func (d *Device) ColumnSums(dst, q engine.Array, kv engine.KV, start int, by engine.Attention) {
	const op = "column sums"
	h, window := by.Heads, by.Window
	size, n := h.Size, kv.Tokens
	m := rowsOf(op, "q", q, h.Query*size)
	checkKV(op, kv, h)
	if parts := rowsOf(op, "dst", dst, h.Query*n); parts > 1 {
		if m%parts != 0 {
			shape("%s: %d queries in %d parts", op, m, parts)
		}
		each, sums := m/parts*h.Query*size, h.Query*n
		for x := range parts {
			d.ColumnSums(dst.Slice(x*sums, (x+1)*sums), q.Slice(x*each, (x+1)*each), kv, start+x*(m/parts), by)
		}
		return
	}
	wantLen(op, "dst", dst, h.Query*n)
	end := start + m
	if start < 0 || end > n {
		shape("%s: queries %d to %d, kv has %d tokens", op, start, end, n)
	}
	if d.err != nil || m == 0 {
		return
	}
	first := 0 // the first key that any of them sees
	if window > 0 {
		first = max(0, start-window+1)
	}
	queries, keys, out, logits := f32(op, q), f32(op, kv.K), f32(op, dst), logitsOf(op, by)
	together := min(h.KV, max(1, packBytes/(4*(end-first)*size)))
	for g0 := 0; g0 < h.KV; g0 += together {
		heads := min(together, h.KV-g0)
		packed := d.packKeys(keys[g0*n*size:], n, heads, size, first, end)
		d.pool.run(heads*h.Group(), func(t, worker int) {
			head := g0*h.Group() + t
			c := columns{
				d: d, worker: worker, q: queries, keys: packed[t/h.Group()*(end-first)*size:][:(end-first)*size],
				m: m, first: first, start: start, heads: h.Query, head: head, size: size, window: window, logits: logits,
			}
			to := out[head*n:][:end]
			clear(to[start:])
			c.addTo(to[first:])
		})
	}
}

// columns are the keys first…start+m of a head and the queries at start…start+m.
type columns struct {
	d            *Device
	worker       int
	q, keys      []float32 // the keys in tiles
	m, first     int
	start        int
	heads, head  int
	size, window int
	logits       logits
}

// addTo adds the sums to out, which begins with key first.
func (c *columns) addTo(out []float32) {
	k, width := c.d.k, c.d.k.panelWidth
	n := len(out)
	buf := scratch(&c.d.local[c.worker], (n+k.tileRows)*width+width*(c.size+3)+n)
	q, buf := buf[:width*c.size], buf[width*c.size:]
	top, total, share, buf := buf[:width], buf[width:2*width], buf[2*width:3*width], buf[3*width:]
	sum, scores := buf[:n], buf[n:]
	for i0 := 0; i0 < c.m; i0 += width {
		packQueries(q, c.q, c.m, c.heads, c.head, c.size, i0, width, c.logits.scale)
		low, high := c.start+i0, c.start+min(c.m, i0+width)-1
		from := c.first // in whole tiles
		if c.window > 0 {
			from += max(0, low-c.window+1-c.first) / k.tileRows * k.tileRows
		}
		count := high + 1 - from
		c.d.scores(scores, c.keys[(from-c.first)*c.size:], q, c.size, count, n-(from-c.first))
		c.d.bend(c.logits, scores[:count*width])
		mask(scores, width, from, count, low, high, c.window)
		for i := range width {
			top[i], total[i] = lowest, 0
		}
		k.softmax(count, &scores[0], &top[0], &total[0], &share[0])
		for i := range width {
			share[i] = 0
			if i0+i < c.m {
				share[i] = c.logits.share(c.head, top[i], total[i])
			}
		}
		k.dots(count, width, &share[0], &scores[0], width, &sum[0])
		to := out[from-c.first:]
		for j, v := range sum[:count] {
			to[j] += v
		}
	}
}

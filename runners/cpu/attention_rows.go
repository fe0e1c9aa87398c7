package cpu

import "github.com/snapbench/snapbench/runners/engine"

// AttentionRows writes down what the queries pay to each key. A panel of a head's queries is
// one worker's.
func (d *Device) AttentionRows(dst, q engine.Array, kv engine.KV, start int, by engine.Attention) {
	const op = "attention rows"
	h, window := by.Heads, by.Window
	size, n, width := h.Size, kv.Tokens, d.k.panelWidth
	m := rowsOf(op, "q", q, h.Query*size)
	checkKV(op, kv, h)
	if m == 0 {
		return
	}
	columns, end := dst.Len/(h.Query*m), start+m
	wantLen(op, "dst", dst, h.Query*m*columns)
	if start < 0 || end > n || columns > n {
		shape("%s: queries %d to %d and %d columns, kv has %d tokens", op, start, end, columns, n)
	}
	if d.err != nil {
		return
	}
	first := 0 // the first key that any of them sees
	if window > 0 {
		first = max(0, start-window+1)
	}
	queries, keys, out, logits := f32(op, q), f32(op, kv.K), f32(op, dst), logitsOf(op, by)
	count, panels := end-first, (m+width-1)/width
	together := min(h.KV, max(1, packBytes/(4*count*size)))
	for g0 := 0; g0 < h.KV; g0 += together {
		heads := min(together, h.KV-g0)
		packed := d.packKeys(keys[g0*n*size:], n, heads, size, first, end)
		d.pool.run(heads*h.Group()*panels, func(t, worker int) {
			head, i0 := t/panels, t%panels*width
			buf := scratch(&d.local[worker], (count+d.k.tileRows)*width+width*(size+3))
			panel, buf := buf[:width*size], buf[width*size:]
			top, total, share, scores := buf[:width], buf[width:2*width], buf[2*width:3*width], buf[3*width:]
			packQueries(panel, queries, m, h.Query, g0*h.Group()+head, size, i0, width, logits.scale)
			d.scores(scores, packed[head/h.Group()*count*size:], panel, size, count, count)
			d.bend(logits, scores[:count*width])
			mask(scores, width, first, count, start+i0, start+min(m, i0+width)-1, window)
			for i := range width {
				top[i], total[i] = lowest, 0
			}
			d.k.softmax(count, &scores[0], &top[0], &total[0], &share[0])
			for i := range min(width, m-i0) {
				to := out[((g0*h.Group()+head)*m+i0+i)*columns:][:columns]
				clear(to[:min(first, columns)])
				clear(to[min(end, columns):])
				factor := logits.share(g0*h.Group()+head, top[i], total[i])
				for j := first; j < min(end, columns); j++ {
					to[j] = scores[(j-first)*width+i] * factor
				}
			}
		})
	}
}

package cpu

import (
	"math"

	"github.com/snapbench/snapbench/runners/engine"
)

const (
	// keyBlock is about how many keys go through the running softmax at a time. Blocks
	// are counted from key 0, wherever the queries are, since their borders decide how a
	// row is rounded.
	keyBlock = 240
	// queryPanels is how many panels of queries use a block of keys while it is in the L2
	// cache.
	queryPanels = 4
	// packBytes is about the most memory that packed keys take at a time.
	packBytes = 64 << 20
	// lowest is what running maxima start with. It is finite, so that a block in which a
	// query sees no key changes nothing for the query.
	lowest = -3e38
)

// keysPerBlock is keyBlock in whole tiles.
func (d *Device) keysPerBlock() int { return keyBlock / d.k.tileRows * d.k.tileRows }

// Attention is causal attention in blocks of keys with a running softmax
// (FlashAttention, arXiv 2205.14135). Queries lie in the lanes: scores are
// computed transposed, (keys, queries), so that maxima, powers and sums of a
// query never leave its lane, and the powers are in the order in which the product with
// the values reads them.
func (d *Device) Attention(out, q engine.Array, kv engine.KV, start int, by engine.Attention) {
	const op = "attention"
	h, window := by.Heads, by.Window
	size := h.Size
	m := rowsOf(op, "q", q, h.Query*size)
	wantLen(op, "out", out, q.Len)
	checkKV(op, kv, h)
	n := start + m
	if start < 0 || n > kv.Tokens {
		shape("%s: queries %d to %d, kv has %d tokens", op, start, n, kv.Tokens)
	}
	if d.err != nil || m == 0 {
		return
	}
	block := d.keysPerBlock()
	first := 0
	if window > 0 {
		first = max(0, start-window+1) / block * block
	}
	a := attention{
		d: d, out: f32(op, out), q: f32(op, q), m: m, n: n, start: start, first: first, block: block,
		h: h, window: window, logits: logitsOf(op, by),
	}
	keys, values := f32(op, kv.K), f32(op, kv.V)
	panels := (m + d.k.panelWidth - 1) / d.k.panelWidth
	chunks := (panels + queryPanels - 1) / queryPanels
	together := min(h.KV, max(1, packBytes/(4*(n-first)*size)))
	for g0 := 0; g0 < h.KV; g0 += together {
		heads := min(together, h.KV-g0)
		a.keys = d.packKeys(keys[g0*kv.Tokens*size:], kv.Tokens, heads, size, first, n)
		// The longest chunks go first, so that all threads end at about the same time.
		d.pool.run(chunks*heads*h.Group(), func(t, worker int) {
			head := t % (heads * h.Group())
			chunk := chunks - 1 - t/(heads*h.Group())
			g := head / h.Group()
			a.run(worker, g0*h.Group()+head, a.keys[g*(n-first)*size:(g+1)*(n-first)*size],
				values[(g0+g)*kv.Tokens*size:(g0+g+1)*kv.Tokens*size], chunk*queryPanels, min(panels, (chunk+1)*queryPanels))
		})
	}
}

// packKeys lays out the keys first…n of some heads for tiles of keys:
// (head, tile, number of the head, key of the tile).
func (d *Device) packKeys(keys []float32, tokens, heads, size, first, n int) []float32 {
	rows := d.k.tileRows
	count := n - first
	packed := scratch(&d.pack, heads*count*size)
	perHead := (count + rows - 1) / rows
	d.pool.each(heads*perHead, 16, func(lo, hi, _ int) {
		for t := lo; t < hi; t++ {
			g, j := t/perHead, t%perHead*rows
			r := min(rows, count-j)
			interleave(packed[(g*count+j)*size:(g*count+j+r)*size], keys[(g*tokens+first+j)*size:][:r*size], r, size)
		}
	})
	return packed
}

type attention struct {
	d            *Device
	out, q       []float32
	m, n, start  int
	first, block int
	h            engine.Heads
	window       int
	logits       logits
	keys         []float32
}

// run computes the panels lo…hi of queries of one head.
func (a *attention) run(worker, head int, keys, values []float32, lo, hi int) {
	k, size, width := a.d.k, a.h.Size, a.d.k.panelWidth
	state := width*(2*size+3) + 0
	buf := scratch(&a.d.local[worker], (hi-lo)*state+(a.block+k.tileRows)*width)
	scores := buf[(hi-lo)*state:]
	for p := lo; p < hi; p++ {
		s := a.state(buf, p-lo)
		packQueries(s.q, a.q, a.m, a.h.Query, head, size, p*width, width, a.logits.scale)
		clear(s.sum)
		clear(s.l)
		for i := range s.m {
			s.m[i] = lowest
		}
	}
	last := a.start + min(a.m, hi*width) - 1 // position of the last query
	from := a.first
	if a.window > 0 {
		from = max(0, a.start+lo*width-a.window+1) / a.block * a.block
	}
	for j0 := from; j0 <= last; j0 += a.block {
		for p := lo; p < hi; p++ {
			low, high := a.start+p*width, a.start+min(a.m, (p+1)*width)-1
			if j0 > high || a.window > 0 && j0+a.block <= low-a.window+1 {
				continue
			}
			n := min(a.block, high+1-j0)
			s := a.state(buf, p-lo)
			a.d.scores(scores, keys[(j0-a.first)*size:], s.q, size, n, a.n-j0)
			a.d.bend(a.logits, scores[:n*width])
			a.mask(scores, j0, n, low, high)
			k.softmax(n, &scores[0], &s.m[0], &s.l[0], &s.f[0])
			if !allOnes(s.f) {
				k.scaleColumns(size, &s.sum[0], &s.f[0])
			}
			v := values[j0*size:]
			for x := 0; x < size; x += k.tileRows {
				k.tile[min(k.tileRows, size-x)](n, &v[x], size, &scores[0], width, &a.d.zeros[0], &s.sum[x*width], width, 1)
			}
		}
	}
	for p := lo; p < hi; p++ {
		s := a.state(buf, p-lo)
		for i := range min(width, a.m-p*width) {
			out := a.out[((p*width+i)*a.h.Query+head)*size:][:size]
			f := a.logits.share(head, s.m[i], s.l[i])
			for x := range out {
				out[x] = s.sum[x*width+i] * f
			}
		}
	}
}

// panelState is what one panel of queries carries through the blocks of keys.
type panelState struct {
	q, sum  []float32 // (d, panel)
	m, l, f []float32 // (panel)
}

func (a *attention) state(buf []float32, i int) panelState {
	w, size := a.d.k.panelWidth, a.h.Size
	n := w * (2*size + 3)
	b := buf[i*n : (i+1)*n]
	return panelState{q: b[:w*size], sum: b[w*size : 2*w*size], m: b[2*w*size:][:w], l: b[2*w*size+w:][:w], f: b[2*w*size+2*w:][:w]}
}

// packQueries writes the queries from row i0 of one head as (d, panel), times
// scale; lanes beyond the last row are zero.
func packQueries(dst, q []float32, m, heads, head, size, i0, width int, scale float32) {
	clear(dst)
	for i := range min(width, m-i0) {
		for x, v := range q[((i0+i)*heads+head)*size:][:size] {
			dst[x*width+i] = v * scale
		}
	}
}

// scores computes the scores of n keys, rounded up to whole tiles, of which `have` exist.
func (d *Device) scores(dst, keys, q []float32, size, n, have int) {
	k, width := d.k, d.k.panelWidth
	for j := 0; j < n; j += k.tileRows {
		r := min(k.tileRows, have-j)
		k.tile[r](size, &keys[j*size], r, &q[0], width, &d.zeros[0], &dst[j*width], width, 0)
	}
}

var minusInf = float32(math.Inf(-1))

// mask hides from each lane the keys that it may not see; the lanes' positions are low…high.
func (a *attention) mask(scores []float32, j0, n, low, high int) {
	mask(scores, a.d.k.panelWidth, j0, n, low, high, a.window)
}

func mask(scores []float32, width, j0, n, low, high, window int) {
	for j := max(j0, low+1); j < j0+n; j++ { // seen from position j on
		row := scores[(j-j0)*width:][:width]
		for i := range min(j-low, width) {
			row[i] = minusInf
		}
	}
	if window > 0 {
		for j := j0; j < j0+n && j <= high-window; j++ { // seen up to position j+window-1
			row := scores[(j-j0)*width:][:width]
			for i := max(0, j+window-low); i < width; i++ {
				row[i] = minusInf
			}
		}
	}
}

func allOnes(f []float32) bool {
	for _, v := range f {
		if v != 1 {
			return false
		}
	}
	return true
}

// WindowScores sums the attention that the last queries pay to each key before
// them, per query head.
func (d *Device) WindowScores(dst []engine.Array, w []int, q engine.Array, kv engine.KV, by engine.Attention) {
	const op = "window scores"
	h := by.Heads
	size, width := h.Size, d.k.panelWidth
	rows := rowsOf(op, "q", q, h.Query*size)
	checkKV(op, kv, h)
	n := kv.Tokens
	for x, dst := range dst {
		if w[x] > min(n, rows) {
			shape("%s: a window of %d, q has %d rows and kv %d tokens", op, w[x], rows, n)
		}
		wantLen(op, "dst", dst, h.Query*(n-w[x]))
	}
	if d.err != nil {
		return
	}
	queries, keys, logits := f32(op, q), f32(op, kv.K), logitsOf(op, by)
	together := min(h.KV, max(1, packBytes/(4*n*size)))
	for g0 := 0; g0 < h.KV; g0 += together {
		heads := min(together, h.KV-g0)
		packed := d.packKeys(keys[g0*n*size:], n, heads, size, 0, n)
		d.pool.run(heads*h.Group(), func(t, worker int) {
			head := g0*h.Group() + t
			for x, w := range w {
				if m := n - w; m > 0 {
					last := queries[(rows-w)*h.Query*size:]
					d.windowHead(f32(op, dst[x])[head*m:(head+1)*m], last, packed[t/h.Group()*n*size:], w, n, head, by, logits, width, worker)
				}
			}
		})
	}
}

func (d *Device) windowHead(out, q, keys []float32, w, n, head int, by engine.Attention, logits logits, width, worker int) {
	k, h, size := d.k, by.Heads, by.Heads.Size
	buf := scratch(&d.local[worker], (n+k.tileRows)*width+width*(size+3)+n-w)
	qp, buf := buf[:width*size], buf[width*size:]
	m, l, f, buf := buf[:width], buf[width:2*width], buf[2*width:3*width], buf[3*width:]
	sum, scores := buf[:n-w], buf[n-w:]
	for i0 := 0; i0 < w; i0 += width {
		packQueries(qp, q, w, h.Query, head, size, i0, width, logits.scale)
		d.scores(scores, keys, qp, size, n, n)
		d.bend(logits, scores[:n*width])
		low := n - w + i0
		mask(scores, width, 0, n, low, n-w+min(w, i0+width)-1, by.Window)
		for i := range width {
			m[i], l[i] = lowest, 0
		}
		k.softmax(n, &scores[0], &m[0], &l[0], &f[0])
		for i := range width {
			f[i] = 0
			if i0+i < w {
				f[i] = logits.share(head, m[i], l[i])
			}
		}
		if i0 == 0 {
			k.dots(n-w, width, &f[0], &scores[0], width, &out[0])
			continue
		}
		k.dots(n-w, width, &f[0], &scores[0], width, &sum[0])
		for j, v := range sum {
			out[j] += v
		}
	}
}

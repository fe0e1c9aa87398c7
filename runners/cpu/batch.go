package cpu

import "github.com/snapbench/snapbench/runners/engine"

// segmentRows is how many cache rows one thread takes at a time, so that one long cache keeps
// every thread busy. A cache is cut at multiples of it, whatever else is in the batch, so that
// a row is always rounded in the same way.
const segmentRows = 512

// sharedNumbers is how many keys' or values' numbers all queries of a KV head take before they go on to the next: few
// enough to stay in the L1 cache, so that they come from memory, or are decoded, once.
const sharedNumbers = 2048

type batch struct {
	sequences []engine.Sequence
	heads     engine.Heads
	steps     int
	work      []segmentTask
	finish    []rowTask
	residuals bool    // some cache has one
	refused   []error // by row
}

// segmentTask is a piece of a cache that one KV head's (or query head's)
// queries attend to.
type segmentTask struct {
	row, head int // head: of the cache
	lo, hi    int // rows of the cache head
	part      int // number of its first partial result, one per query head
}

// rowTask joins the pieces of one query head.
type rowTask struct{ row, head, part, stride, n int }

// Rows returns the number of sequences.
func (b *batch) Rows() int { return len(b.sequences) }

// Steps returns how often Advance was called.
func (b *batch) Steps() int { return b.steps }

// NewBatch joins sequences for decoding.
func (d *Device) NewBatch(s []engine.Sequence, h engine.Heads) (engine.Batch, error) {
	if h.KV <= 0 || h.Query%h.KV != 0 {
		shape("new batch: heads %+v", h)
	}
	b := &batch{sequences: append([]engine.Sequence(nil), s...), heads: h, refused: make([]error, len(s))}
	for i, q := range s {
		if len(q.Caches) != len(s[0].Caches) {
			shape("new batch: sequence 0 has %d layers, sequence %d has %d", len(s[0].Caches), i, len(q.Caches))
		}
		for l, c := range q.Caches {
			n := len(c.Len)
			if c.State.S.Len > 0 && n == 0 {
				continue
			}
			if n == 0 || n%h.KV != 0 || h.Query%n != 0 || c.Size != h.Size || len(c.Start) != n {
				shape("new batch: sequence %d, layer %d: cache of %d heads of %d, heads are %+v", i, l, n, c.Size, h)
			}
			b.residuals = b.residuals || c.Packed != nil && c.Packed.Format.Residual > 0
		}
	}
	return b, nil
}

// FreeBatch does nothing: the caches are the caller's.
func (d *Device) FreeBatch(engine.Batch) {}

// Advance moves every sequence on by one token, and encodes what that makes due.
func (d *Device) Advance(eb engine.Batch) {
	b := ownBatch("advance", eb)
	b.steps++
	if d.err == nil {
		d.settle(b)
	}
}

// Replay runs step.
func (d *Device) Replay(_ engine.Batch, step func()) { step() }

func ownBatch(op string, b engine.Batch) *batch {
	own, ok := b.(*batch)
	if !ok {
		shape("%s: batch %T is not this device's", op, b)
	}
	return own
}

// RotateAppend puts one token of each sequence into its caches.
func (d *Device) RotateAppend(q engine.Array, eb engine.Batch, layer int, qkv engine.Array, r engine.Rotary, norm engine.QKNorm) {
	const op = "rotate append"
	b := ownBatch(op, eb)
	h, size := b.heads, b.heads.Size
	row := (h.Query + 2*h.KV) * size
	wantLen(op, "qkv", qkv, b.Rows()*row)
	wantLen(op, "q", q, b.Rows()*h.Query*size)
	qn, kn := norms(op, norm, size)
	var turn *rotary
	for i, s := range b.sequences {
		turn = d.prepare(op, r, size, s.Position+b.steps, s.Position+b.steps+1)
		if c := s.Caches[layer]; b.steps >= c.Room {
			shape("%s: step %d of sequence %d, its caches have room for %d", op, b.steps, i, c.Room)
		}
	}
	if d.err != nil {
		return
	}
	in, out := f32(op, qkv), f32(op, q)
	one := func(i, worker int) {
		buf := scratch(&d.local[worker], 2*size)
		tmp, key := buf[:size], buf[size:]
		s := &b.sequences[i]
		position := s.Position + b.steps
		x := in[i*row : (i+1)*row]
		for a := range h.Query {
			d.place(out[(i*h.Query+a)*size:][:size], x[a*size:][:size], qn, norm.Epsilon, turn, position, tmp)
		}
		c := &s.Caches[layer]
		positions := i32(op, c.Positions)
		copies := len(c.Len) / h.KV
		var keys, values []float32
		if c.Packed == nil {
			keys, values = f32(op, c.K), f32(op, c.V)
		}
		for g := range h.KV {
			var first []float32
			for a := g * copies; a < (g+1)*copies; a++ {
				at := c.Start[a] + c.Len[a] + b.steps
				if positions != nil {
					positions[at] = int32(position)
				}
				if c.Packed != nil {
					if first == nil {
						first = key
						d.place(first, x[(h.Query+g)*size:][:size], kn, norm.Epsilon, turn, position, tmp)
					}
					b.append(op, i, layer, a, first, x[(h.Query+h.KV+g)*size:][:size])
					continue
				}
				k := keys[at*size : (at+1)*size]
				if first == nil {
					d.place(k, x[(h.Query+g)*size:][:size], kn, norm.Epsilon, turn, position, tmp)
					first = k
				} else {
					copy(k, first)
				}
				copy(values[at*size:(at+1)*size], x[(h.Query+h.KV+g)*size:][:size])
			}
		}
	}
	if b.Rows()*row <= fewNumbers {
		for i := range b.sequences {
			one(i, 0)
		}
		return
	}
	d.pool.run(b.Rows(), one)
}

// AttendCaches reads each sequence's own caches once.
func (d *Device) AttendCaches(out, q engine.Array, eb engine.Batch, layer int, by engine.Attention) {
	const op = "attend caches"
	b := ownBatch(op, eb)
	h, size, window := b.heads, b.heads.Size, by.Window
	if by.Heads != h {
		shape("%s: heads %+v, the batch has %+v", op, by.Heads, h)
	}
	wantLen(op, "q", q, b.Rows()*h.Query*size)
	wantLen(op, "out", out, q.Len)
	if d.err != nil {
		return
	}
	b.work, b.finish = b.work[:0], b.finish[:0]
	parts := 0
	for i := range b.sequences {
		s := &b.sequences[i]
		c := &s.Caches[layer]
		positions := i32(op, c.Positions)
		share := h.Query / len(c.Len)
		for a, kept := range c.Len {
			n := kept + b.steps + 1
			lo := 0
			if window > 0 {
				lo = firstVisible(positions, c.Start[a], n, s.Position+b.steps-window)
			}
			first := parts
			for at := lo; at < n; {
				end := min(n, (at/segmentRows+1)*segmentRows)
				b.work = append(b.work, segmentTask{i, a, at, end, parts})
				parts += share
				at = end
			}
			for e := range share {
				b.finish = append(b.finish, rowTask{i, a*share + e, first + e, share, (parts - first) / share})
			}
		}
	}
	width := size + 2 // sum, l, m
	results := scratch(&d.parts, parts*width)
	in, to, logits := f32(op, q), f32(op, out), logitsOf(op, by)
	d.pool.run(len(b.work), func(t, worker int) {
		d.attendSegment(b, &b.work[t], layer, in, results, logits, worker)
	})
	d.eachRow(len(b.finish), size, func(lo, hi int) {
		for _, r := range b.finish[lo:hi] {
			join(to[(r.row*h.Query+r.head)*size:][:size], results, r, width, logits.sink(r.head))
		}
	})
}

// firstVisible returns the first of n rows whose position is above p.
func firstVisible(positions []int32, start, n, p int) int {
	if positions == nil { // a row is its position
		return min(n, max(0, p+1))
	}
	lo, hi := 0, n
	for lo < hi {
		if mid := (lo + hi) / 2; int(positions[start+mid]) <= p {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

func (d *Device) attendSegment(b *batch, t *segmentTask, layer int, q, results []float32, logits logits, worker int) {
	const op = "attend caches"
	h, size := b.heads, b.heads.Size
	c := &b.sequences[t.row].Caches[layer]
	share := h.Query / len(c.Len)
	n := t.hi - t.lo
	padded := (n + 7) / 8 * 8
	few := segmentRows // rows that one query takes before the next does
	if share > 1 || c.Packed != nil {
		few = max(8, sharedNumbers/size)
	}
	decoded := 0
	if c.Packed != nil {
		group := c.Packed.Format.Key.Group()
		few = (few + group - 1) / group * group
		decoded = few * size
	}
	buf := scratch(&d.local[worker], share*(size+padded)+decoded)
	qs, buf := buf[:share*size], buf[share*size:]
	p, buf := buf[:share*padded], buf[share*padded:]
	var keys, values []float32
	if c.Packed == nil {
		keys, values = f32(op, c.K)[c.Start[t.head]*size:], f32(op, c.V)[c.Start[t.head]*size:]
	}
	k := d.rowKernels(size)
	for i, v := range q[(t.row*h.Query+t.head*share)*size:][:share*size] {
		qs[i] = v * logits.scale
	}
	for lo, hi := t.lo, 0; lo < t.hi; lo = hi {
		hi = min(t.hi, (lo/few+1)*few)
		rows, first := buf, k.dots
		if c.Packed != nil {
			d.decodeKeys(op, rows, *c, t.head, lo, hi, c.Len[t.head]+b.steps)
		} else {
			rows, first = keys[lo*size:], k.dotsStream
		}
		first(hi-lo, size, &qs[0], &rows[0], size, &p[lo-t.lo])
		for e := 1; e < share; e++ {
			k.dots(hi-lo, size, &qs[e*size], &rows[0], size, &p[e*padded+lo-t.lo])
		}
	}
	for e := range share {
		p, r := p[e*padded:][:padded], results[(t.part+e)*(size+2):][:size+2]
		d.bend(logits, p[:n])
		for j := n; j < padded; j++ {
			p[j] = minusInf
		}
		r[size+1] = k.maximum(padded, &p[0])
		r[size] = k.expSum(padded, &p[0], r[size+1])
		clear(r[:size])
	}
	for lo, hi := t.lo, 0; lo < t.hi; lo = hi {
		hi = min(t.hi, (lo/few+1)*few)
		rows := buf
		if c.Packed != nil {
			d.decodeValues(op, rows, *c, t.head, lo, hi, c.Len[t.head]+b.steps)
		} else {
			rows = values[lo*size:]
		}
		for e := range share {
			k.weightedSum(hi-lo, size, &p[e*padded+lo-t.lo], &rows[0], size, &results[(t.part+e)*(size+2)])
		}
	}
}

// join adds up the pieces of one query head in the order of the cache. A sink's power is one
// more summand of the head, not of a piece.
func join(out, results []float32, r rowTask, width int, sink float32) {
	size := len(out)
	top := sink
	for i := range r.n {
		top = max(top, results[(r.part+i*r.stride)*width+size+1])
	}
	l := exp2Go(sink - top)
	clear(out)
	for i := range r.n {
		piece := results[(r.part+i*r.stride)*width:][:width]
		f := exp2Go(piece[size+1] - top)
		l += float32(f * piece[size])
		for x, v := range piece[:size] {
			out[x] += float32(f * v)
		}
	}
	for x := range out {
		out[x] /= l
	}
}

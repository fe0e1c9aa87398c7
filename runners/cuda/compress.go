package cuda

import (
	"fmt"
	"runtime"

	"github.com/snapbench/snapbench/runners/engine"
)

// maxWindow is the largest observation window, maxHeads the most query heads.
const (
	maxWindow = 256
	maxHeads  = 1024
)

// windowSum is a window of w queries and where its scores go.
type windowSum struct {
	dst uint64
	w   int
}

// WindowScores adds up what the last w queries see in each earlier key.
//
// Of all windows the widest decides what each query sees, in one pass over the keys;
// another adds up for two of them at a time.
func (d *Device) WindowScores(dst []engine.Array, windows []int, q engine.Array, kv engine.KV, h engine.Heads, window int, scale float32) {
	row := h.Query * h.Size
	if row == 0 || q.Len%row != 0 {
		panic(fmt.Sprintf("cuda: WindowScores: q has %d elements, a row of %+v %d", q.Len, h, row))
	}
	if len(dst) != len(windows) {
		panic(fmt.Sprintf("cuda: WindowScores: %d arrays for %d windows", len(dst), len(windows)))
	}
	n, rows := kv.Tokens, q.Len/row
	d.checkKV("WindowScores", kv, h)
	if h.Query > maxHeads {
		panic(fmt.Sprintf("cuda: WindowScores: %d heads, at most %d are served", h.Query, maxHeads))
	}
	w := 0
	var all []windowSum
	for i, x := range windows {
		if x <= 0 || x > min(n, rows, maxWindow) {
			panic(fmt.Sprintf("cuda: WindowScores: a window of %d in %d tokens, of which %d are queries; at most %d are served", x, n, rows, maxWindow))
		}
		same("WindowScores", "dst", dst[i].Len, h.Query*(n-x))
		if x < n {
			w, all = max(w, x), append(all, windowSum{d.pointer("WindowScores", dst[i], engine.Float32), x})
		}
	}
	q = q.Slice((rows-w)*row, rows*row)
	qp, k := d.pointer("WindowScores", q, d.kind), d.pointer("WindowScores", kv.K, d.kind)
	ok := d.enter("WindowScores")
	defer d.leave()
	if !ok || w == 0 {
		return
	}
	// Keys of a split: enough splits to fill the card, few enough to be put together
	// quickly; a function of n alone.
	const grain, most = 256, 64
	length := max(2*grain, int(roundUp(int64(blocks(n, most)), grain)))
	splits := blocks(n, length)
	state, done, ok := d.scratch(int64(h.Query) * int64(splits) * int64(w) * 8)
	if !ok {
		return
	}
	defer done()
	joined, done, ok := d.scratch(int64(h.Query) * int64(w) * 8)
	if !ok {
		return
	}
	defer done()
	name := "plain_" + d.suffix
	if d.kind != engine.Float32 && aligned(h.Size, qp, k) {
		switch {
		case h.Size <= 64:
			name = "64_" + d.suffix
		case h.Size <= 128:
			name = "128_" + d.suffix
		default:
			name = "256_" + d.suffix
		}
	}
	first := d.kernel("window_scores", "window_state_"+name)
	// As many heads at a time as the second cache has room for the keys of, but no
	// fewer than fill the card a few times over: short launches cost more than the
	// keys do from memory.
	headBytes := int64(n) * int64(h.Size) * int64(d.kind.Size())
	kvHeads := max(int(d.card.L2*7/10/headBytes), blocks(12*d.card.Multiprocessors, splits*h.Group()), 1)
	kvHeads = min(kvHeads, h.KV)
	for head := 0; head < h.Query; head += kvHeads * h.Group() {
		heads := min(kvHeads*h.Group(), h.Query-head)
		d.with(state, joined, d.arrived, qp, k).int(w, n, head, h.Query, h.KV, h.Size, length, window).float(scale)
		d.run(first, splits, heads, 256, 0)
		for i := 0; i < len(all); i += 2 {
			var pair [2]windowSum
			some := copy(pair[:], all[i:])
			d.with(pair[0].dst, pair[1].dst).int(pair[0].w, pair[1].w).ptr(joined, qp, k).int(w, n, head, h.Query, h.KV, h.Size, length, window).float(scale)
			d.run(d.kernel("window_scores", fmt.Sprintf("window_sum%d_%s", some, name)), splits, heads, 256, 0)
		}
	}
}

// GroupScores reduces the query heads of each group.
func (d *Device) GroupScores(dst, src engine.Array, h engine.Heads, how engine.Grouping) {
	if h.KV <= 0 || h.Query%h.KV != 0 || src.Len%h.Query != 0 {
		panic(fmt.Sprintf("cuda: GroupScores: %d scores for %+v", src.Len, h))
	}
	m := src.Len / h.Query
	same("GroupScores", "dst", dst.Len, h.KV*m)
	to, from := d.pointer("GroupScores", dst, engine.Float32), d.pointer("GroupScores", src, engine.Float32)
	ok := d.enter("GroupScores")
	defer d.leave()
	if !ok {
		return
	}
	if how == engine.GroupAll {
		d.with(to, from).long(m).int(h.Query, h.KV)
		d.run(d.kernel("scores", "group_all"), blocks(m, 256), 1, 256, 0)
		return
	}
	d.with(to, from).long(dst.Len, m).int(h.Group(), flag(how == engine.GroupMax))
	d.run(d.kernel("scores", "group_scores"), blocks(dst.Len, 256), 1, 256, 0)
}

// PoolScores smooths each row.
func (d *Device) PoolScores(dst, src engine.Array, rows, kernel int, kind engine.Pooling) {
	if rows <= 0 || src.Len%rows != 0 || kernel <= 0 || kernel%2 == 0 {
		panic(fmt.Sprintf("cuda: PoolScores: %d scores in %d rows, kernel %d (odd)", src.Len, rows, kernel))
	}
	same("PoolScores", "dst", dst.Len, src.Len)
	m := src.Len / rows
	to, from := d.pointer("PoolScores", dst, engine.Float32), d.pointer("PoolScores", src, engine.Float32)
	ok := d.enter("PoolScores")
	defer d.leave()
	if !ok {
		return
	}
	d.with(to, from).long(m).int(kernel, flag(kind == engine.MaxPooling))
	d.run(d.kernel("scores", "pool_scores"), blocks(m, 256), rows, 256, 0)
}

// selection is struct Selection of kernels/select.cu.
type selection struct {
	scores, dst                 uint64
	m, count, head, tail, first int32
	_                           int32
}

// Select answers all selections in one launch, a block a row.
func (d *Device) Select(s []engine.Selection) {
	var rows []selection
	total := 0
	for _, s := range s {
		if s.Rows <= 0 || s.Scores.Len%s.Rows != 0 {
			panic(fmt.Sprintf("cuda: Select: %d scores in %d rows", s.Scores.Len, s.Rows))
		}
		m := s.Scores.Len / s.Rows
		if s.Head < 0 || s.Head > m || s.Tail < 0 {
			panic(fmt.Sprintf("cuda: Select: a head of %d and a tail of %d, %d scores", s.Head, s.Tail, m))
		}
		if s.Counts != nil {
			same("Select", "counts", len(s.Counts), s.Rows)
		}
		for r := range s.Rows {
			if c := s.CountOf(r); c < 0 || c > m {
				panic(fmt.Sprintf("cuda: Select: %d of %d scores", c, m))
			}
		}
		same("Select", "dst", s.Dst.Len, s.Len())
		scores, dst := d.pointer("Select", s.Scores, engine.Float32), d.pointer("Select", s.Dst, engine.Int32)
		// Rows that are asked for as many are one entry of the table.
		for r := 0; r < s.Rows; {
			count, first := s.CountOf(r), r
			for r++; r < s.Rows && s.CountOf(r) == count; r++ {
			}
			if count+s.Tail > 0 {
				rows = append(rows, selection{scores: scores + 4*uint64(first*m), dst: dst, m: int32(m), count: int32(count), head: int32(s.Head), tail: int32(s.Tail), first: int32(total)})
				total += r - first
			}
			dst += 4 * uint64((r-first)*(count+s.Tail))
		}
	}
	ok := d.enter("Select")
	defer d.leave()
	if !ok || len(rows) == 0 {
		return
	}
	selections, done, ok := table(d, rows)
	defer done()
	if !ok {
		return
	}
	d.with(selections).int(len(rows))
	d.run(d.kernel("select", "select_highest"), total, 1, 1024, 0)
}

// segment and gatherItem are struct Segment and Item of kernels/gather.cu.
type segment struct {
	k, v, toK, toV, positions, toPositions uint64
}
type gatherItem struct {
	segment, row, rows, _ int32
}

// gatherRows is how many rows a block copies.
const gatherRows = 256

// Gather copies what each Kept chose, all in one launch.
func (d *Device) Gather(kv engine.KV, kept []engine.Kept, room int) ([]engine.Cache, error) {
	d.checkKV("Gather", kv, engine.Heads{Query: kv.Heads, KV: kv.Heads, Size: kv.Size})
	k, v := d.pointer("Gather", kv.K, d.kind), d.pointer("Gather", kv.V, d.kind)
	rowBytes := kv.Size * d.kind.Size()
	caches := make([]engine.Cache, len(kept))
	fail := func(err error) ([]engine.Cache, error) {
		d.FreeCache(caches...)
		return nil, err
	}
	for i, c := range kept {
		heads := len(c.Len)
		if heads == 0 || heads%kv.Heads != 0 {
			panic(fmt.Sprintf("cuda: Gather: %d cache heads over %d", heads, kv.Heads))
		}
		both := make([]int, 2*heads)
		cache := engine.Cache{Len: both[:heads:heads], Start: both[heads:], Room: room, Size: kv.Size}
		rows, taken := 0, 0
		for a, n := range c.Len {
			if n < 0 || n > kv.Tokens || c.All && n != kv.Tokens {
				panic(fmt.Sprintf("cuda: Gather: head %d keeps %d of %d rows", a, n, kv.Tokens))
			}
			cache.Start[a], cache.Len[a] = rows, n
			rows += n + room
			taken += n
		}
		if !c.All {
			same("Gather", "positions", c.Positions.Len, taken)
		}
		var err error
		if cache.K, err = d.New(d.kind, rows*kv.Size); err != nil {
			return fail(err)
		}
		caches[i] = cache
		if caches[i].V, err = d.New(d.kind, rows*kv.Size); err != nil {
			return fail(err)
		}
		if !c.All {
			if caches[i].Positions, err = d.New(engine.Int32, rows); err != nil {
				return fail(err)
			}
		}
	}
	// Segments in the order of the KV heads, so that a head's keys are in the second
	// cache while all caches take what they want of it.
	segments, items := d.segments[:0], d.items[:0]
	taken := make([]int, len(kept))
	for h := range kv.Heads {
		from := uint64(h) * uint64(kv.Tokens) * uint64(rowBytes)
		for i, c := range kept {
			copies := len(c.Len) / kv.Heads
			toK, toV := d.pointer("Gather", caches[i].K, d.kind), d.pointer("Gather", caches[i].V, d.kind)
			positions, toPositions := d.pointer("Gather", c.Positions, engine.Int32), d.pointer("Gather", caches[i].Positions, engine.Int32)
			for a := h * copies; a < (h+1)*copies; a++ {
				n, to := c.Len[a], uint64(caches[i].Start[a])*uint64(rowBytes)
				s := segment{k: k + from, v: v + from, toK: toK + to, toV: toV + to}
				if !c.All {
					s.positions, s.toPositions = positions+4*uint64(taken[i]), toPositions+4*uint64(caches[i].Start[a])
				}
				for row := 0; row < n; row += gatherRows {
					items = append(items, gatherItem{segment: int32(len(segments)), row: int32(row), rows: int32(min(gatherRows, n-row))})
				}
				segments = append(segments, s)
				taken[i] += n
			}
		}
	}
	d.segments, d.items = segments, items
	ok := d.enter("Gather")
	defer d.leave()
	if !ok || len(items) == 0 {
		return caches, nil
	}
	segmentTable, done, ok := table(d, segments)
	defer done()
	if !ok {
		return caches, nil
	}
	itemTable, done, ok := table(d, items)
	defer done()
	if !ok {
		return caches, nil
	}
	unit := 2
	switch {
	case (uint64(rowBytes)|k|v)%16 == 0:
		unit = 16
	case (uint64(rowBytes)|k|v)%4 == 0:
		unit = 4
	}
	d.with(segmentTable, itemTable).int(rowBytes / unit)
	d.run(d.kernel("gather", fmt.Sprintf("gather_%d", unit)), len(items), 1, 256, 0)
	return caches, nil
}

// FreeCache gives caches back.
func (d *Device) FreeCache(caches ...engine.Cache) {
	for _, c := range caches {
		d.Free(c.K, c.V, c.Positions)
	}
}

// ArgMax finds each row's highest logit.
func (d *Device) ArgMax(dst, logits engine.Array) {
	if dst.Len == 0 || logits.Len%dst.Len != 0 {
		panic(fmt.Sprintf("cuda: ArgMax: %d logits in %d rows", logits.Len, dst.Len))
	}
	to, from := d.pointer("ArgMax", dst, engine.Int32), d.pointer("ArgMax", logits, engine.Float32)
	ok := d.enter("ArgMax")
	defer d.leave()
	if !ok {
		return
	}
	vocab := logits.Len / dst.Len
	d.with(to, from).long(vocab)
	d.run(d.kernel("choice", "argmax"), dst.Len, 1, 1024, 0)
}

// Divergence compares rows of logits.
func (d *Device) Divergence(dst, logits engine.Array, vocab int, p, q []int) {
	if vocab <= 0 || logits.Len%vocab != 0 || len(p) != len(q) {
		panic(fmt.Sprintf("cuda: Divergence: %d logits in rows of %d, %d against %d rows", logits.Len, vocab, len(p), len(q)))
	}
	same("Divergence", "dst", dst.Len, len(p))
	rows := logits.Len / vocab
	pairs := make([]int32, 0, 2*len(p))
	for _, side := range [][]int{p, q} {
		for _, r := range side {
			if r < 0 || r >= rows {
				panic(fmt.Sprintf("cuda: Divergence: row %d of %d", r, rows))
			}
			pairs = append(pairs, int32(r))
		}
	}
	to, from := d.pointer("Divergence", dst, engine.Float32), d.pointer("Divergence", logits, engine.Float32)
	ok := d.enter("Divergence")
	defer d.leave()
	if !ok || len(p) == 0 {
		return
	}
	pairTable, done, ok := table(d, pairs)
	defer done()
	if !ok {
		return
	}
	d.with(to, from).long(vocab).ptr(pairTable).int(len(p))
	d.run(d.kernel("choice", "divergence"), len(p), 1, 1024, 0)
}

// inContext runs f with the context current.
func (d *Device) inContext(f func()) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	call(d.driver.CtxSetCurrent, d.context)
	f()
}

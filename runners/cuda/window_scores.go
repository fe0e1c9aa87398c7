package cuda

import (
	"fmt"

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
// The first pass over the keys finds the softmax of each query of the widest window; each
// further pass adds up the scores of up to two windows.
func (d *Device) WindowScores(dst []engine.Array, windows []int, q engine.Array, kv engine.KV, by engine.Attention) {
	h, window := by.Heads, by.Window
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
	ok := d.card.Enter("WindowScores")
	defer d.card.Leave()
	if !ok || w == 0 {
		return
	}
	// Keys of a split: enough splits to fill the card, and few enough to be put together
	// quickly. It depends on n alone.
	const grain, most = 256, 64
	length := max(2*grain, blocks(blocks(n, most), grain)*grain)
	splits := blocks(n, length)
	state, done, ok := d.card.Scratch(int64(h.Query) * int64(splits) * int64(w) * 8)
	if !ok {
		return
	}
	defer done()
	joined, done, ok := d.card.Scratch(int64(h.Query) * int64(w) * 8)
	if !ok {
		return
	}
	defer done()
	name := d.keysKernel(h.Size, qp, k)
	way := d.way("WindowScores", by)
	first := way.kernel("window_scores", "window_state_"+name)
	// As many heads at a time as have keys that fit the L2 cache, but enough to fill the
	// card a few times over: short launches cost more than reading the keys from memory.
	headBytes := int64(n) * int64(h.Size) * int64(d.kind.Size())
	kvHeads := max(int(d.card.L2*7/10/headBytes), blocks(12*d.card.Multiprocessors, splits*h.Group()), 1)
	kvHeads = min(kvHeads, h.KV)
	for head := 0; head < h.Query; head += kvHeads * h.Group() {
		heads := min(kvHeads*h.Group(), h.Query-head)
		way.add(d.card.Args(state, joined, d.arrived, qp, k).Int(w, n, head, h.Query, h.KV, h.Size, length, window).Float(by.Scale))
		d.card.Launch(first, splits, heads, 256, 0)
		for i := 0; i < len(all); i += 2 {
			var pair [2]windowSum
			some := copy(pair[:], all[i:])
			way.unsunk().add(d.card.Args(pair[0].dst, pair[1].dst).Int(pair[0].w, pair[1].w).Ptr(joined, qp, k).Int(w, n, head, h.Query, h.KV, h.Size, length, window).Float(by.Scale))
			d.card.Launch(way.unsunk().kernel("window_scores", fmt.Sprintf("window_sum%d_%s", some, name)), splits, heads, 256, 0)
		}
	}
}

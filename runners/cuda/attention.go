package cuda

import (
	"fmt"

	"github.com/snapbench/snapbench/runners/engine"
)

// maxHead is the largest head size of the attention kernels.
const maxHead = 256

// Attention is causal attention of one block of queries.
func (d *Device) Attention(out, q engine.Array, kv engine.KV, start int, by engine.Attention) {
	m := d.checkAttention("Attention", q, kv, start, by)
	same("Attention", "out", out.Len, q.Len)
	to, qp := d.pointer("Attention", out, d.kind), d.pointer("Attention", q, d.kind)
	k, v := d.pointer("Attention", kv.K, d.kind), d.pointer("Attention", kv.V, d.kind)
	ok := d.card.Enter("Attention")
	defer d.card.Leave()
	if ok {
		d.attend(to, qp, k, v, lse{}, m, start, kv.Tokens, by, d.way("Attention", by))
	}
}

// checkAttention holds queries from start on to the keys there are, and returns how many
// positions they have.
func (d *Device) checkAttention(operation string, q engine.Array, kv engine.KV, start int, by engine.Attention) int {
	h := by.Heads
	row := h.Query * h.Size
	if row == 0 || q.Len%row != 0 {
		panic(fmt.Sprintf("cuda: %s: q has %d elements, a row of %+v %d", operation, q.Len, h, row))
	}
	m := q.Len / row
	d.checkKV(operation, kv, h)
	if start < 0 || start+m > kv.Tokens {
		panic(fmt.Sprintf("cuda: %s: queries %d to %d over %d keys", operation, start, start+m, kv.Tokens))
	}
	return m
}

// attend does the work of Attention on addresses: its result where out is not 0, the
// logarithms of the rows' sums where there is room for them.
func (d *Device) attend(out, q, k, v uint64, rows lse, m, start, n int, by engine.Attention, w way) {
	if d.hopper(out, q, k, v, rows, m, start, n, by, w) {
		return
	}
	h := by.Heads
	arguments := func() {
		w.add(d.card.Args(out, rows.address).Int(rows.pitch).Ptr(q, k, v).Int(m, start).Long(n).Int(h.Query, h.KV, h.Size, by.Window).Float(by.Scale))
	}
	if d.kind == engine.Float32 || !aligned(h.Size, out, q, k, v) {
		const warps, keys = 8, 32
		arguments()
		d.card.Launch(w.kernel("attention", "attention_plain_"+d.suffix), blocks(m, warps), h.Query, 32*warps, 4*(warps*h.Size+2*keys*(h.Size+1)))
		return
	}
	size, keys := 256, 32
	for _, s := range []int{128, 96, 64, 32} {
		if h.Size <= s {
			size, keys = s, 64
		}
	}
	const queries = 64
	arguments()
	d.card.Launch(w.kernel("attention", fmt.Sprintf("attention_mma_%d_%s", size, d.suffix)), blocks(m, queries), h.Query, 128, (queries+2*keys)*(size+8)*2)
}

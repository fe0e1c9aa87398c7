package cuda

import (
	"fmt"

	"github.com/snapbench/snapbench/runners/engine"
)

// AttentionRows writes down what the queries pay to each key: the products first, then a
// softmax of each row.
func (d *Device) AttentionRows(dst, q engine.Array, kv engine.KV, start int, by engine.Attention) {
	const operation = "AttentionRows"
	h, window := by.Heads, by.Window
	m := d.checkAttention(operation, q, kv, start, by)
	if m == 0 {
		return
	}
	columns := dst.Len / (h.Query * m)
	same(operation, "dst", dst.Len, h.Query*m*columns)
	if columns > kv.Tokens {
		panic(fmt.Sprintf("cuda: %s: %d columns of %d keys", operation, columns, kv.Tokens))
	}
	to := d.pointer(operation, dst, engine.Float32)
	qp, k := d.pointer(operation, q, d.kind), d.pointer(operation, kv.K, d.kind)
	ok := d.card.Enter(operation)
	defer d.card.Leave()
	if !ok {
		return
	}
	w := d.way(operation, by)
	low, end := 0, start+m // the keys that some query sees
	if window > 0 {
		low = max(0, start-window+1)
	}
	pitch := 2 * blocks(end-low, 2)
	products, done, ok := d.card.Scratch(4 * int64(h.Query) * int64(m) * int64(pitch))
	if !ok {
		return
	}
	defer done()
	w.unsunk().add(d.card.Args(products).Long(pitch).Ptr(qp, k).Int(m, low, end).Long(kv.Tokens).Int(h.Query, h.KV, h.Size).Float(by.Scale))
	d.card.Launch(w.unsunk().kernel("attention_rows", "attention_rows_products_"+d.keysKernel(h.Size, qp, k)), blocks(end-low, 256), h.Query, 256, 0)
	w.add(d.card.Args(to).Long(columns).Ptr(products).Long(pitch).Int(low, start, window))
	d.card.Launch(w.kernel("attention_rows", "attention_rows_softmax"), m, h.Query, 256, 0)
}

// keysKernel is what the name of a kernel of keys.h ends with, for heads of a size: the
// narrowest that holds them, or plain.
func (d *Device) keysKernel(size int, pointers ...uint64) string {
	switch {
	case d.kind == engine.Float32 || !aligned(size, pointers...):
		return "plain_" + d.suffix
	case size <= 64:
		return "64_" + d.suffix
	case size <= 128:
		return "128_" + d.suffix
	}
	return "256_" + d.suffix
}

package cuda

import "github.com/snapbench/snapbench/runners/engine"

// lse is where attention leaves the logarithm of each row's sum of powers: float32
// (heads, pitch), none where the address is 0.
type lse struct {
	address uint64
	pitch   int
}

// ColumnSums adds up what a block's queries pay to each key: attention takes the rows'
// sums and leaves out its result, then each key adds up its own.
func (d *Device) ColumnSums(dst, q engine.Array, kv engine.KV, start int, h engine.Heads, window int, scale float32) {
	d.columnSums("ColumnSums", engine.Array{}, dst, q, kv, start, h, window, scale)
}

// AttentionColumnSums is Attention and ColumnSums, the rows' sums taken once.
func (d *Device) AttentionColumnSums(out, dst, q engine.Array, kv engine.KV, start int, h engine.Heads, window int, scale float32) {
	const operation = "AttentionColumnSums"
	same(operation, "out", out.Len, q.Len)
	if !aligned(0, d.pointer(operation, out, d.kind)) { // another kernel would take the rows' sums
		d.Attention(out, q, kv, start, h, window, scale)
		d.ColumnSums(dst, q, kv, start, h, window, scale)
		return
	}
	d.columnSums(operation, out, dst, q, kv, start, h, window, scale)
}

// columnSums does both, attention's result where out is not empty.
func (d *Device) columnSums(operation string, out, dst, q engine.Array, kv engine.KV, start int, h engine.Heads, window int, scale float32) {
	m := d.checkAttention(operation, q, kv, start, h)
	n := kv.Tokens
	same(operation, "dst", dst.Len, h.Query*n)
	to, sums := d.pointer(operation, out, d.kind), d.pointer(operation, dst, engine.Float32)
	qp, k, v := d.pointer(operation, q, d.kind), d.pointer(operation, kv.K, d.kind), d.pointer(operation, kv.V, d.kind)
	ok := d.card.Enter(operation)
	defer d.card.Leave()
	if !ok || m == 0 {
		return
	}
	// Rows of lse are read 16 bytes at a time, and whole tiles of queries of it.
	rows := lse{pitch: 4*blocks(m, 4) + columnTile}
	var done func()
	if rows.address, done, ok = d.card.Scratch(4 * int64(h.Query) * int64(rows.pitch)); !ok {
		return
	}
	defer done()
	d.attend(to, qp, k, v, rows, m, start, n, h, window, scale)
	low := 0 // no query sees a key before it
	if window > 0 {
		low = max(0, start-window+1)
	}
	if d.hopperColumnSums(sums, rows, qp, k, m, start, n, h, low, window, scale) {
		return
	}
	name, keys, threads, shared := "plain", 32, 256, 4*(8*h.Size+32*(h.Size+1))
	if d.kind != engine.Float32 && aligned(h.Size, qp, k) {
		threads, shared = 128, 0
		switch {
		case h.Size <= 64:
			name, keys = "mma_64", 128
		case h.Size <= 128:
			name, keys = "mma_128", 128
		default:
			name, keys = "mma_256", 64
		}
	}
	d.card.Args(sums, rows.address).Int(rows.pitch).Ptr(qp, k).Int(m, start).Long(n).Int(h.Query, h.KV, h.Size, low, window).Float(scale)
	d.card.Launch(d.card.Kernel("column_sums", "column_sums_"+name+"_"+d.suffix), blocks(start+m-low, keys), h.Query, threads, shared)
}

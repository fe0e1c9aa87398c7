package cuda

import (
	"fmt"

	"github.com/snapbench/snapbench/runners/engine"
)

// lse is where attention leaves the logarithm of each row's sum of powers: float32
// (heads, pitch), none where the address is 0.
type lse struct {
	address uint64
	pitch   int
}

// ColumnSums adds up what a block's queries pay to each key: attention takes the rows'
// sums and leaves out its result, then each key adds up its own.
func (d *Device) ColumnSums(dst, q engine.Array, kv engine.KV, start int, by engine.Attention) {
	const operation = "ColumnSums"
	parts := 1
	if n := by.Heads.Query * kv.Tokens; n > 0 && dst.Len > n {
		parts = dst.Len / n
	}
	d.columnSums(operation, engine.Array{}, dst, q, kv, start, by, parts)
}

// AttentionColumnSums is Attention and ColumnSums, the rows' sums taken once.
func (d *Device) AttentionColumnSums(out, dst, q engine.Array, kv engine.KV, start int, by engine.Attention) {
	const operation = "AttentionColumnSums"
	same(operation, "out", out.Len, q.Len)
	if !aligned(0, d.pointer(operation, out, d.kind)) { // another kernel would take the rows' sums
		d.Attention(out, q, kv, start, by)
		d.ColumnSums(dst, q, kv, start, by)
		return
	}
	d.columnSums(operation, out, dst, q, kv, start, by, 1)
}

// columnSums does both, attention's result where out is not empty. The rows' sums are taken for all parts at once.
func (d *Device) columnSums(operation string, out, dst, q engine.Array, kv engine.KV, start int, by engine.Attention, parts int) {
	h := by.Heads
	m := d.checkAttention(operation, q, kv, start, by)
	n := kv.Tokens
	same(operation, "dst", dst.Len, parts*h.Query*n)
	if m%parts != 0 {
		panic(fmt.Sprintf("cuda: %s: %d queries in %d parts", operation, m, parts))
	}
	if each, row := m/parts, h.Query*h.Size; parts > 1 && each%4 != 0 { // a part's rows of lse would begin anywhere
		for x := range parts {
			d.columnSums(operation, out, dst.Slice(x*h.Query*n, (x+1)*h.Query*n), q.Slice(x*each*row, (x+1)*each*row), kv, start+x*each, by, 1)
		}
		return
	}
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
	w := d.way(operation, by)
	d.attend(to, qp, k, v, rows, m, start, n, by, w)
	each := m / parts
	for range parts {
		d.addColumns(sums, rows, qp, k, each, start, n, by, w.unsunk())
		start += each
		sums += 4 * uint64(h.Query) * uint64(n)
		rows.address += 4 * uint64(each)
		qp += uint64(each) * uint64(h.Query*h.Size) * uint64(d.kind.Size())
	}
}

// addColumns adds up the columns of a block whose rows' sums, with their sinks, are known.
func (d *Device) addColumns(sums uint64, rows lse, q, k uint64, m, start, n int, by engine.Attention, w way) {
	h, low := by.Heads, 0 // no query sees a key before low
	if by.Window > 0 {
		low = max(0, start-by.Window+1)
	}
	if d.hopperColumnSums(sums, rows, q, k, m, start, n, low, by, w) {
		return
	}
	name, keys, threads, shared := "plain", 32, 256, 4*(8*h.Size+32*(h.Size+1))
	if d.kind != engine.Float32 && aligned(h.Size, q, k) {
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
	w.add(d.card.Args(sums, rows.address).Int(rows.pitch).Ptr(q, k).Int(m, start).Long(n).Int(h.Query, h.KV, h.Size, low, by.Window).Float(by.Scale))
	d.card.Launch(w.kernel("column_sums", "column_sums_"+name+"_"+d.suffix), blocks(start+m-low, keys), h.Query, threads, shared)
}

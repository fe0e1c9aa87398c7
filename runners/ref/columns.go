package ref

import "github.com/snapbench/snapbench/runners/engine"

// ColumnSums adds up what a block's queries pay to each key.
func (d *Device) ColumnSums(dst, q engine.Array, kv engine.KV, start int, by engine.Attention) {
	h, n := by.Heads, kv.Tokens
	row := h.Query * h.Size
	if parts := dst.Len / (h.Query * n); parts > 1 {
		same("ColumnSums", dst.Len, parts*h.Query*n)
		each := q.Len / row / parts
		same("ColumnSums", q.Len, parts*each*row)
		for x := range parts {
			d.ColumnSums(dst.Slice(x*h.Query*n, (x+1)*h.Query*n), q.Slice(x*each*row, (x+1)*each*row), kv, start+x*each, by)
		}
		return
	}
	m := q.Len / row
	same("ColumnSums", q.Len, m*row)
	same("ColumnSums", dst.Len, h.Query*n)
	for a := range h.Query {
		keys, _ := headOf(kv, a/h.Group())
		sums := make([]float64, start+m)
		to := floats(dst)[a*n:][:start+m]
		for j := range start {
			sums[j] = float64(to[j])
		}
		for i := range m {
			at := i*row + a*h.Size
			lo := visible(start+i, by.Window)
			for j, p := range softmax(floats(q)[at:at+h.Size], keys, lo, start+i+1, a, by) {
				sums[lo+j] += p
			}
		}
		for j, s := range sums {
			to[j] = float32(s)
		}
	}
}

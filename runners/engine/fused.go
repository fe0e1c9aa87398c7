package engine

// Fuser is a device that computes some operations together with what a model does next with
// their results: a product is then neither rounded nor written in between, and a softmax is
// computed once. Where it cannot, it does one after the other, and writes a product to room.
type Fuser interface {
	MatMulGate(dst, room, x Array, w Weight, a Activation)
	MatMulRotate(q Array, kv KV, room, x Array, w Weight, start int, h Heads, r Rotary, norm QKNorm)
	AttentionColumnSums(out, dst, q Array, kv KV, start int, by Attention)
}

// MatMulGate is Gate of x · wᵀ + bias: dst = a(x · gateᵀ, x · upᵀ), number by number; w stacks the rows
// of gate (ff, width) and up. dst (m, ff), x (m, width). What room (m, 2·ff) holds
// afterwards is undefined.
func MatMulGate(d Device, dst, room, x Array, w Weight, a Activation) {
	if f, ok := d.(Fuser); ok {
		f.MatMulGate(dst, room, x, w, a)
		return
	}
	d.MatMul(room, x, w)
	d.Gate(dst, room, w.Rows()/2, a)
}

// MatMulRotate is Rotate of x · wᵀ + bias, x (m, width). What room, of the product's size,
// holds afterwards is undefined.
func MatMulRotate(d Device, q Array, kv KV, room, x Array, w Weight, start int, h Heads, r Rotary, norm QKNorm) {
	if f, ok := d.(Fuser); ok {
		f.MatMulRotate(q, kv, room, x, w, start, h, r, norm)
		return
	}
	d.MatMul(room, x, w)
	d.Rotate(q, kv, room, start, h, r, norm)
}

// AttentionColumnSums is Attention into out and ColumnSums of the same queries into dst,
// with the same bits.
func AttentionColumnSums(d Device, out, dst, q Array, kv KV, start int, by Attention) {
	if f, ok := d.(Fuser); ok {
		f.AttentionColumnSums(out, dst, q, kv, start, by)
		return
	}
	d.Attention(out, q, kv, start, by)
	d.ColumnSums(dst, q, kv, start, by)
}

package cuda

import (
	"fmt"
	"runtime"

	"github.com/snapbench/snapbench/runners/engine"
)

// aligned says that rows of n elements of 16-bit type, or of float32, can be read 16
// bytes at a time.
func aligned(n int, pointers ...uint64) bool {
	for _, p := range pointers {
		if p%16 != 0 {
			return false
		}
	}
	return n%8 == 0
}

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

// BlockTokens is how many tokens of a prompt go through a layer at a time: large
// products run at their full rate, and 32 heads' tiles of 128 queries fill 132
// multiprocessors sixteen times with none left over.
func (d *Device) BlockTokens() int { return 66 * 128 }

// Embed reads rows of the table. An id outside it is an error of the next Sync.
func (d *Device) Embed(dst engine.Array, table engine.Weight, ids engine.Array) {
	w := d.weight("Embed", table)
	same("Embed", "dst", dst.Len, ids.Len*w.cols)
	to, from := d.pointer("Embed", dst, d.kind), d.pointer("Embed", ids, engine.Int32)
	ok := d.enter("Embed")
	defer d.leave()
	if !ok {
		return
	}
	d.with(to, w.address, from).long(w.cols).int(w.rows).ptr(d.faultAddress)
	d.run(d.kernel("embed", "embed_"+d.suffix), ids.Len, 1, 256, 0)
}

// RMSNorm normalises rows.
func (d *Device) RMSNorm(dst, x, weight engine.Array, eps float32) {
	width := weight.Len
	if width == 0 || x.Len%width != 0 {
		panic(fmt.Sprintf("cuda: RMSNorm: x has %d elements, a row %d", x.Len, width))
	}
	same("RMSNorm", "dst", dst.Len, x.Len)
	to, from, w := d.pointer("RMSNorm", dst, d.kind), d.pointer("RMSNorm", x, d.kind), d.pointer("RMSNorm", weight, engine.Float32)
	ok := d.enter("RMSNorm")
	defer d.leave()
	if !ok {
		return
	}
	vec := aligned(width, to, from, w)
	threads := 256
	if vec {
		threads = min(max(int(roundUp(int64(blocks(width, 16)), 32)), 64), 512)
	}
	d.with(to, from, w).long(width).float(eps).int(flag(vec))
	d.run(d.kernel("rms_norm", "rms_norm_"+d.suffix), x.Len/width, 1, threads, 0)
}

// SwiGLU joins gate and up.
func (d *Device) SwiGLU(dst, gateUp engine.Array, ff int) {
	if ff <= 0 || dst.Len%ff != 0 {
		panic(fmt.Sprintf("cuda: SwiGLU: dst has %d elements, a row %d", dst.Len, ff))
	}
	same("SwiGLU", "gateUp", gateUp.Len, 2*dst.Len)
	to, from := d.pointer("SwiGLU", dst, d.kind), d.pointer("SwiGLU", gateUp, d.kind)
	ok := d.enter("SwiGLU")
	defer d.leave()
	if ok {
		d.swiGLU(to, from, dst.Len/ff, ff)
	}
}

func (d *Device) swiGLU(to, from uint64, m, ff int) {
	vec := aligned(ff, to, from)
	total, threads := m*ff, 256
	each := 1
	if vec {
		each = 8
	}
	d.with(to, from).long(total).int(ff, flag(vec))
	d.run(d.kernel("swiglu", "swiglu_"+d.suffix), blocks(total, each*threads), 1, threads, 0)
}

// rotary is the frequencies on the card: angles are taken when they are needed, in
// double precision, which costs less than reading a table.
type rotary struct {
	frequencies uint64
	half        int
	scale       float32
	positions   int
}

func (r *rotary) Positions() int { return r.positions }

// NewRotary keeps the frequencies.
func (d *Device) NewRotary(frequencies []float32, scale float32, n int) (engine.Rotary, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	call(d.driver.CtxSetCurrent, d.context)
	r := &rotary{half: len(frequencies), scale: scale, positions: n}
	var err error
	if r.frequencies, err = d.take(4 * int64(len(frequencies))); err != nil {
		return nil, err
	}
	ok := d.enter("NewRotary")
	defer d.leave()
	if !ok || !d.sendAll(r.frequencies, bytesOf(frequencies)) {
		d.arena.give(r.frequencies)
		return nil, d.Sync()
	}
	return r, nil
}

// FreeRotary gives the frequencies back.
func (d *Device) FreeRotary(r engine.Rotary) { d.arena.give(r.(*rotary).frequencies) }

// own is a rotary of this device for heads of that size.
func own(operation string, er engine.Rotary, h engine.Heads) *rotary {
	r, ok := er.(*rotary)
	if !ok {
		panic(fmt.Sprintf("cuda: %s: a rotary of another device", operation))
	}
	same(operation, "twice the frequencies", 2*r.half, h.Size)
	return r
}

// turn checks what Rotate and RotateAppend have in common and adds its arguments.
func (d *Device) turn(operation string, l *launch, h engine.Heads, er engine.Rotary, norm engine.QKNorm) *launch {
	r := own(operation, er, h)
	query, key := d.pointer(operation, norm.Query, engine.Float32), d.pointer(operation, norm.Key, engine.Float32)
	for _, a := range []engine.Array{norm.Query, norm.Key} {
		if a.Len != 0 {
			same(operation, "a norm", a.Len, h.Size)
		}
	}
	return l.ptr(r.frequencies).float(r.scale).ptr(query, key).float(norm.Epsilon)
}

// Rotate takes fused projections apart.
func (d *Device) Rotate(q engine.Array, kv engine.KV, qkv engine.Array, start int, h engine.Heads, er engine.Rotary, norm engine.QKNorm) {
	row := (h.Query + 2*h.KV) * h.Size
	if row == 0 || qkv.Len%row != 0 {
		panic(fmt.Sprintf("cuda: Rotate: qkv has %d elements, a row of %+v %d", qkv.Len, h, row))
	}
	m := qkv.Len / row
	d.checkRotate("Rotate", q, kv, m, start, h, er)
	qp, k, v := d.pointer("Rotate", q, d.kind), d.pointer("Rotate", kv.K, d.kind), d.pointer("Rotate", kv.V, d.kind)
	from := d.pointer("Rotate", qkv, d.kind)
	ok := d.enter("Rotate")
	defer d.leave()
	if !ok {
		return
	}
	l := d.turn("Rotate", d.with(qp, k, v, from), h, er, norm)
	vec := 0
	if aligned(0, qp, k, v, from) {
		vec = flag(h.Size%4 == 0) + flag(h.Size%16 == 0)
	}
	const tokens = 4 // of a block
	l.int(start).long(kv.Tokens).int(h.Query, h.KV, h.Size, m, vec)
	d.run(d.kernel("rotate", "rotate_"+d.suffix), blocks(m, tokens), 1, 256, 4*h.Size*tokens)
}

// checkRotate holds m rows from start on to where they go.
func (d *Device) checkRotate(operation string, q engine.Array, kv engine.KV, m, start int, h engine.Heads, er engine.Rotary) {
	same(operation, "q", q.Len, m*h.Query*h.Size)
	d.checkKV(operation, kv, h)
	if start < 0 || start+m > kv.Tokens || start+m > er.Positions() {
		panic(fmt.Sprintf("cuda: %s: rows %d to %d of %d, the rotary serves %d", operation, start, start+m, kv.Tokens, er.Positions()))
	}
}

func (d *Device) checkKV(operation string, kv engine.KV, h engine.Heads) {
	if kv.Heads != h.KV || kv.Size != h.Size || kv.K.Len != kv.Heads*kv.Tokens*kv.Size || kv.V.Len != kv.K.Len {
		panic(fmt.Sprintf("cuda: %s: keys of %d elements and values of %d as (%d, %d, %d) for %+v", operation, kv.K.Len, kv.V.Len, kv.Heads, kv.Tokens, kv.Size, h))
	}
	if h.KV <= 0 || h.Query%h.KV != 0 {
		panic(fmt.Sprintf("cuda: %s: %d query heads over %d", operation, h.Query, h.KV))
	}
	if h.Size > maxHead {
		panic(fmt.Sprintf("cuda: %s: heads of %d, at most %d are served", operation, h.Size, maxHead))
	}
}

// maxHead is the largest head size of the attention kernels.
const maxHead = 256

// Attention is causal attention of one block of queries.
func (d *Device) Attention(out, q engine.Array, kv engine.KV, start int, h engine.Heads, window int, scale float32) {
	m := d.checkAttention("Attention", q, kv, start, h)
	same("Attention", "out", out.Len, q.Len)
	to, qp := d.pointer("Attention", out, d.kind), d.pointer("Attention", q, d.kind)
	k, v := d.pointer("Attention", kv.K, d.kind), d.pointer("Attention", kv.V, d.kind)
	ok := d.enter("Attention")
	defer d.leave()
	if ok {
		d.attend(to, qp, k, v, lse{}, m, start, kv.Tokens, h, window, scale)
	}
}

// checkAttention holds queries from start on to the keys there are, and returns how many
// positions they have.
func (d *Device) checkAttention(operation string, q engine.Array, kv engine.KV, start int, h engine.Heads) int {
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
func (d *Device) attend(out, q, k, v uint64, rows lse, m, start, n int, h engine.Heads, window int, scale float32) {
	if d.hopper(out, q, k, v, rows, m, start, n, h, window, scale) {
		return
	}
	arguments := func() {
		d.with(out, rows.address).int(rows.pitch).ptr(q, k, v).int(m, start).long(n).int(h.Query, h.KV, h.Size, window).float(scale)
	}
	if d.kind == engine.Float32 || !aligned(h.Size, out, q, k, v) {
		const warps, keys = 8, 32
		arguments()
		d.run(d.kernel("attention", "attention_plain_"+d.suffix), blocks(m, warps), h.Query, 32*warps, 4*(warps*h.Size+2*keys*(h.Size+1)))
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
	d.run(d.kernel("attention", fmt.Sprintf("attention_mma_%d_%s", size, d.suffix)), blocks(m, queries), h.Query, 128, (queries+2*keys)*(size+8)*2)
}

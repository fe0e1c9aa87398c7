package cuda

import (
	"fmt"

	"github.com/snapbench/snapbench/runners/cuda/card"
	"github.com/snapbench/snapbench/runners/engine"
)

// Of the kernels of tiles.h, which multiply many rows: a tile is 256 rows of x by
// 256 of w, the work of two blocks.
const (
	tileRows    = 256
	tileBlocks  = 2
	tileThreads = 384
	tileStages  = 4
	tileShared  = tileStages*2*(128+256)*64 + 2*2*64*128 + 1024
)

// tiled says whether those kernels can multiply rows of n numbers that lie at pointers: they
// need compute capability 9.0, a 16-bit type, and alignment.
func (d *Device) tiled(n int, pointers ...uint64) bool {
	return d.hopperCard() && d.kind != engine.Float32 && aligned(n, pointers...)
}

// worthwhile says whether a product of m rows of x and so many rows of w has enough tiles,
// and tiles that are full enough, to keep most of the card busy.
func (d *Device) worthwhile(m, rows int) bool {
	if m <= fewRows || d.stepping {
		return false
	}
	if d.anyTiles {
		return true
	}
	at := max(1, d.card.Multiprocessors/tileBlocks) // tiles at a time
	rounds := blocks(blocks(m, tileRows)*blocks(rows, tileRows), at)
	const least = 0.8 // share of the rounds' area that must be rows
	return float64(m)*float64(rows) >= least*float64(rounds*at*tileRows*tileRows)
}

// inTiles starts one of the kernels of a file.
func (d *Device) inTiles(file, name string, a *card.Args) {
	a.Cluster(tileBlocks)
	d.card.Launch(d.card.Kernel(file, name+"_"+d.suffix), max(tileBlocks, d.card.Multiprocessors/tileBlocks*tileBlocks), 1, tileThreads, tileShared)
}

// mapped starts a list of arguments with two: the tensor map of x (m, cols), and an array of
// those of weights (·, cols).
func (d *Device) mapped(x uint64, m int, weights ...*weight) (*card.Args, bool) {
	ok := d.card.MapMatrix(0, x, d.kind, m, weights[0].cols, tileRows/tileBlocks)
	for i, w := range weights {
		ok = ok && d.card.MapMatrix(1+i, w.address, d.kind, w.rows, w.cols, tileRows/tileBlocks)
	}
	return d.card.Args().Maps(2), ok
}

// MatMulGate multiplies and joins gate and up.
func (d *Device) MatMulGate(dst, room, x engine.Array, ew engine.Weight, a engine.Activation) {
	w := d.weight("MatMulGate", ew)
	ff := w.rows / 2
	if w.rows%2 != 0 || x.Len%w.cols != 0 || dst.Len != x.Len/w.cols*ff || room.Len != 2*dst.Len {
		panic(fmt.Sprintf("cuda: MatMulGate: %d elements from %d by way of %d, w is (%d, %d)", dst.Len, x.Len, room.Len, w.rows, w.cols))
	}
	to, between, from := d.pointer("MatMulGate", dst, d.kind), d.pointer("MatMulGate", room, d.kind), d.pointer("MatMulGate", x, d.kind)
	ok := d.card.Enter("MatMulGate")
	defer d.card.Leave()
	if ok && x.Len > 0 {
		d.matMulGate(to, between, from, x.Len/w.cols, w, 0, a)
	}
}

func (d *Device) matMulGate(to, room, from uint64, m int, w *weight, used uint64, a engine.Activation) {
	ff := w.rows / 2
	if w.bias != 0 || ff%8 != 0 || !d.tiled(w.cols, to, from, w.address) || !d.worthwhile(m, w.rows) {
		d.product(room, d.kind, from, m, w, false, used)
		d.gate(to, room, m, ff, a)
		return
	}
	w, done, ok := d.plain(w)
	defer done()
	if !ok {
		return
	}
	if l, ok := d.mapped(from, m, w); ok {
		file, name := gated(a)
		numbers(l.Ptr(to).Int(m, ff, w.cols), a)
		d.inTiles(file, name, l)
	}
}

// gated is the file and the start of the name of the kernels that multiply and join: matmul_gate_sm90a.cu has those of the
// activations that most models do without.
func gated(a engine.Activation) (file, name string) {
	if a.Kind == engine.SwiGLU {
		return "matmul_sm90a", "matmul_swiglu"
	}
	return "matmul_gate_sm90a", "matmul_" + formula(a)
}

// MatMulRotate multiplies and takes the projections apart.
func (d *Device) MatMulRotate(q engine.Array, kv engine.KV, room, x engine.Array, ew engine.Weight, start int, h engine.Heads, er engine.Rotary, norm engine.QKNorm) {
	w := d.weight("MatMulRotate", ew)
	at := func(a engine.Array) uint64 { return d.pointer("MatMulRotate", a, d.kind) }
	to, k, v, from, turns := at(q), at(kv.K), at(kv.V), at(x), at(room) // the cosines and sines lie in room: they take less
	m := x.Len / w.cols
	r := own("MatMulRotate", er, h)
	if h.Size != 64 && h.Size != 128 || 2*r.half != h.Size || norm.Query.Len+norm.Key.Len > 0 || !d.tiled(w.cols, to, k, v, from, turns, w.address) || !d.worthwhile(m, w.rows) {
		d.MatMul(room, x, ew)
		d.Rotate(q, kv, room, start, h, er, norm)
		return
	}
	same("MatMulRotate", "a row of w's products", w.rows, (h.Query+2*h.KV)*h.Size)
	same("MatMulRotate", "room", room.Len, m*w.rows)
	same("MatMulRotate", "x", x.Len, m*w.cols)
	d.checkRotate("MatMulRotate", q, kv, m, start, h, er)
	ok := d.card.Enter("MatMulRotate")
	defer d.card.Leave()
	if !ok {
		return
	}
	w, done, ok := d.plain(w)
	defer done()
	if !ok {
		return
	}
	d.card.Args(turns, r.frequencies).Int(r.half, r.from).Float(r.scale).Int(start, m)
	d.card.Launch(d.card.Kernel("rotate", "rotate_turns"), blocks(m*r.half, 256), 1, 256, 0)
	if l, ok := d.mapped(from, m, w); ok {
		l.Ptr(to, k, v, w.bias, turns).Int(m, start).Long(kv.Tokens).Int(h.Query, h.KV, w.cols)
		d.inTiles("matmul_sm90a", fmt.Sprintf("matmul_rotate_%d", h.Size), l)
	}
}

package cuda

import "github.com/snapbench/snapbench/runners/engine"

// Embed reads rows of the table. An id outside it is an error of the next Sync.
func (d *Device) Embed(dst engine.Array, table engine.Weight, ids engine.Array, scale float32) {
	w := d.weight("Embed", table)
	same("Embed", "dst", dst.Len, ids.Len*w.cols)
	to, from := d.pointer("Embed", dst, d.kind), d.pointer("Embed", ids, engine.Int32)
	ok := d.card.Enter("Embed")
	defer d.card.Leave()
	if !ok {
		return
	}
	if inBlocks(w.storage) && aligned(w.cols, to) {
		name := blockName(w.storage)
		d.card.Args(to, w.address, from).Long(w.cols).Int(w.rows).Ptr(d.faultAddress).Float(scale)
		d.card.Launch(d.card.Kernel("matmul_"+name, "embed_"+name), ids.Len, 1, 256, 0)
		return
	}
	w, done, ok := d.plain(w)
	defer done()
	if !ok {
		return
	}
	a, name := d.card.Args(to, w.address, from).Long(w.cols).Int(w.rows).Ptr(d.faultAddress), "embed_"
	if scale != 1 {
		a.Float(scale)
		name = "embed_scaled_"
	}
	d.card.Launch(d.card.Kernel("embed", name+d.suffix), ids.Len, 1, 256, 0)
}

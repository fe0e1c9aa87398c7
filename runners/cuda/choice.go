package cuda

import (
	"fmt"

	"github.com/snapbench/snapbench/runners/cuda/card"
	"github.com/snapbench/snapbench/runners/engine"
)

// Cap bounds logits softly.
func (d *Device) Cap(x engine.Array, limit float32) {
	at := d.pointer("Cap", x, engine.Float32)
	ok := d.card.Enter("Cap")
	defer d.card.Leave()
	if !ok || x.Len == 0 {
		return
	}
	d.card.Args(at).Long(x.Len).Float(limit)
	d.card.Launch(d.card.Kernel("cap", "cap"), blocks(x.Len, 256), 1, 256, 0)
}

// ArgMax finds each row's highest logit, -1 in a row that is not finite.
func (d *Device) ArgMax(dst, logits engine.Array) {
	if dst.Len == 0 || logits.Len%dst.Len != 0 {
		panic(fmt.Sprintf("cuda: ArgMax: %d logits in %d rows", logits.Len, dst.Len))
	}
	to, from := d.pointer("ArgMax", dst, engine.Int32), d.pointer("ArgMax", logits, engine.Float32)
	ok := d.card.Enter("ArgMax")
	defer d.card.Leave()
	if !ok {
		return
	}
	vocab := logits.Len / dst.Len
	d.card.Args(to, from).Long(vocab)
	d.card.Launch(d.card.Kernel("choice", "argmax"), dst.Len, 1, 1024, 0)
}

// Divergence compares rows of logits.
func (d *Device) Divergence(dst, logits engine.Array, vocab int, p, q []int) {
	if vocab <= 0 || logits.Len%vocab != 0 || len(p) != len(q) {
		panic(fmt.Sprintf("cuda: Divergence: %d logits in rows of %d, %d against %d rows", logits.Len, vocab, len(p), len(q)))
	}
	same("Divergence", "dst", dst.Len, len(p))
	rows := logits.Len / vocab
	pairs := make([]int32, 0, 2*len(p))
	for _, side := range [][]int{p, q} {
		for _, r := range side {
			if r < 0 || r >= rows {
				panic(fmt.Sprintf("cuda: Divergence: row %d of %d", r, rows))
			}
			pairs = append(pairs, int32(r))
		}
	}
	to, from := d.pointer("Divergence", dst, engine.Float32), d.pointer("Divergence", logits, engine.Float32)
	ok := d.card.Enter("Divergence")
	defer d.card.Leave()
	if !ok || len(p) == 0 {
		return
	}
	pairTable, done, ok := card.Table(d.card, pairs)
	defer done()
	if !ok {
		return
	}
	d.card.Args(to, from).Long(vocab).Ptr(pairTable).Int(len(p))
	d.card.Launch(d.card.Kernel("choice", "divergence"), len(p), 1, 1024, 0)
}

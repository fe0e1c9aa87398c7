package enginetest

import (
	"fmt"

	"github.com/snapbench/snapbench/runners/engine"
)

func matMul(b *bench) {
	for _, c := range []struct{ rows, cols int }{{1, 8}, {17, 33}, {100, 80}, {96, 129}, {192, 576}, {33, 1000}, {31, 1536}} {
		for _, bias := range []bool{false, true} {
			var vectors []engine.Stored
			if bias {
				vectors = []engine.Stored{b.matrix(engine.F32, 1, c.rows)}
			}
			w := b.weight([]engine.Stored{b.matrix(engine.F32, c.rows, c.cols)}, vectors)
			for _, m := range append([]int{2, 3, 4, 5, 6, 7, 13, 14, 15, 20}, sizes...) {
				if m*c.rows*c.cols > 6_000_000 || !b.affords(3*m*c.rows*c.cols) {
					continue
				}
				b.product(fmt.Sprintf("x (%d, %d), w (%d, %d), bias %v", m, c.cols, c.rows, c.cols, bias), m, w)
			}
		}
	}
	// Long sums: the widths of 7B models.
	for _, cols := range []int{4096, 11008} {
		w := b.weight([]engine.Stored{b.matrix(engine.F32, 35, cols)}, nil)
		for _, m := range []int{1, 2, 33} {
			if b.affords(3 * m * 35 * cols) {
				b.product(fmt.Sprintf("x (%d, %d)", m, cols), m, w)
			}
		}
	}
}

// product checks MatMul into both types, and MatMulAdd.
func (b *bench) product(what string, m int, w weightPair) {
	b.Helper()
	rows, cols := w.ref.Rows(), w.ref.Cols()
	x := b.in(b.normal(m * cols))
	dst, wide, sum := b.out(m*rows), b.out32(m*rows), b.in(b.normal(m*rows))
	sum.input = nil // it is an output too
	b.both(func(d engine.Device, at func(*pair) engine.Array) {
		d.MatMul(at(dst), at(x), b.on(d, w))
		d.MatMul(at(wide), at(x), b.on(d, w))
		d.MatMulAdd(at(sum), at(x), b.on(d, w))
	})
	b.check(what, dst, m*rows, cols)
	b.checkWide(what+" to float32", wide, x, m, w)
	b.check(what+" added", sum, m*rows, cols)
	b.release()
}

// checkWide checks a product in float32, which is of a weight's rounded numbers or of its exact ones:
// all of it of the same.
func (b *bench) checkWide(what string, dst, x *pair, m int, w weightPair) {
	b.Helper()
	rows, cols := w.ref.Rows(), w.ref.Cols()
	if w.exact != nil {
		got, want := b.get(dst.dev), make([]float32, m*rows)
		b.ref.Get(want, dst.ref)
		if Compare(got, want, m*rows, cols, engine.Float32) != nil {
			b.ref.MatMul(dst.ref, x.ref, w.exact)
		}
	}
	b.check(what, dst, m*rows, cols)
}

func matMulStorages(b *bench) {
	for _, s := range Storages {
		for _, cols := range []int{32, 96, 576, 768, 1568, 1792} {
			if own := blockColumns(s); cols%own != 0 || own < 256 && cols%256 == 0 {
				continue
			}
			w := b.weight([]engine.Stored{b.matrix(s, 75, cols)}, []engine.Stored{b.matrix(engine.F32, 1, 75)})
			for _, m := range []int{1, 2, 3, 33, 65} {
				if b.affords(3 * m * 75 * cols) {
					b.product(fmt.Sprintf("%s, x (%d, %d)", s, m, cols), m, w)
				}
			}
		}
	}
	// Of several storages in blocks, as files have that keep some tensors with more bits; tiles of rows that parts do not fill.
	for _, bias := range [][]engine.Stored{nil, {b.matrix(engine.F32, 1, 40), nil, b.matrix(engine.F32, 1, 21)}} {
		w := b.weight([]engine.Stored{b.matrix(engine.Q4K, 40, 512), b.matrix(engine.Q4K, 9, 512), b.matrix(engine.Q6K, 21, 512)}, bias)
		for _, m := range []int{1, 11, 65} {
			b.product(fmt.Sprintf("blocks of two storages, %d rows", m), m, w)
		}
	}
	// Projections of q, k and v in one weight, each stored in another way, some without bias.
	w := b.weight([]engine.Stored{b.matrix(engine.Q4_1, 72, 192), b.matrix(engine.Q4_1, 24, 192), b.matrix(engine.BF16, 40, 192), b.matrix(engine.Q8_0, 9, 192)},
		[]engine.Stored{b.matrix(engine.F32, 1, 72), nil, b.matrix(engine.BF16, 1, 40), nil})
	for _, m := range []int{1, 3, 65} {
		b.product(fmt.Sprintf("mixed parts, %d rows", m), m, w)
	}
}

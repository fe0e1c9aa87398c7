package enginetest

import "github.com/snapbench/snapbench/runners/engine"

// errors: shapes that do not fit panic.
func errors(b *bench) {
	w := b.weight([]engine.Stored{b.matrix(engine.F32, 32, 64)}, nil)
	x, dst := b.in(b.normal(128)), b.out(65)
	defer func() {
		if recover() == nil {
			b.Error("a product into 65 numbers of (2, 32) did not panic")
		}
	}()
	b.dev.MatMul(dst.dev, x.dev, w.dev)
}

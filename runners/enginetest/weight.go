package enginetest

import (
	"strings"

	"github.com/snapbench/snapbench/runners/engine"
)

func weights(b *bench) {
	w, err := b.dev.LoadWeight([]engine.Stored{b.matrix(engine.F32, 8, 32), b.matrix(engine.BF16, 8, 64)}, nil)
	if err == nil {
		b.dev.FreeWeight(w)
		b.Error("parts of 32 and 64 columns were stacked")
	} else if !strings.Contains(err.Error(), "32") || !strings.Contains(err.Error(), "64") {
		b.Errorf("the error does not name both widths: %v", err)
	}
	p := b.weight([]engine.Stored{b.matrix(engine.F32, 8, 32), b.matrix(engine.Q8_0, 40, 32)}, nil)
	if p.dev.Rows() != 48 || p.dev.Cols() != 32 {
		b.Errorf("8 and 40 rows of 32 make (%d, %d)", p.dev.Rows(), p.dev.Cols())
	}
}

func vector(b *bench) {
	m := b.matrix(engine.F32, 1, 129)
	a, err := b.dev.LoadVector(m)
	b.must(err)
	defer b.dev.Free(a)
	if a.Type != engine.Float32 {
		b.Errorf("a vector is %s, want float32", a.Type)
	}
	if err := same(b.get(a), m.values); err != nil {
		b.Error(err)
	}
}

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

// badStored is a matrix with a row of other bytes.
type badStored struct {
	*Matrix
	row int
	raw []byte
}

func (s badStored) RawRow(i int) []byte {
	if i == s.row {
		return s.raw
	}
	return s.Matrix.RawRow(i)
}

// packedNaN: a weight with a NaN among its codes is refused by name.
func packedNaN(b *bench) {
	for _, s := range []engine.Storage{engine.MXFP4, engine.E4M3} {
		m := b.matrix(s, 40, 64)
		raw := append([]byte(nil), m.RawRow(37)...)
		if s == engine.MXFP4 {
			raw[17] = 255 // the second block's scale
		} else {
			raw[40] = 0xff
		}
		before := b.dev.Memory().InUse
		if w, err := b.dev.LoadWeight([]engine.Stored{badStored{m, 37, raw}}, nil); err == nil {
			b.dev.FreeWeight(w)
			b.Errorf("%s: a NaN was loaded", s)
		} else if !strings.Contains(err.Error(), m.Name()) {
			b.Errorf("%s: the error does not name the weight: %v", s, err)
		}
		if after := b.dev.Memory().InUse; after != before {
			b.Errorf("%s: %d bytes are held after a weight was refused", s, after-before)
		}
	}
}

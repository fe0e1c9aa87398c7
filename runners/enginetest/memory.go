package enginetest

import "github.com/snapbench/snapbench/runners/engine"

func memoryAccount(b *bench) {
	b.dev.ResetPeak()
	before := b.dev.Memory()
	a, err := b.dev.New(b.dev.Type(), 100_000)
	b.must(err)
	during := b.dev.Memory()
	b.dev.Free(a)
	after := b.dev.Memory()
	if during.InUse-before.InUse < a.Bytes() {
		b.Errorf("an array of %d bytes changed InUse from %d to %d", a.Bytes(), before.InUse, during.InUse)
	}
	if after.InUse != before.InUse {
		b.Errorf("InUse is %d after New and Free, was %d", after.InUse, before.InUse)
	}
	if after.Peak < during.InUse {
		b.Errorf("peak is %d, was %d in use", after.Peak, during.InUse)
	}
	b.dev.ResetPeak()
	if m := b.dev.Memory(); m.Peak != m.InUse {
		b.Errorf("peak is %d after a reset, %d in use", m.Peak, m.InUse)
	}
	if trimmer, ok := b.dev.(engine.Trimmer); ok {
		b.in(b.normal(1000))
		use := b.dev.Memory().InUse
		trimmer.Trim()
		if m := b.dev.Memory(); m.InUse != use {
			b.Errorf("InUse is %d after Trim, was %d", m.InUse, use)
		}
		b.unchanged("trim")
		b.release()
	}
	w, err := b.dev.LoadWeight([]engine.Stored{b.matrix(engine.F32, 64, 64)}, nil)
	b.must(err)
	loaded := b.dev.Memory()
	if w.Bytes() <= 0 || loaded.Weights-before.Weights != w.Bytes() {
		b.Errorf("a weight of %d bytes changed Weights from %d to %d", w.Bytes(), before.Weights, loaded.Weights)
	}
	b.dev.FreeWeight(w)
	if m := b.dev.Memory(); m.Weights != before.Weights || m.InUse != before.InUse {
		b.Errorf("%+v after freeing a weight, %+v before it was loaded", m, before)
	}
}

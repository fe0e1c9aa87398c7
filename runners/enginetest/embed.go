package enginetest

import (
	"strings"

	"github.com/snapbench/snapbench/runners/engine"
)

func embed(b *bench) {
	for _, s := range Storages {
		cols := 96
		if cols%blockColumns(s) != 0 {
			cols = 256
		}
		table := b.weight([]engine.Stored{b.matrix(s, 77, cols)}, nil)
		for _, n := range []int{1, 33, 127} {
			ids := make([]int32, n)
			for i := range ids {
				ids[i] = int32(b.rng.IntN(77))
			}
			ids[0], ids[n-1] = 76, 0
			p, dst := b.inInts(ids), b.out(n*cols)
			b.both(func(d engine.Device, at func(*pair) engine.Array) { d.Embed(at(dst), b.on(d, table), at(p), 1) })
			if b.dev.Type() == engine.Float32 { // exact: nothing is computed
				want := make([]float32, n*cols)
				b.ref.Get(want, dst.ref)
				for i, g := range b.get(dst.dev) {
					if g != want[i] {
						b.Fatalf("%s: number %d is %v, want %v", s, i, g, want[i])
					}
				}
			}
			b.check(s.String(), dst, cols, 0)
			b.both(func(d engine.Device, at func(*pair) engine.Array) { d.Embed(at(dst), b.on(d, table), at(p), 25.298221) })
			b.check(s.String()+", scaled", dst, cols, 0)
			b.release()
		}
	}
	table := b.weight([]engine.Stored{b.matrix(engine.F32, 77, 32)}, nil)
	ids, dst := b.inInts([]int32{5, 77}), b.out(64)
	if strings.HasPrefix(b.dev.Name(), "ref") {
		return // the reference panics on such an id
	}
	b.dev.Embed(dst.dev, table.dev, ids.dev, 1)
	if err := b.dev.Sync(); err == nil || !strings.Contains(err.Error(), "mbed") {
		b.Errorf("token 77 of a table of 77: Sync says %v", err)
	}
	if err := b.dev.Sync(); err != nil {
		b.Errorf("Sync reports an error twice: %v", err)
	}
}

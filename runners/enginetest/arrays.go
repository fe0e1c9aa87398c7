package enginetest

import "github.com/snapbench/snapbench/runners/engine"

func arrays(b *bench) {
	v := b.normal(1000)
	a := b.in(v)
	first := a.input
	// What went through the type once goes through it unchanged.
	again := b.in(first)
	if err := same(again.input, first); err != nil {
		b.Errorf("put, get: %v", err)
	}
	if b.dev.Type() == engine.Float32 {
		if err := same(first, v); err != nil {
			b.Errorf("put, get: %v", err)
		}
	}
	dst := b.out(600)
	b.dev.Copy(dst.dev.Slice(100, 400), a.dev.Slice(33, 333))
	got := b.get(dst.dev)
	if err := same(got[100:400], first[33:333]); err != nil {
		b.Errorf("copy: %v", err)
	}
	for i, g := range got {
		if (i < 100 || i >= 400) && g == g {
			b.Fatalf("copy wrote number %d, which is outside its slice", i)
		}
	}
	ints := b.inInts([]int32{3, -1, 1 << 30, 7})
	to := b.outInts(4)
	b.dev.Copy(to.dev, ints.dev)
	for i, g := range b.getInts(to.dev) {
		if g != ints.ints[i] {
			b.Errorf("copy: integer %d is %d, want %d", i, g, ints.ints[i])
		}
	}
	b.dev.Put(dst.dev.Slice(5, 6), first[:1])
	if g := b.get(dst.dev.Slice(5, 6)); g[0] != first[0] {
		b.Errorf("put to a slice: %v, want %v", g[0], first[0])
	}
	b.unchanged("copy")
}

package cuda

import (
	"fmt"
	"slices"
	"testing"

	"github.com/snapbench/snapbench/runners/cuda/emulator"
	"github.com/snapbench/snapbench/runners/engine"
)

// TestEmulatedWide: the kernels for 49 to 256 rows give the bits of those for few, however a
// product is shared out.
func TestEmulatedWide(t *testing.T) {
	p := emulatedCard(9, 0)
	p.Multiprocessors = 8 // four clusters
	for _, kind := range []engine.Type{engine.BFloat16, engine.Float16} {
		d, card := Emulated(t, p, kind)
		for _, shape := range [][2]int{{75, 200}, {300, 72}, {150, 1160}} { // of 200 columns, shares 2 to 7 have none
			rows, cols := shape[0], shape[1]
			const m = wideRows
			w := must[engine.Weight](t)(d.LoadWeight([]engine.Stored{random{"w", rows, cols, 1}}, []engine.Stored{random{"b", 1, rows, 2}}))
			t.Cleanup(func() { d.FreeWeight(w) })
			for _, out := range []engine.Type{kind, engine.Float32} {
				x, dst := must[engine.Array](t)(d.New(kind, m*cols)), must[engine.Array](t)(d.New(out, m*rows))
				v := make([]float32, m*max(rows, cols))
				for i := range v {
					v[i] = float32(i*7919%1000)/500 - 1
				}
				d.Put(x, v[:m*cols])
				product := func(lo, hi, most int) []float32 {
					d.Put(dst, v[:m*rows])
					for at := lo; at < hi; at += most {
						to := min(hi, at+most)
						engine.Step(d, func() { d.MatMulAdd(dst.Slice(at*rows, to*rows), x.Slice(at*cols, to*cols), w) })
					}
					got := make([]float32, m*rows)
					d.Get(got, dst)
					return got[lo*rows : hi*rows]
				}
				want := product(0, m, 8)
				for _, parts := range []int{1, 2} {
					for _, tile := range []int{16, 48, 64, 112, 128} {
						d.anyParts = wideTiles{rows: tile, parts: parts}
						for _, n := range []int{49, 70, 97, wideGroup, 150, m} {
							if tile < 48 && n > 70 || rows > 150 && n > 97 || n > wideGroup && tile > 64 {
								continue
							}
							if !slices.Equal(product(m-n, m, n), want[(m-n)*rows:]) {
								t.Errorf("%v (%d, %d) to %v: %d rows in tiles of %d, %d parts, have other bits than in eights", kind, rows, cols, out, n, tile, parts)
							}
						}
					}
				}
				d.anyParts = wideTiles{}
				d.Free(x, dst)
			}
		}
		if err := d.Sync(); err != nil {
			t.Error(err)
		}
		for _, n := range []int{32, 48, 64, 96, 128} {
			if name := fmt.Sprintf("matmul_wide_%d_%s", n, d.suffix); card.Launches()[name] == 0 {
				t.Errorf("%s was not launched", name)
			}
		}
	}
}

// TestWideTiles: on 132 multiprocessors, products of few rows of w have their columns in
// parts, and those of many do not.
func TestWideTiles(t *testing.T) {
	d, _ := Emulated(t, emulator.H100, engine.BFloat16)
	for _, c := range []struct{ m, rows, cols, parts int }{
		{128, 28672, 4096, 1}, {128, 128256, 4096, 1}, {64, 4096, 14336, 2}, {128, 4096, 14336, 2}, {128, 3584, 18944, 2}, {128, 12288, 4096, 1},
	} {
		got := d.wideTiles(c.m, c.rows, c.cols)
		if got.parts != c.parts || got.clusters > 66 || got.clusters%got.parts != 0 || got.parts > 1 && blocks(c.rows, 2*got.rows)*got.parts > got.clusters {
			t.Errorf("%+v: %+v", c, got)
		}
	}
}

// conformWide has a card of compute capability 9.0 multiply 70, 128 and 256 rows in a step, to both
// types, whole and in two parts: kernels that the suite's own steps, whose work is bounded, may not reach.
func conformWide(t *testing.T, d *Device) {
	if !d.hopperCard() || d.kind == engine.Float32 {
		return
	}
	const m, rows, cols = wideRows, 75, 200
	w := must[engine.Weight](t)(d.LoadWeight([]engine.Stored{random{"w", rows, cols, 1}}, nil))
	defer d.FreeWeight(w)
	defer func() { d.anyParts = wideTiles{} }()
	for _, out := range []engine.Type{d.kind, engine.Float32} {
		x, dst := must[engine.Array](t)(d.New(d.kind, m*cols)), must[engine.Array](t)(d.New(out, m*rows))
		v := make([]float32, m*cols)
		for i := range v {
			v[i] = float32(i*7919%1000)/500 - 1
		}
		d.Put(x, v)
		product := func(most int) []float32 {
			for at := 0; at < m; at += most {
				to := min(m, at+most)
				engine.Step(d, func() { d.MatMul(dst.Slice(at*rows, to*rows), x.Slice(at*cols, to*cols), w) })
			}
			got := make([]float32, m*rows)
			d.Get(got, dst)
			return got
		}
		want := product(8)
		for _, parts := range []int{1, 2} {
			for _, n := range []int{70, wideGroup, m} {
				d.anyParts = wideTiles{rows: 128 / blocks(n, wideGroup), parts: parts}
				if !slices.Equal(product(n), want) {
					t.Errorf("%v to %v, %d parts: %d rows have other bits than in eights", d.kind, out, parts, n)
				}
			}
		}
		d.anyParts = wideTiles{}
		d.Free(x, dst)
	}
}

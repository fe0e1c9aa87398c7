package cuda

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/enginetest"
)

// TestEmulatedPackedRows: on compute capability 9.0 more than eight rows of x are multiplied by a packed weight in one
// pass, with the bits that they have by eights: by every kernel, by clusters of two and of four, with and without a bias,
// what is there, a last turn that is not whole, turns that are fewer than shares, and rows that fill no tile.
func TestEmulatedPackedRows(t *testing.T) {
	storages := []engine.Storage{engine.MXFP4, engine.E4M3}
	for s := range blockStorages {
		storages = append(storages, s)
	}
	for _, s := range storages {
		t.Run(s.String(), func(t *testing.T) {
			t.Parallel()
			d, card := Emulated(t, emulatedCard(9, 0), engine.BFloat16)
			rng := rand.New(rand.NewPCG(uint64(s), 7))
			for _, c := range []struct {
				rows, cols int
				m          []int
			}{{20, 256, []int{9, 40}}, {150, 160, []int{16, 33}}, {300, 512, []int{17, 30}}, {530, 1120, []int{12, 25}}, {530, 1280, []int{9, 64, 70}}, {40, 2304, []int{19}}} {
				if b, ok := blockStorages[s]; ok && c.cols%b.numbers != 0 {
					continue
				}
				w := must[engine.Weight](t)(d.LoadWeight([]engine.Stored{enginetest.Random("w", s, c.rows, c.cols, rng)}, []engine.Stored{enginetest.Random("b", engine.F32, 1, c.rows, rng)}))
				for i, m := range c.m {
					packedRowsAlike(t, d, w, m, i%2 == 0, rng)
				}
				d.FreeWeight(w)
			}
			name := packedName(s)
			if inBlocks(s) {
				name = blockName(s)
			}
			for _, eights := range []int{2, 3, 4, 8} {
				for _, kind := range []string{"", "_f32"} {
					if kernel := fmt.Sprintf("matmul_packed_rows_%d_%s%s", eights, name, kind); card.Launches()[kernel] == 0 {
						t.Errorf("%s did not run", kernel)
					}
				}
			}
		})
	}
}

// packedRowsAlike holds a product of m rows to those of eight of them at a time.
func packedRowsAlike(t *testing.T, d *Device, w engine.Weight, m int, add bool, rng *rand.Rand) {
	t.Helper()
	values := func(n int) []float32 {
		v := make([]float32, n)
		for i := range v {
			v[i] = rounded(float32(rng.NormFloat64()))
		}
		return v
	}
	rows, cols := w.Rows(), w.Cols()
	x := must[engine.Array](t)(d.New(d.kind, m*cols))
	defer d.Free(x)
	d.Put(x, values(m*cols))
	for _, kind := range []engine.Type{engine.Float32, d.kind} {
		at, by := must[engine.Array](t)(d.New(kind, m*rows)), must[engine.Array](t)(d.New(kind, m*rows))
		before, got, want := values(m*rows), make([]float32, m*rows), make([]float32, m*rows)
		d.Put(at, before)
		d.Put(by, before)
		product := d.MatMul
		if add {
			product = d.MatMulAdd
		}
		d.Step(func() { product(at, x, w) })
		for lo := 0; lo < m; lo += 8 {
			hi := min(lo+8, m)
			product(by.Slice(lo*rows, hi*rows), x.Slice(lo*cols, hi*cols), w)
		}
		d.Get(got, at)
		d.Get(want, by)
		if err := d.Sync(); err != nil {
			t.Fatalf("(%d, %d), %d rows: %v", rows, cols, m, err)
		}
		for i := range want {
			if got[i] != want[i] {
				t.Fatalf("(%d, %d) in %v: row %d of %d, number %d is %v, by eights %v", rows, cols, kind, i/rows, m, i%rows, got[i], want[i])
			}
		}
		d.Free(at, by)
	}
}

// TestEmulatedLargeScales: MXFP4's scales above 2, which take two multiplications, beside others.
func TestEmulatedLargeScales(t *testing.T) {
	magnitudes, rng := []float64{0, 0.5, 1, 1.5, 2, 3, 4, 6}, rand.New(rand.NewPCG(8, 9))
	m := recordedRow{storage: engine.MXFP4}
	for _, e := range []int{126, 128, 129, 127, 133, 120, 140, 128} {
		at := len(m.values)
		m.raw, m.values = append(m.raw, byte(e)), append(m.values, make([]float32, 32)...)
		for i := range 16 {
			b := byte(rng.UintN(256))
			m.raw = append(m.raw, b)
			for half, code := range []byte{b & 15, b >> 4} {
				v := math.Ldexp(magnitudes[code&7], e-127)
				if code > 7 {
					v = -v
				}
				m.values[at+i+16*half] = float32(v)
			}
		}
	}
	for _, major := range []int{8, 9} {
		d, _ := Emulated(t, emulatedCard(major, 0), engine.BFloat16)
		w := must[engine.Weight](t)(d.LoadWeight([]engine.Stored{m}, nil))
		blocksMultiplied(t, d, w, m)
		blocksRead(t, d, w, m)
		packedRowsAlike(t, d, w, 11, false, rng)
		d.FreeWeight(w)
	}
}

package cuda

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/enginetest"
)

// packedMixture loads a mixture whose experts are in a storage, with biases.
func packedMixture(t testing.TB, d *Device, s engine.Storage, experts, perToken, width, ff int) engine.Experts {
	rng := rand.New(rand.NewPCG(uint64(s), uint64(ff)))
	load := func(s engine.Storage, rows, cols int) engine.Weight {
		m := []engine.Stored{enginetest.Random(fmt.Sprint(s), s, rows, cols, rng)}
		bias := []engine.Stored{enginetest.Random("bias", engine.F32, 1, rows, rng)}
		w := must[engine.Weight](t)(d.LoadWeight(m, bias))
		t.Cleanup(func() { d.FreeWeight(w) })
		return w
	}
	e := engine.Experts{Router: load(engine.F32, experts, width), PerToken: perToken}
	for range experts {
		e.GateUp, e.Down = append(e.GateUp, load(s, 2*ff, width)), append(e.Down, load(s, width, ff))
	}
	return e
}

// TestEmulatedMixtureOfOne: the kernels that multiply one row by its experts, and join gate and up or add up what experts give,
// have the bits of those that do so for several, whether experts have fewer shares of columns than there are warps, turns that are not
// whole, or several turns a share, and where experts are not pairs: so no row depends on its company.
func TestEmulatedMixtureOfOne(t *testing.T) {
	d, card := Emulated(t, emulatedCard(9, 0), engine.BFloat16)
	for _, s := range []engine.Storage{engine.MXFP4, engine.E4M3, engine.BF16} {
		for _, c := range []struct{ experts, perToken, width, ff int }{{4, 1, 32, 32}, {6, 4, 96, 160}, {12, 8, 64, 768}, {5, 3, 64, 1312}, {18, 16, 32, 64}, {40, 7, 1184, 32}} {
			e := packedMixture(t, d, s, c.experts, c.perToken, c.width, c.ff)
			x, dst, rng := must[engine.Array](t)(d.New(d.kind, c.width)), must[engine.Array](t)(d.New(d.kind, c.width)), rand.New(rand.NewPCG(7, 8))
			numbers, before := make([]float32, c.width), make([]float32, c.width)
			for i := range numbers {
				numbers[i], before[i] = float32(rng.NormFloat64()), float32(rng.NormFloat64())
			}
			if c.width == 64 {
				e.Activation = engine.Activation{Kind: engine.ClampedSwiGLU, Alpha: 1.702, Limit: 0.5}
			}
			var got [2][]float32
			for i, apart := range []bool{false, true} {
				d.rowsApart = apart
				d.Put(x, numbers)
				d.Put(dst, before)
				d.MixtureAdd(dst, x, e)
				got[i] = make([]float32, c.width)
				d.Get(got[i], dst)
				if err := d.Sync(); err != nil {
					t.Fatal(err)
				}
			}
			if !slices.Equal(got[0], got[1]) {
				t.Errorf("%s %+v: %v, want %v", s, c, got[0], got[1])
			}
			d.Free(x, dst)
		}
		if card.Launches()["mixture_router"] == 0 {
			t.Error("mixture_router did not run")
		}
		for _, name := range []string{"mixture_down_", "mixture_swiglu_", "mixture_clamped_"} {
			if name += rings[s].name; card.Launches()[name] == 0 {
				t.Errorf("%s did not run", name)
			}
		}
	}
}

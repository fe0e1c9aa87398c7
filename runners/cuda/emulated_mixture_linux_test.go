package cuda

import (
	"fmt"
	"math"
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
	for _, s := range []engine.Storage{engine.E4M3, engine.BF16} {
		for _, c := range []struct{ experts, perToken, width, ff int }{{4, 1, 32, 32}, {6, 4, 96, 160}, {12, 8, 64, 768}, {5, 3, 64, 1312}, {18, 16, 32, 64}, {40, 7, 1184, 32}} {
			e := packedMixture(t, d, s, c.experts, c.perToken, c.width, c.ff)
			if c.width == 64 {
				e.Activation = engine.Activation{Kind: engine.ClampedSwiGLU, Alpha: 1.702, Limit: 0.5}
			}
			if got, want := mixedBoth(t, d, e, c.width); !slices.Equal(got, want) {
				t.Errorf("%s %+v: %v, want %v", s, c, got, want)
			}
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

// mixedBoth is what a mixture adds to a row, by the kernels for one row and by those for several.
func mixedBoth(t testing.TB, d *Device, e engine.Experts, width int) (one, several []float32) {
	x, dst, rng := must[engine.Array](t)(d.New(d.kind, width)), must[engine.Array](t)(d.New(d.kind, width)), rand.New(rand.NewPCG(7, 8))
	defer d.Free(x, dst)
	numbers, before := make([]float32, width), make([]float32, width)
	for i := range numbers {
		numbers[i], before[i] = float32(rng.NormFloat64()), float32(rng.NormFloat64())
	}
	of := func(apart bool) []float32 {
		d.rowsApart = apart
		d.Put(x, numbers)
		d.Put(dst, before)
		d.MixtureAdd(dst, x, e)
		got := make([]float32, width)
		d.Get(got, dst)
		if err := d.Sync(); err != nil {
			t.Fatal(err)
		}
		return got
	}
	return of(false), of(true)
}

// powers is a matrix in MXFP4 whose blocks have the given scales one after the other.
type powers struct {
	rows, cols int
	scales     []byte
}

func (p powers) Name() string            { return "powers" }
func (p powers) Rows() int               { return p.rows }
func (p powers) Cols() int               { return p.cols }
func (p powers) Storage() engine.Storage { return engine.MXFP4 }

func (p powers) RawRow(i int) (raw []byte) {
	for b := range p.cols / 32 {
		raw = append(raw, p.scales[(i+b)%len(p.scales)])
		for j := range 16 {
			raw = append(raw, byte(i*73+b*31+j*29))
		}
	}
	return raw
}

func (p powers) ReadRow(i int, dst []float32) {
	for b := range p.cols / 32 {
		raw := p.RawRow(i)[17*b:]
		for j := range 32 {
			code := raw[1+j%16] >> (j / 16 * 4) & 15
			v := math.Ldexp([]float64{0, 0.5, 1, 1.5, 2, 3, 4, 6}[code&7], int(raw[0])-127)
			if code > 7 {
				v = -v
			}
			dst[32*b+j] = float32(v)
		}
	}
}

// TestEmulatedScales: a number of MXFP4 is what its code and scale say for any scale, also where products have a way for scales
// above 2 (kernels/packed.h), which few models have; and a mixture's row has the same bits whichever kernels are asked for.
func TestEmulatedScales(t *testing.T) {
	d, _ := Emulated(t, emulatedCard(9, 0), engine.BFloat16)
	p := powers{rows: 48, cols: 160, scales: []byte{20, 100, 127, 128, 129, 130, 200, 250}}
	w := must[engine.Weight](t)(d.LoadWeight([]engine.Stored{p}, nil))
	defer d.FreeWeight(w)
	x, dst := must[engine.Array](t)(d.New(d.kind, 8*p.cols)), must[engine.Array](t)(d.New(d.kind, 8*p.rows))
	defer d.Free(x, dst)
	want, got := make([]float32, p.cols), make([]float32, 8*p.rows)
	for first := 0; first < p.cols; first += 8 {
		units := make([]float32, 8*p.cols)
		for i := range 8 {
			units[i*p.cols+first+i] = 1
		}
		d.Put(x, units)
		d.MatMul(dst, x, w)
		d.Get(got, dst)
		for r := range p.rows {
			p.ReadRow(r, want)
			for i := range 8 {
				if v := got[i*p.rows+r]; v != want[first+i] {
					t.Fatalf("row %d, column %d: %g, want %g", r, first+i, v, want[first+i])
				}
			}
		}
	}
	e := engine.Experts{Router: must[engine.Weight](t)(d.LoadWeight([]engine.Stored{enginetest.Random("router", engine.F32, 4, 96, rand.New(rand.NewPCG(1, 2)))}, nil)), PerToken: 3}
	for i := range 4 {
		scales := [][]byte{{118, 119, 120}, {118, 130, 119}, {129, 131, 128}, {120, 116, 129, 118}}[i]
		e.GateUp = append(e.GateUp, must[engine.Weight](t)(d.LoadWeight([]engine.Stored{powers{128, 96, scales}}, nil)))
		e.Down = append(e.Down, must[engine.Weight](t)(d.LoadWeight([]engine.Stored{powers{96, 64, scales}}, nil)))
	}
	a, rows := mixedBoth(t, d, e, 96)
	if !slices.Equal(a, rows) || slices.ContainsFunc(a, func(v float32) bool { return math.IsInf(float64(v), 0) || v != v }) {
		t.Errorf("%v, want %v", a, rows)
	}
}

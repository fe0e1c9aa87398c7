package modeltest

import (
	"os"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/ref"
)

// cudaFew is the number of rows up to which a card's rows do not depend on each other. In
// float32 a step never uses cuBLAS, so it is any number.
func cudaFew(t engine.Type) int {
	if t == engine.Float32 {
		return 0
	}
	return ownRows
}

// cudaTypes are all types that a card's device may be opened with.
var cudaTypes = []engine.Type{engine.Float32, engine.BFloat16, engine.Float16}

func TestCompanyOnRef(t *testing.T) {
	Company(t, ref.New(), 0, workloadOf(t, "shape:tiny", 100, 61))
}

func TestCompanyOnCPU(t *testing.T) {
	each(t, func(t *testing.T, w workload) { Company(t, CPU(t), 0, w) })
}

func TestCompanyOnCUDA(t *testing.T) {
	for _, kind := range cudaTypes {
		t.Run(kind.String(), func(t *testing.T) {
			d := CUDA(t, kind)
			each(t, func(t *testing.T, w workload) { Company(t, d, cudaFew(kind), w) })
		})
	}
}

func TestRealCompanyOnCPU(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	Company(t, CPU(t), 0, realWorkload(t, os.Getenv("SNAPBENCH_LONG") != ""))
}

func TestRealCompanyOnCUDA(t *testing.T) {
	for _, kind := range []engine.Type{engine.Float32, engine.BFloat16} {
		t.Run(kind.String(), func(t *testing.T) { Company(t, CUDA(t, kind), cudaFew(kind), realWorkload(t, true)) })
	}
}

func TestTwiceOnCPU(t *testing.T) {
	each(t, func(t *testing.T, w workload) {
		Twice(t, func(t *testing.T) engine.Device { return CPU(t) }, w)
	})
}

func TestTwiceOnCUDA(t *testing.T) {
	for _, kind := range cudaTypes {
		t.Run(kind.String(), func(t *testing.T) {
			CUDA(t, kind) // skips the whole test if there is no card
			each(t, func(t *testing.T, w workload) {
				Twice(t, func(t *testing.T) engine.Device { return CUDA(t, kind) }, w)
			})
		})
	}
}

func TestRealTwiceOnCUDA(t *testing.T) {
	for _, kind := range []engine.Type{engine.Float32, engine.BFloat16} {
		t.Run(kind.String(), func(t *testing.T) {
			CUDA(t, kind)
			Twice(t, func(t *testing.T) engine.Device { return CUDA(t, kind) }, realWorkload(t, true))
		})
	}
}

// crowded is a device whose products depend on the number of rows. off may be less
// than float32's tolerance, or more.
type crowded struct {
	engine.Device
	off float32
}

func (c crowded) MatMulAdd(dst, x engine.Array, w engine.Weight) {
	c.Device.MatMulAdd(dst, x, w)
	rows := x.Len / w.Cols()
	if rows < 2 || rows > 40 {
		return
	}
	v := make([]float32, dst.Len)
	c.Get(v, dst)
	for i := range v {
		v[i] *= 1 + c.off
	}
	c.Put(dst, v)
}

func TestCompanyFails(t *testing.T) {
	w := workloadOf(t, "shape:tiny", 100)
	for _, off := range []float32{0x1p-20, 0x1p-8} {
		if found := dependences(t, crowded{ref.New(), off}, 0, w); len(found) == 0 || !strings.Contains(found[0], "alone and with others: step 0") {
			t.Errorf("rows that are %g off in company are found as %q", off, found)
		}
	}
}

// TestDiffers tests that the comparison finds every kind of difference.
func TestDiffers(t *testing.T) {
	full := answer{
		variant: compress.Full, prefill: []float32{1, 2}, kept: [][][]int32{{{0, 1}}}, logits: [][]float32{{1, 2}, {2, 1}},
		fed: []int32{1, 1}, chosen: []int32{1, 1, 0},
	}
	nan := float32(0)
	nan /= nan
	for name, c := range map[string]struct {
		change func(a *answer)
		want   string
	}{
		"equal":          {func(a *answer) {}, ""},
		"a position":     {func(a *answer) { a.kept = [][][]int32{{{0, 2}}} }, "positions"},
		"the last bit":   {func(a *answer) { a.logits[1][0] += 0x1p-22 }, "step 1: logits"},
		"NaN":            {func(a *answer) { a.logits[1][0] = nan }, "step 1: logits"},
		"the prompt's":   {func(a *answer) { a.prefill[0] += 0x1p-22 }, "after the prompt"},
		"another choice": {func(a *answer) { a.chosen[1] = 0 }, "step 0: chose"},
		"fed otherwise":  {func(a *answer) { a.fed[1] = 0 }, "step 1: fed"},
		"fewer steps":    {func(a *answer) { a.logits, a.fed, a.chosen = a.logits[:1], a.fed[:1], a.chosen[:2] }, ""},
		"a large step":   {func(a *answer) { a.logits[1][0] += 2e-4 }, "step 1: logits"},
		"a tie":          {func(a *answer) { a.chosen[2] = 1; a.logits[1] = []float32{2, 2} }, "step 1"},
		"fewer logits":   {func(a *answer) { a.logits[0] = a.logits[0][:1] }, "step 0: logits"},
	} {
		changed := full
		changed.prefill = append([]float32(nil), full.prefill...)
		changed.fed, changed.chosen = append([]int32(nil), full.fed...), append([]int32(nil), full.chosen...)
		changed.logits = [][]float32{append([]float32(nil), full.logits[0]...), append([]float32(nil), full.logits[1]...)}
		c.change(&changed)
		err := changed.differs(full)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

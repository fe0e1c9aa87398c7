package modeltest

import (
	"math"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/ref"
)

// cudaFew is how many rows the card multiplies by the package's own kernels, whose
// rows do not depend on each other; more are cuBLAS's.
const cudaFew = 64

// cudaTypes are all that a card's device may be opened with.
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
			each(t, func(t *testing.T, w workload) { Company(t, d, cudaFew, w) })
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
		t.Run(kind.String(), func(t *testing.T) { Company(t, CUDA(t, kind), cudaFew, realWorkload(t, true)) })
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
			CUDA(t, kind) // skips the whole where there is none
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

// crowded is a device whose products depend on how many rows are multiplied: by
// less than float32's tolerance, or by more.
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

// TestDiffers holds the comparison to finding what it is there for.
func TestDiffers(t *testing.T) {
	full := answer{
		variant: compress.Full, prefill: []float32{1, 2}, kept: [][][]int32{{{0, 1}}}, logits: [][]float32{{1, 2}, {2, 1}},
		fed: []int32{1, 1}, chosen: []int32{1, 1, 0},
	}
	nan := float32(0)
	nan /= nan
	for name, c := range map[string]struct {
		change func(a *answer)
		near   bool
		want   string
	}{
		"equal":           {func(a *answer) {}, false, ""},
		"a position":      {func(a *answer) { a.kept = [][][]int32{{{0, 2}}} }, true, "positions"},
		"the last bit":    {func(a *answer) { a.logits[1][0] += 0x1p-22 }, false, "step 1: logits"},
		"near":            {func(a *answer) { a.logits[1][0] += 0x1p-22 }, true, ""},
		"far":             {func(a *answer) { a.logits[1][0] += 2e-4 }, true, "step 1: logits"},
		"NaN":             {func(a *answer) { a.logits[1][0] = nan }, true, "step 1: logits"},
		"the prompt's":    {func(a *answer) { a.prefill[0] += 0x1p-22 }, true, "behind the prompt"},
		"another choice":  {func(a *answer) { a.chosen[1] = 0 }, true, "step 0: chose"},
		"fed otherwise":   {func(a *answer) { a.fed[1] = 0 }, true, "step 1: fed"},
		"fewer steps":     {func(a *answer) { a.logits, a.fed, a.chosen = a.logits[:1], a.fed[:1], a.chosen[:2] }, false, ""},
		"a choice, close": {func(a *answer) { a.chosen[2] = 1; a.logits[1] = []float32{2, 2} }, false, "step 1"},
	} {
		changed := full
		changed.prefill = append([]float32(nil), full.prefill...)
		changed.fed, changed.chosen = append([]int32(nil), full.fed...), append([]int32(nil), full.chosen...)
		changed.logits = [][]float32{append([]float32(nil), full.logits[0]...), append([]float32(nil), full.logits[1]...)}
		c.change(&changed)
		within := 0.
		if c.near {
			within = near([]answer{changed, full})
		}
		err := changed.differs(full, within)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	// Beside large logits, of another answer too, others are rounded more coarsely.
	large := answer{logits: [][]float32{{1, -30}, {nan, float32(math.Inf(1))}}}
	if a, b := near([]answer{full}), near([]answer{full, large}); a != 1e-4 || math.Abs(b-3e-4) > 1e-9 {
		t.Errorf("answers of 2 may be %g apart, of 30 %g", a, b)
	}
	// Close to a tie another choice is as good, where rounding may decide.
	tied := answer{variant: compress.Full, prefill: []float32{1}, logits: [][]float32{{1, 1 + 0x1p-20}}, fed: []int32{0}, chosen: []int32{0, 1}}
	other := tied
	other.chosen = []int32{0, 0}
	if err := tied.differs(other, 1e-4); err != nil {
		t.Errorf("another choice at a tie: %v", err)
	}
	if tied.differs(other, 0) == nil {
		t.Error("another choice, bit for bit, is no difference")
	}
	if l := lead([]float32{3, -1, 3.5}); !reflect.DeepEqual(l, 0.5) {
		t.Errorf("3.5 leads by %v", l)
	}
}

package modeltest

import (
	"fmt"
	"math"
	"testing"

	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/ref"
)

// TestReadersOnRef: if a variant with a reader reads every position, its answers are those
// of the full cache, within rounding; if it reads fewer, they are not.
func TestReadersOnRef(t *testing.T) {
	readers(t, ref.New(), 1e-5, workloadOf(t, "shape:tiny", 100, 61))
}

func TestReadersOnCPU(t *testing.T) {
	each(t, func(t *testing.T, w workload) { readers(t, CPU(t), 1e-4, w) })
}

func TestReadersOnCUDA(t *testing.T) {
	d := CUDA(t, engine.Float32)
	each(t, func(t *testing.T, w workload) { readers(t, d, 1e-3, w) })
}

func readers(t *testing.T, d engine.Device, tolerance float64, w workload) {
	m := Load(t, d, w.model)
	defer m.Close()
	apart := func(variant string) (most float64) {
		w.variants = parseAll(t, "full;"+variant)
		var feed [][]int32
		for i := range w.prompts { // feed both variants the same tokens
			var fed []int32
			for step := range w.steps {
				fed = append(fed, w.prompts[i][step])
			}
			feed = append(feed, fed, fed)
		}
		all := together(t, m, w, feed)
		for i := 0; i < len(all); i += 2 {
			full, other := all[i], all[i+1]
			if err := sameLogits(full.prefill, other.prefill); err != nil {
				t.Errorf("%s: logits after the prompt: %v", variant, err)
			}
			if fmt.Sprint(full.kept) != fmt.Sprint(other.kept) {
				t.Errorf("%s keeps %v", variant, other.kept)
			}
			for step := range min(len(full.logits), len(other.logits)) {
				for j, x := range full.logits[step] {
					most = max(most, math.Abs(float64(x-other.logits[step][j])))
				}
			}
		}
		return most
	}
	for _, whole := range []string{"quest(cap=9k)", "quest(cap=343,page=7,recent=3)"} {
		if most := apart(whole); !(most <= tolerance) {
			t.Errorf("%s: logits are %g from the full cache's", whole, most)
		}
	}
	if most := apart("quest(cap=20,page=8,recent=4)"); !(most > 10*tolerance) {
		t.Errorf("a part that is less: logits are %g from the full cache's", most)
	}
}

package cuda_test

import (
	"context"
	"testing"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/runners"
	"github.com/snapbench/snapbench/runners/cuda"
	"github.com/snapbench/snapbench/runners/cuda/emulator"
	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/engine/cacheformat"
	"github.com/snapbench/snapbench/runners/local"
	"github.com/snapbench/snapbench/runners/modeltest"
)

// TestEmulatedAuditOfNumbers: what a card holds, in its own type and in every format, is near enough to what was computed for the audit, in
// every layer and KV head.
func TestEmulatedAuditOfNumbers(t *testing.T) {
	d, _ := cuda.Emulated(t, emulator.H100, engine.BFloat16)
	m := modeltest.Load(t, d, "shape:tiny")
	defer m.Close()
	var list []compress.Variant
	for _, text := range []string{"full", "ada(cap=20,snapkv(w=4,k=3))", "think(w=4)"} {
		v, err := compress.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, v)
		for _, f := range cacheformat.All() {
			list = append(list, v.In(f))
		}
	}
	ids := make([]int32, 70)
	for i := range ids {
		ids[i] = int32(i*i*7+11*i+3) % 200
	}
	for sample := range len(m.PolicyLayers()) * m.Heads.KV {
		out, err := runners.Answer(context.Background(), local.New(m, func([]int32) string { return "" }),
			runners.Request{Prompt: ids, Sample: sample, Variants: runners.VariantsOf(compress.On(m.Shape(), list)), MaxNew: 1})
		if err != nil {
			t.Fatal(err)
		}
		for i, c := range out[0] {
			if c.Err != nil {
				t.Errorf("sample %d, %s: %v", sample, list[i], c.Err)
			}
		}
	}
}

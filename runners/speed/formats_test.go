package speed

import (
	"context"
	"testing"

	"github.com/snapbench/snapbench/runners/cpu"
	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/engine/cacheformat"
)

// TestFormatsInBytes: a cell of a cache in a format reports that format's bytes, and its roof counts them.
func TestFormatsInBytes(t *testing.T) {
	const n, warmup, tokens = 200, 1, 4
	d, err := cpu.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	m := tinyOn(t, d)
	heads, layers := m.Heads, int64(len(m.PolicyLayers()))
	measured := func(variant string) *Speed {
		s, err := Measure(context.Background(), m, Cell{Length: n, Batch: 1, MaxNew: tokens, Warmup: warmup, Variant: oneVariant(t, variant)}, 1, nil)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	native := measured("full")
	perToken := float64(layers) * float64(2*heads.KV*heads.Size*engine.Float32.Size())
	for _, name := range []string{"q4_0", "fp8_s1", "kivi2", "f16"} {
		f, err := cacheformat.Get(name)
		if err != nil {
			t.Fatal(err)
		}
		s := measured("full+" + name)
		if want := layers * int64(heads.KV) * f.Bytes(n, heads.Size); s.Cache != want {
			t.Errorf("%s: a cache of %d bytes, want %d", name, s.Cache, want)
		}
		each := float64(layers) * float64(heads.KV) * f.TokenBytes(heads.Size)
		const steps = float64(warmup + tokens/2)
		if want := native.StepBytes - native.Cache - int64(perToken*steps) + s.Cache + int64(each*steps); s.StepBytes != want {
			t.Errorf("%s: a step of %d bytes, want %d", name, s.StepBytes, want)
		}
	}
}

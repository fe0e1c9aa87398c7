package cuda

import (
	"math"
	"slices"
	"testing"

	"github.com/snapbench/snapbench/runners/engine"
)

// linearLayer is linear attention of some sizes with weights, freed at the test's end.
func linearLayer(t *testing.T, d *Device, by engine.LinearAttention) engine.LinearAttention {
	for i, a := range []*engine.Array{&by.Conv, &by.Decay, &by.Bias, &by.Norm} {
		n := []int{by.Channels() * by.Kernel, by.ValueHeads, by.ValueHeads, by.ValueSize}[i]
		*a = linearArray(t, d, engine.Float32, n, i)
	}
	return by
}

// linearArray has numbers between -1 and 1.
func linearArray(t *testing.T, d *Device, kind engine.Type, n, seed int) engine.Array {
	a := must[engine.Array](t)(d.New(kind, n))
	t.Cleanup(func() { d.Free(a) })
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(math.Sin(float64(7*seed) + 1.7*float64(i) + 0.01*float64(i%97)))
	}
	d.Put(a, v)
	return a
}

// TestEmulatedLinearBlocks: a prompt whose tokens are convolved some at a time, the last ones fewer than the convolution
// sees, has the bits that it has at once.
func TestEmulatedLinearBlocks(t *testing.T) {
	const tokens = 45
	d, _ := Emulated(t, emulatedCard(9, 0), engine.BFloat16)
	by := linearLayer(t, d, engine.LinearAttention{KeyHeads: 1, ValueHeads: 2, KeySize: 40, ValueSize: 33, Kernel: 9, Epsilon: 1e-6})
	states, last := by.StateLen()
	in := linearArray(t, d, d.kind, tokens*by.In(), 5)
	run := func(block int) (all []float32) {
		d.linearBlock = block
		out := linearArray(t, d, d.kind, tokens*by.Out(), 0)
		s := engine.State{S: linearArray(t, d, engine.Float32, states, 6), Conv: linearArray(t, d, engine.Float32, last, 7)}
		d.LinearAttention(out, in, s, by)
		for _, a := range []engine.Array{out, s.S, s.Conv} {
			v := make([]float32, a.Len)
			d.Get(v, a)
			all = append(all, v...)
		}
		if err := d.Sync(); err != nil {
			t.Fatal(err)
		}
		return all
	}
	whole := run(0)
	for _, block := range []int{1, 20} {
		if !slices.Equal(run(block), whole) {
			t.Errorf("%d tokens at a time have other bits than %d", block, tokens)
		}
	}
	if slices.Max(whole) == slices.Min(whole) {
		t.Error("the results are all alike")
	}
}

// TestEmulatedLinearBytes: LinearBytes is what linear attention takes, up to the arena's rounding, however long the prompt.
func TestEmulatedLinearBytes(t *testing.T) {
	d, _ := Emulated(t, emulatedCard(9, 0), engine.Float32)
	by := linearLayer(t, d, engine.LinearAttention{KeyHeads: 1, ValueHeads: 1, KeySize: 2, ValueSize: 2, Kernel: 2, Epsilon: 1e-6})
	states, last := by.StateLen()
	s := engine.State{S: linearArray(t, d, engine.Float32, states, 1), Conv: linearArray(t, d, engine.Float32, last, 2)}
	for _, tokens := range []int{300, linearBlock + 5} {
		in, out := linearArray(t, d, d.kind, tokens*by.In(), 3), linearArray(t, d, d.kind, tokens*by.Out(), 4)
		if err := d.Sync(); err != nil {
			t.Fatal(err)
		}
		d.ResetPeak()
		before := d.Memory().InUse
		d.LinearAttention(out, in, s, by)
		if err := d.Sync(); err != nil {
			t.Fatal(err)
		}
		if took, said := d.Memory().Peak-before, d.LinearBytes(tokens, by); took > said || said > took+took/10 {
			t.Errorf("%d tokens take %d bytes, a plan is told %d", tokens, took, said)
		}
	}
}

package cuda

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/ref"
)

// TestEmulatedAttention runs the kernel with wgmma on several tiles of queries and blocks of
// keys, which are more than the conformance suite's cases have in an everyday run. The
// starts and windows are such that each of the kernel's loops runs: over blocks of keys that
// are seen whole, and over those that the diagonal or the window's edge crosses.
func TestEmulatedAttention(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	for _, kind := range []engine.Type{engine.BFloat16, engine.Float16} {
		t.Run(fmt.Sprint(kind), func(t *testing.T) {
			t.Parallel()
			d, card := Emulated(t, emulatedCard(9, 0), kind)
			reference := ref.New()
			random := rand.New(rand.NewPCG(11, 12))
			epsilon := map[engine.Type]float64{engine.BFloat16: 0x1p-7, engine.Float16: 0x1p-10}[kind]
			for _, c := range []struct {
				h                engine.Heads
				m, start, window int
				limit            float32 // a soft cap
				sinks            bool
			}{
				{engine.Heads{Query: 4, KV: 2, Size: 64}, 200, 0, 0, 0, false},
				{engine.Heads{Query: 2, KV: 1, Size: 128}, 129, 70, 0, 0, false},
				{engine.Heads{Query: 1, KV: 1, Size: 96}, 150, 300, 0, 0, false},
				{engine.Heads{Query: 1, KV: 1, Size: 64}, 130, 450, 300, 0, false},
				{engine.Heads{Query: 2, KV: 2, Size: 128}, 140, 300, 130, 0, false},
				{engine.Heads{Query: 2, KV: 1, Size: 96}, 70, 511, 1, 0, false},
				{engine.Heads{Query: 2, KV: 1, Size: 256}, 140, 90, 0, 0, false},
				{engine.Heads{Query: 1, KV: 1, Size: 256}, 129, 290, 150, 0, false},
				{engine.Heads{Query: 1, KV: 1, Size: 256}, 140, 33, 0, 3, false},
				{engine.Heads{Query: 2, KV: 2, Size: 256}, 70, 130, 100, 1, true},
				{engine.Heads{Query: 8, KV: 1, Size: 64}, 70, 90, 0, 0, true},
				{engine.Heads{Query: 2, KV: 1, Size: 64}, 140, 200, 128, 0, true},
				{engine.Heads{Query: 2, KV: 1, Size: 128}, 140, 129, 0, 3, false},
				{engine.Heads{Query: 2, KV: 2, Size: 128}, 70, 260, 150, 1, true},
			} {
				// array makes an input on both devices, with the same rounded numbers.
				array := func(n int) (dev, own engine.Array) {
					dev, err := d.New(kind, n)
					if err == nil {
						own, err = reference.New(engine.Float32, n)
					}
					if err != nil {
						t.Fatal(err)
					}
					v := make([]float32, n)
					for i := range v {
						v[i] = float32(random.NormFloat64())
					}
					d.Put(dev, v)
					d.Get(v, dev)
					reference.Put(own, v)
					t.Cleanup(func() { d.Free(dev) })
					return dev, own
				}
				n := c.start + c.m + 5
				row := c.h.Query * c.h.Size
				q, ownQ := array(c.m * row)
				out, ownOut := array(c.m * row)
				k, ownK := array(c.h.KV * n * c.h.Size)
				v, ownV := array(c.h.KV * n * c.h.Size)
				by := engine.Attention{Heads: c.h, Window: c.window, Scale: float32(1 / math.Sqrt(float64(c.h.Size))), Cap: c.limit}
				own := by
				if c.sinks {
					by.Sinks, own.Sinks = sinksOn(t, d, reference, c.h.Query)
				}
				d.Attention(out, q, engine.KV{K: k, V: v, Tokens: n, Heads: c.h.KV, Size: c.h.Size}, c.start, by)
				reference.Attention(ownOut, ownQ, engine.KV{K: ownK, V: ownV, Tokens: n, Heads: c.h.KV, Size: c.h.Size}, c.start, own)
				got, want := make([]float32, c.m*row), make([]float32, c.m*row)
				d.Get(got, out)
				if err := d.Sync(); err != nil {
					t.Fatalf("%+v: %v", c, err)
				}
				reference.Get(want, ownOut)
				for lo := 0; lo < len(want); lo += c.h.Size {
					largest := 0.0
					for _, x := range want[lo : lo+c.h.Size] {
						largest = max(largest, math.Abs(float64(x)))
					}
					for i, x := range want[lo : lo+c.h.Size] {
						// Both the powers and the result are rounded to the type.
						if !(math.Abs(float64(got[lo+i])-float64(x)) <= 2*epsilon*largest) {
							t.Fatalf("%+v: query %d, head %d, column %d: %v, want %v", c, lo/row, lo%row/c.h.Size, i, got[lo+i], x)
						}
					}
				}
			}
			for _, kernel := range []string{"64_%s", "96_%s", "128_%s", "256_%s", "64_%s_sinks", "128_%s_cap", "256_%s_cap"} {
				if name := "attention_" + fmt.Sprintf(kernel, d.suffix); card.Launches()[name] != 2 {
					t.Errorf("%s ran %d times, not twice", name, card.Launches()[name])
				}
			}
		})
	}
}

// sinksOn makes sinks on both devices: some that get about as much as a key, some nearly all.
func sinksOn(t *testing.T, d, reference engine.Device, heads int) (dev, own engine.Array) {
	t.Helper()
	v := make([]float32, heads)
	for i := range v {
		v[i] = []float32{1.5, 7, -2}[i%3] + 0.1*float32(i)
	}
	dev, own = must[engine.Array](t)(d.New(engine.Float32, heads)), must[engine.Array](t)(reference.New(engine.Float32, heads))
	d.Put(dev, v)
	reference.Put(own, v)
	t.Cleanup(func() { d.Free(dev) })
	return dev, own
}

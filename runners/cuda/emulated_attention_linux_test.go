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
			}{
				{engine.Heads{Query: 4, KV: 2, Size: 64}, 200, 0, 0},
				{engine.Heads{Query: 2, KV: 1, Size: 128}, 129, 70, 0},
				{engine.Heads{Query: 1, KV: 1, Size: 96}, 150, 300, 0},
				{engine.Heads{Query: 1, KV: 1, Size: 64}, 130, 450, 300},
				{engine.Heads{Query: 2, KV: 2, Size: 128}, 140, 300, 130},
				{engine.Heads{Query: 2, KV: 1, Size: 96}, 70, 511, 1},
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
				scale := float32(1 / math.Sqrt(float64(c.h.Size)))
				d.Attention(out, q, engine.KV{K: k, V: v, Tokens: n, Heads: c.h.KV, Size: c.h.Size}, c.start, engine.Attention{Heads: c.h, Window: c.window, Scale: scale})
				reference.Attention(ownOut, ownQ, engine.KV{K: ownK, V: ownV, Tokens: n, Heads: c.h.KV, Size: c.h.Size}, c.start, engine.Attention{Heads: c.h, Window: c.window, Scale: scale})
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
			for _, size := range []int{64, 96, 128} {
				if name := fmt.Sprintf("attention_%d_%s", size, d.suffix); card.Launches()[name] != 2 {
					t.Errorf("%s ran %d times, not twice", name, card.Launches()[name])
				}
			}
		})
	}
}

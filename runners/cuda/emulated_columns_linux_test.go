package cuda

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/ref"
)

// TestEmulatedColumnSums has the kernel with wgmma go round its ring of queries more than
// once, over steps that are whole, in pairs and alone, and over those that the diagonal,
// the window's edge or the last query crosses; with starts that are no multiples of four.
func TestEmulatedColumnSums(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	for _, kind := range []engine.Type{engine.BFloat16, engine.Float16} {
		t.Run(fmt.Sprint(kind), func(t *testing.T) {
			t.Parallel()
			d, card := Emulated(t, emulatedCard(9, 0), kind)
			reference := ref.New()
			random := rand.New(rand.NewPCG(13, 14))
			for _, c := range []struct {
				h                engine.Heads
				m, start, window int
				limit            float32 // a soft cap
				sinks            bool
			}{
				{engine.Heads{Query: 2, KV: 1, Size: 64}, 900, 0, 0, 0, false},
				{engine.Heads{Query: 1, KV: 1, Size: 128}, 650, 129, 0, 0, false},
				{engine.Heads{Query: 1, KV: 1, Size: 96}, 520, 30, 0, 0, false},
				{engine.Heads{Query: 1, KV: 1, Size: 64}, 700, 450, 300, 0, false},
				{engine.Heads{Query: 2, KV: 2, Size: 128}, 300, 301, 130, 0, false},
				{engine.Heads{Query: 2, KV: 1, Size: 96}, 270, 511, 1, 0, false},
				{engine.Heads{Query: 1, KV: 1, Size: 256}, 520, 130, 0, 0, false},
				{engine.Heads{Query: 1, KV: 1, Size: 256}, 300, 301, 130, 0, false},
				{engine.Heads{Query: 1, KV: 1, Size: 256}, 400, 30, 0, 2, false},
				{engine.Heads{Query: 1, KV: 1, Size: 256}, 150, 301, 200, 2, true},
				{engine.Heads{Query: 2, KV: 1, Size: 64}, 300, 130, 140, 0, true},
				{engine.Heads{Query: 2, KV: 1, Size: 128}, 520, 30, 0, 2, false},
				{engine.Heads{Query: 1, KV: 1, Size: 128}, 200, 301, 130, 2, true},
			} {
				// array makes an input on both devices, with the same rounded numbers.
				array := func(kind engine.Type, n int) (dev, own engine.Array) {
					dev = must[engine.Array](t)(d.New(kind, n))
					own = must[engine.Array](t)(reference.New(engine.Float32, n))
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
				q, ownQ := array(kind, c.m*c.h.Query*c.h.Size)
				k, ownK := array(kind, c.h.KV*n*c.h.Size)
				dst, ownDst := array(engine.Float32, c.h.Query*n)
				by := engine.Attention{Heads: c.h, Window: c.window, Scale: float32(1 / math.Sqrt(float64(c.h.Size))), Cap: c.limit}
				own := by
				if c.sinks {
					by.Sinks, own.Sinks = sinksOn(t, d, reference, c.h.Query)
				}
				d.ColumnSums(dst, q, engine.KV{K: k, V: k, Tokens: n, Heads: c.h.KV, Size: c.h.Size}, c.start, by)
				reference.ColumnSums(ownDst, ownQ, engine.KV{K: ownK, V: ownK, Tokens: n, Heads: c.h.KV, Size: c.h.Size}, c.start, own)
				got, want := make([]float32, dst.Len), make([]float32, dst.Len)
				d.Get(got, dst)
				if err := d.Sync(); err != nil {
					t.Fatalf("%+v: %v", c, err)
				}
				reference.Get(want, ownDst)
				for i, x := range want {
					// The sums of m numbers below one, and what they are added to.
					if !(math.Abs(float64(got[i])-float64(x)) <= 1e-5*max(1, math.Abs(float64(x)))) {
						t.Fatalf("%+v: head %d, key %d: %v, want %v", c, i/n, i%n, got[i], x)
					}
				}
			}
			for kernel, times := range map[string]int{"64_%s": 3, "96_%s": 2, "128_%s": 2, "256_%s": 2, "128_%s_cap": 2, "256_%s_cap": 2} {
				if name := "column_sums_" + fmt.Sprintf(kernel, d.suffix); card.Launches()[name] != times {
					t.Errorf("%s ran %d times, not %d", name, card.Launches()[name], times)
				}
			}
		})
	}
}

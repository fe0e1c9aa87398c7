package cpu

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/ref"
)

// TestLinearAttention: a block of tokens, some of them alone, and a gate are what the reference makes of them, for heads of
// many sizes; and blocks give the same bits as tokens one by one.
func TestLinearAttention(t *testing.T) {
	for _, c := range []struct{ keyHeads, valueHeads, keySize, valueSize, kernel, tokens int }{
		{1, 1, 1, 1, 2, 1}, {2, 4, 16, 16, 4, 50}, {1, 3, 5, 7, 3, 9}, {2, 2, 128, 128, 4, 40}, {3, 6, 33, 20, 9, 5},
	} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			by := engine.LinearAttention{KeyHeads: c.keyHeads, ValueHeads: c.valueHeads, KeySize: c.keySize, ValueSize: c.valueSize, Kernel: c.kernel, Epsilon: 1e-6}
			states, last := by.StateLen()
			rng := rand.New(rand.NewPCG(1, uint64(c.tokens)))
			normal := func(n int) []float32 {
				v := make([]float32, n)
				for i := range v {
					v[i] = float32(rng.NormFloat64())
				}
				return v
			}
			in, gate := normal(c.tokens*by.In()), normal(c.tokens*by.Out())
			weights := [][]float32{normal(by.Channels() * by.Kernel), normal(by.ValueHeads), normal(by.ValueHeads), normal(by.ValueSize)}
			before := [][]float32{normal(states), normal(last)}
			own, err := New()
			if err != nil {
				t.Fatal(err)
			}
			defer own.Close()
			run := func(d engine.Device, blocks ...int) [][]float32 {
				put := func(v []float32) engine.Array {
					a, err := d.New(engine.Float32, len(v))
					if err != nil {
						t.Fatal(err)
					}
					d.Put(a, v)
					return a
				}
				by := by
				by.Conv, by.Decay, by.Bias, by.Norm = put(weights[0]), put(weights[1]), put(weights[2]), put(weights[3])
				s := engine.State{S: put(before[0]), Conv: put(before[1])}
				x, out, g := put(in), put(make([]float32, len(gate))), put(gate)
				at := 0
				for _, n := range blocks {
					d.(engine.LinearAttender).LinearAttention(out.Slice(at*by.Out(), (at+n)*by.Out()), x.Slice(at*by.In(), (at+n)*by.In()), s, by)
					at += n
				}
				d.(engine.LinearAttender).GateOutput(out, g)
				if err := d.Sync(); err != nil {
					t.Fatal(err)
				}
				var all [][]float32
				for _, a := range []engine.Array{out, s.S, s.Conv} {
					v := make([]float32, a.Len)
					d.Get(v, a)
					all = append(all, v)
				}
				return all
			}
			one := make([]int, c.tokens)
			for i := range one {
				one[i] = 1
			}
			want, whole, single := run(ref.New(), c.tokens), run(own, c.tokens), run(own, one...)
			for i, name := range []string{"output", "state", "convolution"} {
				for j, w := range want[i] {
					if d := math.Abs(float64(whole[i][j] - w)); !(d <= 2e-5*(1+math.Abs(float64(w)))) {
						t.Fatalf("%s: number %d is %g, want %g", name, j, whole[i][j], w)
					}
					if whole[i][j] != single[i][j] {
						t.Fatalf("%s: number %d is %g in a block and %g alone", name, j, whole[i][j], single[i][j])
					}
				}
			}
		})
	}
}

package cpu

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestCacheKernels: keys have the same products whether they come in fours or one after the other, values the same sum
// whether they come at once or in pieces, and both widths of assembly agree to the bit.
func TestCacheKernels(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	random := func(n int) []float32 {
		v := make([]float32, n)
		for i := range v {
			v[i] = float32(rng.NormFloat64())
		}
		return v
	}
	same := func(what string, k *kernels, d int, got, want []float32) {
		t.Helper()
		for i, v := range got {
			if math.Float32bits(v) != math.Float32bits(want[i]) {
				t.Fatalf("%s, %s, heads of %d: number %d is %v, want %v", k.name, what, d, i, v, want[i])
			}
		}
	}
	const n, stride = 23, 648
	for _, d := range []int{8, 16, 24, 40, 64, 72, 80, 96, 120, 128, 136, 192, 256, 264, 384, 512, 640} {
		q, p, rows, start := random(d), random(n), random(n*stride), random(d)
		var dots, sums []float32 // of the set before
		for _, k := range available() {
			a, b := make([]float32, n), make([]float32, n)
			k.dots(n, d, &q[0], &rows[0], stride, &a[0])
			k.dotsStream(n, d, &q[0], &rows[0], stride, &b[0])
			same("one after the other", k, d, b, a)
			whole, pieces := append([]float32{}, start...), append([]float32{}, start...)
			k.weightedSum(n, d, &p[0], &rows[0], stride, &whole[0])
			for at, most := 0, 1; at < n; most++ {
				m := min(most, n-at)
				k.weightedSum(m, d, &p[at], &rows[at*stride], stride, &pieces[0])
				at += m
			}
			same("in pieces", k, d, pieces, whole)
			if dots != nil && k != goKernels { // which rounds its products
				same("products", k, d, a, dots)
				same("sums", k, d, whole, sums)
			}
			dots, sums = a, whole
		}
	}
}

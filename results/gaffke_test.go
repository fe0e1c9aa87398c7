package results

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// The distribution against random shares, with ties and without.
func TestDirichletCDFAgainstSimulation(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, z := range [][]float64{{0, 1}, {0, 0, 1}, {0, 1, 1, 1}, {-1, 0, 0, 0, 0, 1}, {0.1, 0.2, 0.4, 0.9, 1}, {0, 0.5, 0.5, 0.5, 0.7, 0.7, 2}} {
		const draws = 200_000
		sums := make([]float64, draws)
		for b := range sums {
			total, sum := 0.0, 0.0
			for _, v := range z {
				e := rng.ExpFloat64()
				total += e
				sum += e * v
			}
			sums[b] = sum / total
		}
		slices.Sort(sums)
		for _, q := range []float64{0.02, 0.2, 0.5, 0.8, 0.98} {
			x := sums[int(q*draws)]
			if got := dirichletCDF(z, x); !(math.Abs(got-q) <= 4*math.Sqrt(q*(1-q)/draws)+1e-4) {
				t.Errorf("%v at %v: %v, want about %v", z, x, got, q)
			}
		}
	}
}

// For zeros and ones the bound is Clopper and Pearson's: with no success of n, 1 - alpha^(1/n).
func TestGaffkeIsClopperPearson(t *testing.T) {
	for _, n := range []int{1, 5, 20, 100, 367} {
		got := gaffkeUpper(make([]float64, n), 1, 0.025)
		want := 1 - math.Pow(0.025, 1/float64(n))
		if !(math.Abs(got-want) <= 1e-9) {
			t.Errorf("0 of %d: %v, want %v", n, got, want)
		}
	}
	// 3 of 10: 0.6524529 is the 97.5 % point of Beta(4, 7); 0.0667395 the 2.5 % point of Beta(3, 8).
	x := []float64{1, 1, 1, 0, 0, 0, 0, 0, 0, 0}
	lo, hi := gaffkeInterval(x, 0, 1, 0.025)
	if !(math.Abs(hi-0.6524529) <= 1e-6) || !(math.Abs(lo-0.0667395) <= 1e-6) {
		t.Errorf("3 of 10: %v to %v", lo, hi)
	}
}

func TestDirichletCDFLargeMeetsTheExactOne(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 1))
	z := make([]float64, 2000)
	for i := range z {
		if rng.IntN(5) == 0 {
			z[i] = rng.Float64()*2 - 0.7
		}
	}
	z[0] = 1
	slices.Sort(z)
	m := mean(z)
	for _, d := range []float64{-0.02, -0.01, -0.003, 0, 0.003, 0.01, 0.02} {
		a, b := dirichletCDF(z, m+d), dirichletCDFLarge(z, m+d)
		if !(math.Abs(a-b) <= 3e-4) {
			t.Errorf("at mean%+v: exact %v, large %v", d, a, b)
		}
	}
}

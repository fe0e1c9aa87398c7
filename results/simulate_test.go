package results

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"testing"
)

// nominal is the level of each direction at 95 % confidence.
const nominal = 0.025

// rates holds false verdicts against their nominal rate, with three standard errors of the simulation's own.
func rates(t *testing.T, name string, pass, fail, sims int) {
	t.Helper()
	p, f := float64(pass)/float64(sims), float64(fail)/float64(sims)
	t.Logf("%-34s false pass %.2f %%, false fail %.2f %% of %d", name, 100*p, 100*f, sims)
	if most := nominal + 3*math.Sqrt(nominal*(1-nominal)/float64(sims)); !(p <= most) || !(f <= most) {
		t.Errorf("%s: false pass %.4f, false fail %.4f, nominal %.4f", name, p, f, nominal)
	}
}

// TestSimulatedBinary draws pairs of zeros and ones whose true drop is the limit: a pass and a fail are both false.
func TestSimulatedBinary(t *testing.T) {
	const sims = 10_000
	for _, n := range []int{20, 100, 500} {
		for _, limit := range []float64{0.01, 0.05} {
			// The p-value depends on the outcome through Tango's statistic alone and rises with it, so the statistic up to
			// which it passes settles all 10,000.
			critical := func(d float64) float64 {
				type outcome struct {
					b, c int
					z    float64
				}
				best := math.Inf(-1)
				var list []outcome
				for b := 0; b <= n; b++ {
					for c := 0; b+c <= n; c++ {
						if z := tangoZ(b, c, n, d); z < -1 && z > -4 {
							list = append(list, outcome{b, c, z})
						}
					}
				}
				lo, hi := -4.0, -1.0
				for range 14 {
					mid, found := (lo+hi)/2, false
					o := outcome{z: -4}
					for _, x := range list {
						if x.z <= mid && x.z > o.z {
							o, found = x, true
						}
					}
					if found && pairedExact(o.b, o.c, n, d) <= nominal {
						lo, best = mid, max(best, o.z)
					} else if !found {
						lo = mid
					} else {
						hi = mid
					}
				}
				return best
			}
			passBelow, failBelow := critical(limit), critical(-limit)
			for _, q := range []float64{0.01, 0.05, 0.15} {
				rng := rand.New(rand.NewPCG(uint64(n), uint64(1000*q)))
				pass, fail := 0, 0
				for range sims {
					b, c := 0, 0
					for range n {
						switch u := rng.Float64(); {
						case u < q+limit:
							b++
						case u < 2*q+limit:
							c++
						}
					}
					if tangoZ(b, c, n, limit) <= passBelow {
						pass++
					}
					if tangoZ(c, b, n, -limit) <= failBelow {
						fail++
					}
				}
				rates(t, fmt.Sprintf("n %d, limit %g, reverse rate %g:", n, limit, q), pass, fail, sims)
				// The test must not be idle either: with some disagreement and samples it reaches half its level.
				if n*int(1000*q) >= 15_000 && (float64(pass) < nominal/2*sims || float64(fail) < nominal/2*sims) {
					t.Errorf("n %d, q %g: %d passes and %d fails of %d: far below the nominal rate", n, q, pass, fail, sims)
				}
			}
		}
	}
}

// TestSimulatedContinuous does the same for scores between 0 and 1, of several shapes. SNAPBENCH_LONG=1 draws 10,000
// sets of each instead of a few hundred.
func TestSimulatedContinuous(t *testing.T) {
	const limit = 0.02
	shapes := []struct {
		name string
		draw func(*rand.Rand) Pair
	}{
		{"all scores shift a little", func(r *rand.Rand) Pair {
			b := 0.3 + 0.4*r.Float64()
			return Pair{b, b - limit + 0.3*(r.Float64()-0.5)}
		}},
		{"seven of ten equal", func(r *rand.Rand) Pair {
			b := 0.35 + 0.3*r.Float64()
			if r.Float64() < 0.7 {
				return Pair{b, b}
			}
			return Pair{b, b - limit/0.3 + 0.5*(r.Float64()-0.5)}
		}},
		{"better and worse by anything", func(r *rand.Rand) Pair {
			switch u := r.Float64(); {
			case u < 0.1+2*limit:
				return Pair{r.Float64(), 0}
			case u < 0.2+2*limit:
				return Pair{0, r.Float64()}
			}
			return Pair{0.5, 0.5}
		}},
		{"a little better, sometimes worse", func(r *rand.Rand) Pair {
			return Pair{0.5, 0.5 - min(limit+0.1*(r.ExpFloat64()-1), 0.5)}
		}},
	}
	for _, n := range []int{20, 100, 500} {
		for k, s := range shapes {
			sims, draws := 400, 499
			if os.Getenv("SNAPBENCH_LONG") != "" {
				sims, draws = 10_000, 999
			} else if n == 500 && testing.Short() {
				continue
			}
			rng := rand.New(rand.NewPCG(uint64(n), uint64(k)))
			pass, fail := 0, 0
			for range sims {
				pairs := make([]Pair, n)
				for i := range pairs {
					pairs[i] = s.draw(rng)
				}
				c := Compare([][]Pair{pairs}, draws)
				if c.AtLeast(limit) <= nominal {
					pass++
				}
				if c.AtMost(limit) <= nominal {
					fail++
				}
			}
			rates(t, fmt.Sprintf("n %d, %s:", n, s.name), pass, fail, sims)
		}
	}
}

// The same test decides what is plain: half the limit is passed and twice the limit failed, with enough samples.
func TestSimulatedPower(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	right := 0
	const sims = 40
	for range sims {
		for _, lost := range []float64{0, 0.06} {
			pairs := make([]Pair, 1000)
			for i := range pairs {
				b := rng.Float64()
				pairs[i] = Pair{b, min(1, max(0, b-lost+0.2*(rng.Float64()-0.5)))}
			}
			c := Compare([][]Pair{pairs}, 999)
			if lost == 0 && c.AtLeast(0.03) <= nominal || lost > 0 && c.AtMost(0.03) <= nominal {
				right++
			}
		}
	}
	if right < 2*sims*9/10 {
		t.Errorf("%d of %d plain cases decided", right, 2*sims)
	}
}

// An average over tasks of different sizes: its interval covers the true mean of the tasks' drops.
func TestSimulatedAverage(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 5))
	const sims = 300
	hit := 0
	for range sims {
		var tasks [][]Pair
		for k, n := range []int{30, 60, 120} {
			pairs := make([]Pair, n)
			for i := range pairs {
				d := 0.01*float64(k) + 0.3*(rng.Float64()-0.5)
				if rng.Float64() < 0.5 {
					d = 0.02 * float64(k) * 0.5
				}
				pairs[i] = Pair{0.5, 0.5 - d}
			}
			tasks = append(tasks, pairs)
		}
		if c := Compare(tasks, 999); c.Lo <= 0.01 && 0.01 <= c.Hi {
			hit++
		}
	}
	got := float64(hit) / sims
	t.Logf("the 95 %% interval of an average of three tasks covers %.1f %%", 100*got)
	if !(got >= 0.95-4*math.Sqrt(0.95*0.05/sims)) {
		t.Errorf("covered %.3f", got)
	}
}

// TestPairedExactLevel sums the exact chance of a false verdict over every outcome, for rates between the test's own
// grid points.
func TestPairedExactLevel(t *testing.T) {
	for _, n := range []int{7, 20, 30} {
		lf := logFactorials(n)
		for _, d := range []float64{-0.1, -0.01, 0.01, 0.03, 0.2} {
			rejected := map[[2]int]bool{}
			for b := 0; b <= n; b++ {
				for c := 0; b+c <= n; c++ {
					rejected[[2]int{b, c}] = pairedExact(b, c, n, d) <= nominal
				}
			}
			for _, q := range []float64{0.0013, 0.007, 0.031, 0.07, 0.111, 0.19, 0.33} {
				p := q + d
				if p <= 0 || p+q >= 1 {
					continue
				}
				level := 0.0
				for o, r := range rejected {
					if r {
						b, c := o[0], o[1]
						level += math.Exp(lf[n] - lf[b] - lf[c] - lf[n-b-c] + float64(b)*math.Log(p) + float64(c)*math.Log(q) + float64(n-b-c)*math.Log(1-p-q))
					}
				}
				if !(level <= nominal*1.01) {
					t.Errorf("n %d, limit %g, q %g: level %.4f", n, d, q, level)
				}
			}
		}
	}
}

func TestStudent(t *testing.T) {
	// Textbook quantiles of Student's t.
	for _, c := range []struct{ p, df, want float64 }{{0.975, 9, 2.2622}, {0.975, 30, 2.0423}, {0.9995, 20, 3.8495}, {0.025, 99, -1.9842}} {
		if got := studentQuantile(c.p, c.df); !(math.Abs(got-c.want) <= 2e-3*math.Abs(c.want)) {
			t.Errorf("quantile %v with %v degrees: %v, want %v", c.p, c.df, got, c.want)
		}
		if got := studentCDF(c.want, c.df); !(math.Abs(got-c.p) <= 5e-4) {
			t.Errorf("P(t <= %v) with %v degrees: %v, want %v", c.want, c.df, got, c.p)
		}
	}
}

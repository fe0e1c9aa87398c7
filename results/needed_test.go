package results

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// A plan keeps its word: with as many samples as it says, what loses nothing passes in about 80 of 100 runs, and what
// loses twice the limit fails in as many; on the set, noise goes beyond the limit no more often than was asked.
func TestSimulatedPlan(t *testing.T) {
	const sims = 250
	for k, c := range []struct {
		name  string
		pilot Pilot
		limit float64
		draw  func(r *rand.Rand, lost float64) Pair
	}{
		{"one in ten flips", Pilot{Base: 0.5, Spread: math.Sqrt(0.1), Differ: 0.1, Binary: true}, 0.05, func(r *rand.Rand, lost float64) Pair {
			switch u := r.Float64(); {
			case u < 0.05+lost/2:
				return Pair{1, 0}
			case u < 0.1:
				return Pair{0, 1}
			}
			return Pair{1, 1}
		}},
		{"scores between", Pilot{Base: 0.5, Spread: 0.2 / math.Sqrt(3), Differ: 1}, 0.02, func(r *rand.Rand, lost float64) Pair {
			return Pair{0.5, 0.5 - lost + 0.4*(r.Float64()-0.5)}
		}},
		{"a third of the scores", Pilot{Base: 0.5, Spread: math.Sqrt(0.3) * 0.3 / math.Sqrt(3), Differ: 0.3}, 0.03, func(r *rand.Rand, lost float64) Pair {
			if r.Float64() < 0.3 {
				return Pair{0.5, 0.5 - lost + 0.6*(r.Float64()-0.5)}
			}
			return Pair{0.5, 0.5 - lost} // the same spread, whatever is lost
		}},
	} {
		rng := rand.New(rand.NewPCG(uint64(k), 19))
		n, stay := c.pilot.ToPass(c.limit, nominal), c.pilot.ToStay(c.limit, nominal)
		pass, fail, beyond := 0, 0, 0
		for range sims {
			for _, lost := range []float64{0, 2 * c.limit} {
				pairs := make([]Pair, n)
				for i := range pairs {
					pairs[i] = c.draw(rng, lost)
				}
				x := Compare([][]Pair{pairs}, 999)
				if lost == 0 && x.AtLeast(c.limit) <= nominal {
					pass++
				}
				if lost > 0 && x.AtMost(c.limit) <= nominal {
					fail++
				}
			}
		}
		const more = 4000
		for range more {
			sum := 0.0
			for range stay {
				p := c.draw(rng, 0)
				sum += p.Base - p.Cand
			}
			if sum/float64(stay) > c.limit {
				beyond++
			}
		}
		name := fmt.Sprintf("%s, limit %g: %d samples", c.name, c.limit, n)
		t.Logf("%s: %.0f %% pass, %.0f %% fail; with %d noise is beyond in %.1f %%", name, 100*float64(pass)/sims, 100*float64(fail)/sims, stay, 100*float64(beyond)/more)
		if pass < sims*7/10 || pass > sims*92/100 || fail < sims*7/10 {
			t.Errorf("%s: %d of %d pass, %d fail, want about 80 of 100", name, pass, sims, fail)
		}
		if got := float64(beyond) / more; got > nominal+0.01 {
			t.Errorf("%s: with %d samples noise is beyond the limit in %.3f", name, stay, got)
		}
	}
}

func TestPilot(t *testing.T) {
	// Nothing differs: Tango's z² (1 - l) / l, 381 at one point; Gaffke's ln α / ln (1 - l), but no more than the bootstrap asks for.
	if n := (Pilot{Binary: true}).ToPass(0.01, 0.025); n != 381 {
		t.Errorf("%d", n)
	}
	if n := (Pilot{}).ToPass(0.01, 0.025); n != 368 {
		t.Errorf("%d", n)
	}
	if n := (Pilot{Spread: 0.001, Differ: 0.5}).ToPass(0.01, 0.025); n != 50 {
		t.Errorf("%d", n)
	}
	for _, p := range []Pilot{{}, {Spread: 0.1, Differ: 1}, {Spread: 0.1, Binary: true}} {
		if p.ToPass(0, 0.025) != 0 {
			t.Errorf("%+v: a limit of 0 can be passed", p)
		}
	}
	c := Compare([][]Pair{{{1, 0}, {1, 1}, {0, 1}, {1, 1}}}, 0)
	if p := c.Pilot(); !p.Binary || p.Differ != 0.5 || p.Base != 0.75 || math.Abs(p.Spread-math.Sqrt(2./3)) > 1e-12 {
		t.Errorf("%+v", p)
	}
}

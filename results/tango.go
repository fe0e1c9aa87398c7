package results

import (
	"math"
)

// tangoZ is the score statistic of "P(baseline only) - P(candidate only) = d" with b and c of n samples right only
// under the baseline and only under the candidate (Tango 1998). It falls as d rises.
func tangoZ(b, c, n int, d float64) float64 {
	if d < 0 {
		return -tangoZ(c, b, n, -d)
	}
	fb, fc, fn := float64(b), float64(c), float64(n)
	// The rate of "candidate only" that is most likely under the constraint: 2n q² - B q - c d (1 - d) = 0.
	B := (fb+fc)*(1-d) + 2*fb*d - 2*fn*d
	q := max((B+math.Sqrt(B*B+8*fn*fc*d*(1-d)))/(4*fn), 0)
	diff, v := fb-fc-fn*d, fn*(2*q+d*(1-d))
	if v <= 0 {
		if diff == 0 {
			return 0
		}
		return math.Copysign(math.Inf(1), diff)
	}
	return diff / math.Sqrt(v)
}

// tangoInterval inverts the score test.
func tangoInterval(b, c, n int, alpha float64) (lo, hi float64) {
	z := normalQuantile(1 - alpha)
	solve := func(target float64) float64 {
		lo, hi := -1.0, 1.0
		for range 50 {
			mid := (lo + hi) / 2
			if tangoZ(b, c, n, mid) > target {
				lo = mid
			} else {
				hi = mid
			}
		}
		return (lo + hi) / 2
	}
	return solve(z), solve(-z)
}

// pairedExact is the exact p-value of "P(baseline only) - P(candidate only) >= d" for zeros and ones: the chance,
// under the least favourable rates, of an outcome as low in Tango's statistic as the one seen.
func pairedExact(b, c, n int, d float64) float64 {
	if d >= 1 {
		return 0 // all samples would have to fall; anything else refutes it
	}
	if d <= -1 {
		return 1
	}
	seen := tangoZ(b, c, n, d) + 1e-9
	// For every number y of "candidate only" the outcomes counted are x = 0..most[y] of "baseline only": the statistic
	// rises with x.
	most := make([]int, n+1)
	for y := range most {
		lo, hi := -1, n-y // the statistic at lo is counted, or lo is -1
		for lo < hi {
			mid := (lo + hi + 1) / 2
			if tangoZ(mid, y, n, d) <= seen {
				lo = mid
			} else {
				hi = mid - 1
			}
		}
		most[y] = lo
	}
	lf := logFactorials(n)
	level := func(q float64) float64 { // P(outcome counted) where "candidate only" has rate q
		p := q + d
		if q < 0 || p < 0 || p+q > 1 {
			return 0
		}
		lp, lq, lr := math.Log(p), math.Log(q), math.Log(1-p-q)
		sum := 0.0
		// Counts beyond eight standard deviations add less than 1e-14.
		mid, sd := float64(n)*q, math.Sqrt(float64(n)*q*(1-q))
		for y := max(0, int(mid-8*sd-10)); y <= min(n, int(mid+8*sd+10)); y++ {
			if y > 0 && q == 0 {
				break
			}
			rest := float64(n - y)
			share := p / (1 - q)
			xm, xs := rest*share, math.Sqrt(rest*share*max(1-share, 0))
			for x := max(0, int(xm-8*xs-10)); x <= most[y]; x++ {
				if x > 0 && p == 0 {
					break
				}
				l := lf[n] - lf[x] - lf[y] - lf[n-x-y]
				if x > 0 {
					l += float64(x) * lp
				}
				if y > 0 {
					l += float64(y) * lq
				}
				if n-x-y > 0 {
					if p+q >= 1 {
						continue
					}
					l += float64(n-x-y) * lr
				}
				sum += math.Exp(l)
			}
		}
		return sum
	}
	// The level is smooth in q on the scale of the counts: a grid that is even in sqrt(q), then finer around the best.
	from, to := max(0, -d), (1-d)/2
	at := func(u float64) float64 { return from + (to-from)*u*u }
	best, where := 0.0, 0.0
	const grid = 64
	for i := range grid + 1 {
		if p := level(at(float64(i) / grid)); p > best {
			best, where = p, float64(i)/grid
		}
	}
	for i := -8; i <= 8; i++ {
		if u := where + float64(i)/(8*grid); u >= 0 && u <= 1 {
			best = max(best, level(at(u)))
		}
	}
	return min(best, 1)
}

func logFactorials(n int) []float64 {
	lf := make([]float64, n+1)
	for i := 1; i <= n; i++ {
		lf[i] = lf[i-1] + math.Log(float64(i))
	}
	return lf
}

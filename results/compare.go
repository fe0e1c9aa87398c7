package results

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// Comparison is the drop from a baseline to a candidate over samples that both answered: per task, or averaged over
// tasks with every task weighing the same. A drop is positive where the candidate is worse. Scores are 0 to 1.
//
// As a test of non-inferiority it offers two p-values for a limit: AtLeast (small: the drop is surely below the limit)
// and AtMost (small: surely above). Which test stands behind them follows from the data, one of
//
//   - zeros and ones: an exact unconditional test. Outcomes are ordered by Tango's score statistic for a difference of
//     paired proportions (Tango 1998), and the p-value is the largest over all rates of disagreement that the limit
//     allows, so it holds its level for any number of samples. The score test alone does not: near the limit and with
//     few disagreements its level rises from 2.5 to over 4 %.
//   - fewer than 50 samples, or fewer than 10 whose scores differ: Gaffke's bound on the differences, exact for any
//     distribution (gaffke.go). Equal scores on all of few samples prove little, whatever a variance of zero says.
//   - else the studentised (bootstrap-t) paired bootstrap, stratified by task in an average: the percentile and BCa
//     forms pass too often for skewed differences; even this one did, 11 times of 100 instead of 2.5, for 20 samples of
//     which few fell far, hence the 50. Where most scores are equal, few samples carry the spread and it is still too
//     free by a third, so Student's t with as many degrees of freedom as samples that differ must agree. What neither
//     can see is a failure so rare that it is in none of the samples; with n samples that may be up to about 3/n of all.
type Comparison struct {
	Drop     float64 // mean of baseline - candidate
	Lo, Hi   float64 // its 95 % interval; NaN without samples
	N        int     // samples
	Differ   int     // samples whose two scores differ
	Base     float64 // mean baseline score
	Cand     float64 // mean candidate score
	Method   string
	strata   [][]float64 // differences, by task
	b, c     int         // of zeros and ones: samples right only under the baseline, only under the candidate
	kind     kind
	se       float64
	tDraws   []float64 // sorted bootstrap draws of the studentised mean
	deficits []float64 // all differences, weighted so that their mean is Drop
	top      float64   // largest value a weighted difference can take
}

type kind int

const (
	none kind = iota
	exactBinary
	exactAny
	bootstrapT
)

// Pair is one sample's scores.
type Pair struct{ Base, Cand float64 }

// Compare compares pairs by task; a single task is a list of one. draws is the number of bootstrap draws, 0 for the
// default; p-values cannot be smaller than about one over it.
func Compare(tasks [][]Pair, draws int) Comparison {
	var c Comparison
	bin := len(tasks) == 1
	var all []float64
	for _, pairs := range tasks {
		d := make([]float64, len(pairs))
		base, cand := 0.0, 0.0
		for i, p := range pairs {
			d[i] = p.Base - p.Cand
			base += p.Base
			cand += p.Cand
			if d[i] != 0 {
				c.Differ++
			}
			bin = bin && (p.Base == 0 || p.Base == 1) && (p.Cand == 0 || p.Cand == 1)
			all = append(all, p.Base, p.Cand)
		}
		if len(pairs) == 0 {
			continue
		}
		c.N += len(pairs)
		c.Base += base / float64(len(pairs))
		c.Cand += cand / float64(len(pairs))
		c.Drop += mean(d)
		c.strata = append(c.strata, d)
	}
	k := float64(len(c.strata))
	c.Base, c.Cand, c.Drop = c.Base/k, c.Cand/k, c.Drop/k
	c.Lo, c.Hi = math.NaN(), math.NaN()
	if c.N == 0 {
		c.Base, c.Cand, c.Drop = math.NaN(), math.NaN(), math.NaN()
		return c
	}
	alpha := (1 - confidence) / 2
	switch {
	case bin:
		c.kind, c.Method = exactBinary, "Tango score, exact test"
		for _, d := range c.strata[0] {
			switch d {
			case 1:
				c.b++
			case -1:
				c.c++
			}
		}
		c.se = math.Sqrt(variance(c.strata[0]) / float64(c.N))
		c.Lo, c.Hi = tangoInterval(c.b, c.c, c.N, alpha)
	case c.N < 50 || c.Differ < 10 || slices.ContainsFunc(c.strata, func(d []float64) bool { return len(d) < 2 }):
		c.kind, c.Method = exactAny, "Gaffke"
		// In an average over tasks a sample of a small task weighs more. Taking the weighted differences as one sample
		// is on the safe side: their spread includes what lies between tasks.
		for _, d := range c.strata {
			w := float64(c.N) / (k * float64(len(d)))
			c.top = max(c.top, w)
			for _, v := range d {
				c.deficits = append(c.deficits, v*w)
			}
		}
		c.se = math.Sqrt(variance(c.deficits) / float64(c.N))
		c.Lo, c.Hi = gaffkeInterval(c.deficits, -c.top, c.top, alpha)
		c.Lo, c.Hi = max(c.Lo, -1), min(c.Hi, 1)
	default:
		c.kind, c.Method = bootstrapT, "paired bootstrap-t"
		if draws == 0 {
			draws = resamples
		}
		c.bootstrap(draws, generator(all))
		t := studentQuantile(1-alpha, c.freedom())
		c.Lo = max(c.Drop-max(quantile(c.tDraws, 1-alpha), t)*c.se, -1)
		c.Hi = min(c.Drop-min(quantile(c.tDraws, alpha), -t)*c.se, 1)
	}
	return c
}

// bootstrap draws the studentised mean: (mean* - mean) / se*, resampling within each task.
func (c *Comparison) bootstrap(draws int, rng *rand.Rand) {
	k := float64(len(c.strata))
	v := 0.0
	for _, d := range c.strata {
		v += variance(d) / float64(len(d))
	}
	c.se = math.Sqrt(v) / k
	c.tDraws = make([]float64, draws)
	for b := range c.tDraws {
		m, v := 0.0, 0.0
		for _, d := range c.strata {
			n := uint32(len(d))
			sum, sq := 0.0, 0.0
			for range d {
				x := d[rng.Uint32N(n)]
				sum += x
				sq += x * x
			}
			nf := float64(n)
			m += sum / nf
			v += max(sq-sum*sum/nf, 0) / (nf - 1) / nf
		}
		diff := m/k - c.Drop
		switch se := math.Sqrt(v) / k; {
		case math.Abs(diff) <= 1e-15:
			c.tDraws[b] = 0
		case se <= 1e-12*math.Abs(diff):
			c.tDraws[b] = math.Copysign(math.Inf(1), diff) // a resample of equal values: as far out as can be
		default:
			c.tDraws[b] = diff / se
		}
	}
	slices.Sort(c.tDraws)
}

// AtLeast is the p-value of "the drop is at least limit".
func (c *Comparison) AtLeast(limit float64) float64 {
	switch c.kind {
	case exactBinary:
		return pairedExact(c.b, c.c, c.N, limit)
	case exactAny:
		return gaffkeP(c.deficits, c.top, limit)
	case bootstrapT:
		t := (c.Drop - limit) / c.se
		n, _ := slices.BinarySearchFunc(c.tDraws, t, func(d, t float64) int {
			if d <= t {
				return -1
			}
			return 1
		})
		return max(float64(n+1)/float64(len(c.tDraws)+1), studentCDF(t, c.freedom()))
	}
	return 1
}

// freedom is the degrees of freedom of the differences' spread: equal scores add none.
func (c *Comparison) freedom() float64 { return float64(c.Differ - 1) }

// studentCDF and studentQuantile are Wallace's normal approximation of Student's t (Wallace 1959), right to 1e-3 of the
// tail from nine degrees of freedom on.
func studentCDF(t, df float64) float64 {
	z := (8*df + 1) / (8*df + 3) * math.Sqrt(df*math.Log1p(t*t/df))
	return normalCDF(math.Copysign(z, t))
}

func studentQuantile(p, df float64) float64 {
	z := normalQuantile(p) * (8*df + 3) / (8*df + 1)
	return math.Copysign(math.Sqrt(df*math.Expm1(z*z/df)), z)
}

// AtMost is the p-value of "the drop is at most limit": that of AtLeast with baseline and candidate exchanged.
func (c *Comparison) AtMost(limit float64) float64 {
	switch c.kind {
	case exactBinary:
		return pairedExact(c.c, c.b, c.N, -limit)
	case exactAny:
		neg := make([]float64, len(c.deficits))
		for i, v := range c.deficits {
			neg[i] = -v
		}
		return gaffkeP(neg, c.top, -limit)
	case bootstrapT:
		t := (c.Drop - limit) / c.se
		n, _ := slices.BinarySearch(c.tDraws, t)
		return max(float64(len(c.tDraws)-n+1)/float64(len(c.tDraws)+1), studentCDF(-t, c.freedom()))
	}
	return 1
}

// Needed estimates how many samples (over all tasks) it would take to decide at the level alpha with a probability of
// 80 %, if the drop and its spread stay as seen. It is 0 where no number would do, because the drop seen is the limit.
func (c *Comparison) Needed(limit, alpha float64) int {
	if c.N == 0 {
		return 0
	}
	gap := math.Abs(limit - c.Drop)
	if gap < 1e-9 {
		return 0
	}
	z := normalQuantile(1-alpha) + normalQuantile(0.8)
	need := 0.0
	if sd := c.se * math.Sqrt(float64(c.N)); sd > 0 {
		need = math.Pow(z*sd/gap, 2)
	}
	// However equal the scores, a failure rate of the limit must have had its chance to show.
	if c.Drop < limit && limit > 0 && limit < 1 {
		z := normalQuantile(1 - alpha)
		switch c.kind {
		case exactBinary: // Tango's statistic of no disagreement at all
			need = max(need, z*z*(1-limit)/limit)
		case exactAny:
			need = max(need, math.Log(alpha)/math.Log(1-limit))
		}
	}
	if !(need < 1e9) {
		return 0
	}
	return max(int(math.Ceil(need)), c.N+1)
}

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

// String is for messages: "0.8 points [−0.3, 1.9]".
func (c Comparison) String() string {
	if math.IsNaN(c.Lo) {
		return fmt.Sprintf("%.1f points", 100*c.Drop)
	}
	return fmt.Sprintf("%.1f points [%.1f, %.1f]", 100*c.Drop, 100*c.Lo, 100*c.Hi)
}

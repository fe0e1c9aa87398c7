package results

import (
	"math"
	"math/rand/v2"
	"slices"
)

// Comparison is the drop from a baseline to a candidate over the samples that both answered, of one task or averaged
// over tasks of equal weight. A drop is positive if the candidate is worse. Scores are 0 to 1.
//
// As a test of non-inferiority it offers two p-values for a limit: AtLeast (small: the drop is surely below the limit)
// and AtMost (small: surely above). The data decide which test gives them:
//
//   - zeros and ones: an exact unconditional test. Outcomes are ordered by Tango's score statistic for a difference of
//     paired proportions (Tango 1998), and the p-value is the largest over all rates of disagreement that the limit
//     allows, so its level is exact for any number of samples. That of the score test alone is not: near the limit and
//     with few disagreements it rises from 2.5 to over 4 %.
//   - fewer than 50 samples, or fewer than 10 whose scores differ: Gaffke's bound on the differences, exact for any
//     distribution (gaffke.go). A few samples with equal scores prove little, although their variance is zero.
//   - else the studentised (bootstrap-t) paired bootstrap, stratified by task in an average. The percentile and BCa
//     forms pass too often for skewed differences. So did this one, 11 times of 100 instead of 2.5, for 20 samples with
//     a few large drops, hence the limit of 50. If most scores are equal, few samples determine the spread and its
//     level is still a third too high, so Student's t with one degree of freedom less than samples that differ must
//     agree. Neither test sees a failure so rare that no sample has it: with n samples, up to about 3/n of all prompts.
type Comparison struct {
	Drop     float64 // mean of baseline - candidate
	Lo, Hi   float64 // its 95 % interval; NaN without samples
	N        int     // samples
	Differ   int     // samples whose two scores differ
	Base     float64 // mean baseline score
	Cand     float64 // mean candidate score
	Method   string
	strata   [][]float64 // differences, by task
	b, c     int         // for zeros and ones: the samples that only the baseline, only the candidate got right
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

// What the bootstrap asks for: samples, and those whose scores differ.
const (
	leastBootstrap = 50
	leastDiffer    = 10
)

// Pair is one sample's scores.
type Pair struct{ Base, Cand float64 }

// Compare compares the pairs of each task. draws is the number of bootstrap draws, 0 for the default; the p-values of
// the bootstrap are at least about 1/draws.
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
	case c.N < leastBootstrap || c.Differ < leastDiffer || slices.ContainsFunc(c.strata, func(d []float64) bool { return len(d) < 2 }):
		c.kind, c.Method = exactAny, "Gaffke"
		// In an average over tasks a sample of a small task weighs more. To treat the weighted differences as one sample
		// is on the safe side: their spread includes the spread between tasks.
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
			c.tDraws[b] = math.Copysign(math.Inf(1), diff) // a resample of equal values has no spread
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

// AtMost is the p-value of "the drop is at most limit": AtLeast with baseline and candidate exchanged.
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

// freedom is the degrees of freedom of the differences' spread: equal scores add none.
func (c *Comparison) freedom() float64 { return float64(c.Differ - 1) }

// String is for messages: "0.8 points [-0.3, 1.9]".
func (c Comparison) String() string {
	return fixed(100*c.Drop, 1) + " points" + interval(100, c.Lo, c.Hi, 1)
}

// InPoints is for tables, which say the unit elsewhere: "0.8 [-0.3, 1.9]".
func (c Comparison) InPoints() string {
	return fixed(100*c.Drop, 1) + interval(100, c.Lo, c.Hi, 1)
}

// studentCDF and studentQuantile are Wallace's normal approximation of Student's t (Wallace 1959). From nine degrees of
// freedom on, the error is below 1e-3 of the tail.
func studentCDF(t, df float64) float64 {
	z := (8*df + 1) / (8*df + 3) * math.Sqrt(df*math.Log1p(t*t/df))
	return normalCDF(math.Copysign(z, t))
}

func studentQuantile(p, df float64) float64 {
	z := normalQuantile(p) * (8*df + 3) / (8*df + 1)
	return math.Copysign(math.Sqrt(df*math.Expm1(z*z/df)), z)
}

package results

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// Interval is an estimate with its confidence interval. Lo and Hi are NaN if the data cannot give one.
type Interval struct {
	Mean, Lo, Hi float64
	N            int
	Method       string // how Lo and Hi were computed
}

// Defined reports whether there is an interval and not only a mean.
func (i Interval) Defined() bool { return i.Lo <= i.Hi }

const (
	resamples  = 10_000 // bootstrap draws of an interval: their randomness moves its ends by less than 3 % of its width
	confidence = 0.95
)

// MeanInterval is the mean of scores within 0 to 1, with its interval over samples.
//
//   - Only zeros and ones: Wilson's score interval (Wilson 1927), which is right for few samples and also if all are
//     equal, where a bootstrap interval has no width at all.
//   - Fewer than ten samples, or fewer than five that differ from the most frequent value: Gaffke's bound from either
//     side, exact for any distribution on 0 to 1 (see gaffke.go). A bootstrap knows only the few values that it has.
//   - Else the BCa bootstrap (Efron 1987) over samples. Scores are skewed (many zeros, a few ones), so the plain
//     percentile interval is shifted; BCa corrects bias and skewness and never leaves the range of the scores. The
//     bootstrap-t would cover a little better still, but leaves that range.
//
// The random draws depend only on the scores, so the same rows always give the same numbers.
func MeanInterval(scores []float64) Interval {
	n := len(scores)
	iv := Interval{Mean: mean(scores), Lo: math.NaN(), Hi: math.NaN(), N: n}
	if n == 0 {
		return iv
	}
	alpha := (1 - confidence) / 2
	switch {
	case binary(scores):
		iv.Method = "Wilson"
		iv.Lo, iv.Hi = wilson(iv.Mean*float64(n), n, normalQuantile(1-alpha))
	case n < 10 || n-mostFrequent(scores) < 5:
		iv.Method = "Gaffke"
		iv.Lo, iv.Hi = gaffkeInterval(scores, 0, 1, alpha)
	default:
		iv.Method = "BCa bootstrap"
		iv.Lo, iv.Hi = bca(scores, alpha, generator(scores))
	}
	return iv
}

func mean(x []float64) float64 {
	if len(x) == 0 {
		return math.NaN()
	}
	sum := 0.0
	for _, v := range x {
		sum += v
	}
	return sum / float64(len(x))
}

// variance is the unbiased sample variance.
func variance(x []float64) float64 {
	m, sum := mean(x), 0.0
	for _, v := range x {
		sum += (v - m) * (v - m)
	}
	return sum / float64(len(x)-1)
}

func binary(x []float64) bool {
	for _, v := range x {
		if v != 0 && v != 1 {
			return false
		}
	}
	return true
}

func mostFrequent(x []float64) int {
	count, most := map[float64]int{}, 0
	for _, v := range x {
		count[v]++
		most = max(most, count[v])
	}
	return most
}

// generator is seeded with the data, so that the same data give the same numbers in every report.
func generator(lists ...[]float64) *rand.Rand {
	h := fnv.New64a()
	for _, x := range lists {
		fmt.Fprintf(h, "%d:", len(x))
		for _, v := range x {
			fmt.Fprintf(h, "%x,", math.Float64bits(v))
		}
	}
	return rand.New(rand.NewPCG(h.Sum64(), 0x736e617062656e63))
}

func normalQuantile(p float64) float64 { return -math.Sqrt2 * math.Erfcinv(2*p) }
func normalCDF(z float64) float64      { return math.Erfc(-z/math.Sqrt2) / 2 }

// wilson is the score interval of a proportion: k of n, z the normal quantile.
func wilson(k float64, n int, z float64) (lo, hi float64) {
	nf := float64(n)
	p := k / nf
	mid := (p + z*z/(2*nf)) / (1 + z*z/nf)
	half := z / (1 + z*z/nf) * math.Sqrt(p*(1-p)/nf+z*z/(4*nf*nf))
	lo, hi = max(0, mid-half), min(1, mid+half)
	// Despite rounding, the interval must contain p.
	return min(lo, p), max(hi, p)
}

// bca is the bias-corrected and accelerated bootstrap interval of the mean.
func bca(x []float64, alpha float64, rng *rand.Rand) (lo, hi float64) {
	n := len(x)
	m := mean(x)
	draws := make([]float64, resamples)
	below := 0.0
	for b := range draws {
		sum := 0.0
		for range n {
			sum += x[rng.IntN(n)]
		}
		draws[b] = sum / float64(n)
		switch {
		case draws[b] < m:
			below++
		case draws[b] == m:
			below += 0.5
		}
	}
	slices.Sort(draws)
	z0 := normalQuantile(min(max(below, 1), resamples-1) / resamples)
	// For a mean the jackknife's acceleration is the skewness of the data over 6 sqrt(n).
	s2, s3 := 0.0, 0.0
	for _, v := range x {
		d := v - m
		s2 += d * d
		s3 += d * d * d
	}
	acc := s3 / (6 * math.Pow(s2, 1.5))
	at := func(z float64) float64 {
		p := normalCDF(z0 + (z0+z)/(1-acc*(z0+z)))
		return quantile(draws, p)
	}
	z := normalQuantile(1 - alpha)
	return at(-z), at(z)
}

// Percentile is the p-quantile (0 to 1) of times in any order, linear between neighbours, so that the median of an even
// number of them is the mean of the middle two; 0 of none.
func Percentile(times []time.Duration, p float64) time.Duration {
	if len(times) == 0 {
		return 0
	}
	sorted := make([]float64, len(times))
	for i, t := range times {
		sorted[i] = float64(t)
	}
	slices.Sort(sorted)
	return time.Duration(math.Round(quantile(sorted, p)))
}

// quantile of sorted values, linear between order statistics.
func quantile(sorted []float64, p float64) float64 {
	at := p * float64(len(sorted)-1)
	i := int(at)
	if i >= len(sorted)-1 {
		return sorted[len(sorted)-1]
	}
	return sorted[i] + (at-float64(i))*(sorted[i+1]-sorted[i])
}

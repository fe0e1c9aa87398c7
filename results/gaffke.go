package results

import (
	"math"
	"slices"
)

// Gaffke's bound (Gaffke 2005, "Three test statistics for a nonparametric one-sided hypothesis on the mean of a
// nonnegative variable"; Learned-Miller and Thomas 2019 give it as a confidence interval) bounds the mean of values
// that cannot exceed a known top, without any assumption on their distribution, for any number of samples. Put the
// top among the samples and weigh all n+1 by random shares of one (the spacings of n uniform numbers): the bound is a
// quantile of that weighted mean. It is a Bayesian bootstrap that knows about the one thing that was not seen; for
// zeros and ones it is Clopper and Pearson's bound.
//
// The weighted mean's density is the B-spline whose knots are the values (Curry and Schoenberg 1966), so the quantile
// needs no random numbers: the distribution function is a sum of B-splines of one degree more, and de Boor's
// recurrence adds only positive terms.

// dirichletCDF is P(sum w[i] z[i] <= t) for shares w uniform on the simplex; z is sorted.
func dirichletCDF(z []float64, t float64) float64 {
	n := len(z) - 1 // degree of the integrated spline
	switch {
	case t >= z[n]:
		return 1
	case t < z[0]:
		return 0
	}
	if len(z) > splineLimit {
		return dirichletCDFLarge(z, t)
	}
	// The integral of the spline with knots z[0..n] up to t is the sum over j >= 0 of the splines of degree n with knots
	// z[j..j+n+1], further knots at or beyond z[n]. At t in [z[k], z[k+1]) only j <= k differ from zero, and together
	// with those of j < 0 (further knots at or below z[0]) they sum to one. b[j] holds the spline of knots z[j..j+d+1].
	k := len(z) - 1
	for z[k] > t {
		k--
	}
	knot := func(i int) float64 { return z[min(max(i, 0), n)] }
	// b[r] is the spline that starts at knot k-d+r, for r = 0..d.
	b := make([]float64, n+2)
	b[0] = 1
	for d := 1; d <= n; d++ {
		saved := 0.0
		for r := 0; r < d; r++ {
			right, left := knot(k+1+r), knot(k+1-d+r)
			w := 0.0
			if right > left {
				w = b[r] / (right - left)
			}
			b[r] = saved + (right-t)*w
			saved = (t - left) * w
		}
		b[d] = saved
	}
	// At degree n, entry r starts at knot k-n+r; those with k-n+r >= 0 make the distribution function.
	sum := 0.0
	for r := n - k; r <= n; r++ {
		sum += b[r]
	}
	return min(max(sum, 0), 1)
}

// splineLimit is the number of values up to which the distribution is computed exactly, at a cost of its square.
const splineLimit = 4000

// dirichletCDFLarge is the Cornish-Fisher form of dirichletCDF with exact mean, variance and skewness, for many values,
// where it is indistinguishable from the exact one.
func dirichletCDFLarge(z []float64, t float64) float64 {
	m := mean(z)
	s2, s3 := 0.0, 0.0
	for _, v := range z {
		d := v - m
		s2 += d * d
		s3 += d * d * d
	}
	// Central moments of a linear form in a Dirichlet(1, …, 1) of N shares.
	n := float64(len(z))
	v := s2 / (n * (n + 1))
	skew := 2 * s3 / (n * (n + 1) * (n + 2)) / math.Pow(v, 1.5)
	x := (t - m) / math.Sqrt(v)
	// Edgeworth's first term.
	return min(max(normalCDF(x)-skew*(x*x-1)/6*math.Exp(-x*x/2)/math.Sqrt(2*math.Pi), 0), 1)
}

// gaffkeP is the p-value of "the mean is at least limit" (small: the mean is surely below it), for values that cannot
// exceed top.
func gaffkeP(x []float64, top, limit float64) float64 {
	z := append(slices.Clone(x), top)
	slices.Sort(z)
	return 1 - dirichletCDF(z, limit)
}

// gaffkeUpper is the bound that the mean exceeds with probability at most alpha.
func gaffkeUpper(x []float64, top, alpha float64) float64 {
	z := append(slices.Clone(x), top)
	slices.Sort(z)
	lo, hi := z[0], top
	for range 60 {
		mid := (lo + hi) / 2
		if 1-dirichletCDF(z, mid) <= alpha {
			hi = mid
		} else {
			lo = mid
		}
		if hi-lo <= 1e-12 {
			break
		}
	}
	return hi
}

// gaffkeInterval bounds the mean of values within bottom and top from both sides, alpha on each.
func gaffkeInterval(x []float64, bottom, top, alpha float64) (lo, hi float64) {
	neg := make([]float64, len(x))
	for i, v := range x {
		neg[i] = -v
	}
	return -gaffkeUpper(neg, -bottom, alpha), gaffkeUpper(x, top, alpha)
}

package gate

import "math"

// mcNemar is the p-value of "as many get worse as get better", of samples whose answers are right or wrong, from the
// numbers of those that got worse and better (McNemar 1947). It is the exact one, of the binomial distribution, both
// tails; 1 where none changed.
func mcNemar(worse, better int) float64 {
	n, k := worse+better, min(worse, better)
	// Terms of the lower tail from its largest down: C(n, i) / 2^n, by the ratio of neighbours.
	lg := func(x int) float64 { v, _ := math.Lgamma(float64(x) + 1); return v }
	term := math.Exp(lg(n) - lg(k) - lg(n-k) - float64(n)*math.Ln2)
	tail := 0.0
	for i := k; i >= 0; i-- {
		tail += term
		term *= float64(i) / float64(n-i+1)
	}
	return min(1, 2*tail)
}

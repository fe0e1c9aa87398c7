package cacheformat

// Settings are compared at equal bytes when each keeps the most entries that fit one budget.

// Largest returns the largest c ≤ n for which bytes(c) is within the budget; ok is false where
// not even one entry fits. It goes down from n, since a residual makes bytes not monotone: 32
// entries of kivi2 take less than 31.
func Largest(n int, budget int64, bytes func(c int) int64) (c int, ok bool) {
	for c = n; c > 0; c-- {
		if bytes(c) <= budget {
			return c, true
		}
	}
	return 0, false
}

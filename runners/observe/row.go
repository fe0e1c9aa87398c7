package observe

import (
	"math"
	"slices"
)

// attend writes the softmax of one query over the keys that it sees: row[j] for j ≤ position and, where window > 0,
// j > position-window; the others are 0. q (d), keys (≥ position+1, d), scale is 1/√d.
func attend(row []float64, q, keys []float32, position, window int, scale float64) {
	d, first := len(q), 0
	if window > 0 {
		first = max(0, position-window+1)
	}
	clear(row)
	highest := math.Inf(-1)
	for j := first; j <= position; j++ {
		row[j] = scale * float64(dot(q, keys[j*d:(j+1)*d]))
		highest = max(highest, row[j])
	}
	sum := 0.0
	for j := first; j <= position; j++ {
		row[j] = math.Exp(row[j] - highest)
		sum += row[j]
	}
	for j := first; j <= position; j++ {
		row[j] /= sum
	}
}

// dot is a·b in float32, in four sums of which each takes every fourth number.
func dot(a, b []float32) float32 {
	b = b[:len(a)]
	var s [4]float32
	i := 0
	for ; i+4 <= len(a); i += 4 {
		s[0] += a[i] * b[i]
		s[1] += a[i+1] * b[i+1]
		s[2] += a[i+2] * b[i+2]
		s[3] += a[i+3] * b[i+3]
	}
	for ; i < len(a); i++ {
		s[0] += a[i] * b[i]
	}
	return (s[0] + s[1]) + (s[2] + s[3])
}

// top returns the positions of the k highest scores, ascending; ties go to the earliest.
func top(scores []float64, k int) []int32 {
	order := make([]int32, len(scores))
	for j := range order {
		order[j] = int32(j)
	}
	slices.SortFunc(order, func(a, b int32) int {
		switch {
		case scores[a] > scores[b]:
			return -1
		case scores[a] < scores[b]:
			return 1
		}
		return int(a - b)
	})
	order = order[:min(k, len(order))]
	slices.Sort(order)
	return order
}

// total is the sum of scores at positions.
func total(scores []float64, at []int32) float64 {
	sum := 0.0
	for _, j := range at {
		sum += scores[j]
	}
	return sum
}

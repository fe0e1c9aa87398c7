package observe

// total is the sum of scores at positions.
func total(scores []float64, at []int32) float64 {
	sum := 0.0
	for _, j := range at {
		sum += scores[j]
	}
	return sum
}

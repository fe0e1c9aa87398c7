package compress

import (
	"math"
	"sync"
)

// byHead makes a row of scores for each head, computed in float64, all heads at once:
// row must not change what they share.
func byHead(heads int, row func(head int) []float64) [][]float32 {
	rows := make([][]float32, heads)
	var all sync.WaitGroup
	for h := range rows {
		all.Go(func() {
			for _, x := range row(h) {
				rows[h] = append(rows[h], float32(x))
			}
		})
	}
	all.Wait()
	return rows
}

// vector returns position j of a head's (n, d).
func vector(states []float32, j, d int) []float32 { return states[j*d : (j+1)*d] }

// norm returns the Euclidean length.
func norm(x []float32) float64 { return math.Sqrt(dot(x, x)) }

// softmax turns logits into shares of 1, in place. A sink, -∞ for none, is one more logit,
// whose share is left out.
func softmax(x []float64, sink float64) {
	top := sink
	for _, z := range x {
		top = max(top, z)
	}
	sum := math.Exp(sink - top)
	for i, z := range x {
		x[i] = math.Exp(z - top)
		sum += x[i]
	}
	for i := range x {
		x[i] /= sum
	}
}

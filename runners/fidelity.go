package runners

import (
	"math"
	"slices"

	"github.com/snapbench/snapbench/results"
)

// Fidelity is how near a variant's next-token distributions are to the full
// cache's, along the full cache's answer.
type Fidelity struct {
	Tokens    int     // distributions compared
	KLMean    float64 // mean KL(full ‖ variant), nats
	KLP99     float64 // its 99th percentile
	Agreement float64 // share of equal first choices
	// FirstDivergence is the first token of the answer that the variant would
	// choose otherwise, from 0; -1 where there is none.
	FirstDivergence int
	// Parts are the same by place in the answer: those parts in which something was
	// compared, in order.
	Parts []FidelityPart
	// Top is 0 where whole distributions were compared. Else each was known by its Top
	// most likely tokens only: KLMean, KLP99 and Parts are lower bounds, of what those and
	// one rest in place of all others tell apart.
	Top int
	// LogProb is the log-probability (nats) of the full cache's answer under the
	// variant, less that under the full cache; nil where it is not known.
	LogProb *float64
}

// FidelityPart is the fidelity within one part of the answer.
type FidelityPart struct {
	results.AnswerPart
	Tokens        int     // distributions compared
	KL, Agreement float64 // as in [Fidelity]
}

// NewFidelity sums up what was compared at the tokens of an answer from number first on, one
// after the other: the divergence (nats) at each, and whether both would choose the same.
// There is at least one.
func NewFidelity(first int, kl []float64, agrees []bool) *Fidelity {
	f := &Fidelity{Tokens: len(kl), FirstDivergence: -1}
	f.KLMean, f.Agreement = averages(kl, agrees)
	if i := slices.Index(agrees, false); i >= 0 {
		f.FirstDivergence = first + i
	}
	sorted := slices.Sorted(slices.Values(kl))
	f.KLP99 = sorted[min(len(sorted)-1, int(math.Ceil(0.99*float64(len(sorted))))-1)]
	for _, p := range results.AnswerParts() {
		from, end := max(0, p.From-first), len(kl)
		if p.To >= 0 {
			end = min(end, p.To+1-first)
		}
		if from >= end {
			continue
		}
		part := FidelityPart{AnswerPart: p, Tokens: end - from}
		part.KL, part.Agreement = averages(kl[from:end], agrees[from:end])
		f.Parts = append(f.Parts, part)
	}
	return f
}

// averages returns the mean divergence and the share of equal choices.
func averages(kl []float64, agrees []bool) (mean, share float64) {
	sum, same := 0.0, 0
	for i, v := range kl {
		if sum += v; agrees[i] {
			same++
		}
	}
	return sum / float64(len(kl)), float64(same) / float64(len(kl))
}

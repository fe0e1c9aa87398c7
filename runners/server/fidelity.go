package server

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/snapbench/snapbench/runners"
)

// Compare holds a variant's distributions to the baseline's, both along the
// baseline's answer. The divergence is a lower bound: of each pair it tells apart the
// tokens that both name, and takes all others together as one.
func Compare(baseline, variant []Step) (*runners.Fidelity, error) {
	if len(baseline) == 0 || len(baseline) != len(variant) {
		return nil, fmt.Errorf("the baseline's answer has %d distributions, the variant's %d", len(baseline), len(variant))
	}
	f := &runners.Fidelity{Tokens: len(baseline), FirstDivergence: -1, Top: top}
	var list []float64
	agreed, change, unknown := 0, 0.0, false
	for i, p := range baseline {
		q := variant[i]
		if p.ID != q.ID {
			return nil, fmt.Errorf("token %d of the baseline's answer is %d, the variant was asked about %d", i, p.ID, q.ID)
		}
		if len(p.Top) == 0 || len(q.Top) == 0 {
			return nil, errors.New("a distribution without a token")
		}
		kl := lowerKL(p.Top, q.Top)
		list = append(list, kl)
		f.KLMean += kl / float64(len(baseline))
		if p.LogProb == nil || q.LogProb == nil {
			unknown = true
		} else {
			change += *q.LogProb - *p.LogProb
		}
		if p.Top[0].ID == q.Top[0].ID {
			agreed++
		} else if f.FirstDivergence < 0 {
			f.FirstDivergence = i
		}
	}
	f.Agreement = float64(agreed) / float64(len(baseline))
	slices.Sort(list)
	f.KLP99 = list[min(len(list)-1, int(math.Ceil(0.99*float64(len(list))))-1)]
	if !unknown {
		f.LogProb = &change
	}
	return f, nil
}

// lowerKL is KL(p ‖ q), in nats, of two distributions of which some tokens are known.
// What both know is told apart and the rest put together on both sides: putting
// outcomes together never raises a divergence.
func lowerKL(p, q []Likely) float64 {
	of := map[int32]float64{}
	for _, t := range q {
		of[t.ID] = t.LogProb
	}
	kl, restP, restQ := 0.0, 1.0, 1.0
	for _, t := range p {
		if l, both := of[t.ID]; both {
			prob := math.Exp(t.LogProb)
			kl += prob * (t.LogProb - l)
			restP, restQ = restP-prob, restQ-math.Exp(l)
		}
	}
	// Rounding may leave less than nothing; a rest of q that is nothing but rounding
	// says nothing about it.
	const least = 1e-6
	if restP > 0 {
		kl += restP * math.Log(restP/math.Max(restQ, least))
	}
	return math.Max(0, kl)
}

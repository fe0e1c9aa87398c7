package server

import (
	"errors"
	"fmt"
	"math"

	"github.com/snapbench/snapbench/runners"
)

// Compare holds a variant's distributions to the baseline's, both along the
// baseline's answer. The divergence is a lower bound: of each pair it tells apart the
// tokens that servers name, and takes all others together as one.
func Compare(baseline, variant []Step) (*runners.Fidelity, error) {
	if len(baseline) == 0 || len(baseline) != len(variant) {
		return nil, fmt.Errorf("the baseline's answer has %d distributions, the variant's %d", len(baseline), len(variant))
	}
	var kl []float64
	var agrees []bool
	change, unknown := 0.0, false
	for i, p := range baseline {
		q := variant[i]
		if p.ID != q.ID {
			return nil, fmt.Errorf("token %d of the baseline's answer is %d, the variant was asked about %d", i, p.ID, q.ID)
		}
		if len(p.Top) == 0 || len(q.Top) == 0 {
			return nil, errors.New("a distribution without a token")
		}
		kl, agrees = append(kl, lowerKL(p.Top, q.Top)), append(agrees, p.Top[0].ID == q.Top[0].ID)
		if p.LogProb == nil || q.LogProb == nil {
			unknown = true
		} else {
			change += *q.LogProb - *p.LogProb
		}
	}
	f := runners.NewFidelity(0, kl, agrees)
	f.Top = top
	if !unknown {
		f.LogProb = &change
	}
	return f, nil
}

// lowerKL is KL(p ‖ q), in nats, as far as the most likely tokens of both tell it. What
// both know is told apart and all the rest put together: putting outcomes together
// never raises a divergence. Of the rest, what one of them knows is told apart from
// what it does not; the other's share of that is no more than so many times the least
// likely token that it told, and within that taken as what gives the least.
func lowerKL(p, q []Likely) float64 {
	kl := 0.0
	restP, restQ := 1.0, 1.0 // of what they do not know both
	onlyP, onlyQ := 0.0, 0.0 // of it, what one of them knows
	manyP, manyQ := 0.0, 0.0
	ofP, ofQ := probabilities(p), probabilities(q)
	for _, t := range p {
		if y, both := ofQ[t.ID]; both {
			x := ofP[t.ID]
			kl += term(x, y)
			restP, restQ = restP-x, restQ-y
		} else {
			onlyP, manyP = onlyP+ofP[t.ID], manyP+1
		}
	}
	for _, t := range q {
		if _, both := ofP[t.ID]; !both {
			onlyQ, manyQ = onlyQ+ofQ[t.ID], manyQ+1
		}
	}
	if restP <= 0 {
		return max(0, kl)
	}
	leastP, leastQ := ofP[p[len(p)-1].ID], ofQ[q[len(q)-1].ID]
	split := func(x, y float64) float64 { return term(x, y) + term(restP-x, restQ-y) }
	first := split(onlyP, max(0, min(restQ*onlyP/restP, manyP*leastQ, restQ-onlyQ)))
	second := split(max(0, min(restP*onlyQ/max(restQ, least), manyQ*leastP, restP-onlyP)), onlyQ)
	return max(0, kl+max(first, second, term(restP, restQ)))
}

func probabilities(list []Likely) map[int32]float64 {
	of := map[int32]float64{}
	for _, t := range list {
		of[t.ID] = math.Exp(t.LogProb)
	}
	return of
}

// least is a probability that servers' rounding hides.
const least = 1e-6

// term is an outcome's part of a divergence. One that q is said to exclude is taken as
// hidden by rounding.
func term(p, q float64) float64 {
	if p <= 0 {
		return 0
	}
	return p * math.Log(p/max(q, least))
}

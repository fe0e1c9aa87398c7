package local

import (
	"math"
	"slices"
	"sort"

	"github.com/snapbench/snapbench/runners"
	"github.com/snapbench/snapbench/runners/models"
)

// compare adds to each follower's measurement the divergence of its distribution from that
// of the full cache, in steps in which the full cache's answer chooses a token.
func (b *batch) compare(decoder *models.Decoder, live []int, chosen []int32) error {
	var p, q []int
	var who []*answer
	for row, k := range live {
		a := b.answers[k]
		if a.follow == nil || b.over(a) || len(a.follow.pending) > 1 {
			continue
		}
		p, q, who = append(p, a.follow.row), append(q, row), append(who, a)
	}
	if len(who) == 0 {
		return nil
	}
	kl, err := decoder.Divergence(p, q)
	if err != nil {
		return err
	}
	for i, a := range who {
		a.kl = append(a.kl, float64(kl[i]))
		if chosen[p[i]] == chosen[q[i]] {
			a.agreed++
		} else if a.diverged < 0 {
			a.diverged = len(a.follow.completion.Tokens)
		}
	}
	return nil
}

// measured sets the fidelity of a follower whose answer is done.
func (b *batch) measured(a *answer) {
	if a.completion.Err != nil || a.completion.Fidelity != nil || len(a.kl) == 0 {
		return
	}
	sum := 0.0
	for _, v := range a.kl {
		sum += v
	}
	sorted := slices.Clone(a.kl)
	sort.Float64s(sorted)
	a.completion.Fidelity = &runners.Fidelity{
		Tokens: len(a.kl), KLMean: sum / float64(len(a.kl)),
		KLP99:     sorted[min(len(sorted)-1, int(math.Ceil(0.99*float64(len(sorted))))-1)],
		Agreement: float64(a.agreed) / float64(len(a.kl)), FirstDivergence: a.diverged,
	}
}

package local

import "github.com/snapbench/snapbench/runners"

// compare adds to each follower's measurement the divergence of its distribution from that
// of the full cache, in steps in which the full cache's answer chooses a token.
func (b *batch) compare(chosen []int32) error {
	var p, q []int
	var who []*answer
	for row, a := range b.live {
		if a.follow == nil || a.over() || len(a.follow.pending) > 1 {
			continue
		}
		p, q, who = append(p, a.follow.row), append(q, row), append(who, a)
	}
	if len(who) == 0 {
		return nil
	}
	kl, err := b.decoder.Divergence(p, q)
	if err != nil {
		return err
	}
	for i, a := range who {
		if len(a.kl) == 0 {
			a.first = len(a.follow.completion.Tokens)
		}
		a.kl, a.agrees = append(a.kl, float64(kl[i])), append(a.agrees, chosen[p[i]] == chosen[q[i]])
	}
	return nil
}

// measured sets the fidelity of a follower whose answer is done.
func (b *batch) measured(a *answer) {
	if a.completion.Err != nil || a.completion.Fidelity != nil || len(a.kl) == 0 {
		return
	}
	a.completion.Fidelity = runners.NewFidelity(a.first, a.kl, a.agrees)
}

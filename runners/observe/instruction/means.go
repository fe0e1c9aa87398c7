package instruction

import "github.com/snapbench/snapbench/results"

// counted is a share before it is divided.
type counted struct{ part, all int }

// rate counts in one layer of a context.
type rate func(c Context, layer int) counted

// over is the mean over contexts of a rate in a layer, or where that is negative over all layers; each context's is one
// ratio of sums over its questions. Those with fewer than least to have a share of are left out.
func (r *Report) over(layer, least int, of rate) results.Interval {
	var list []float64
	for _, c := range r.seen() {
		var sum counted
		for i := range r.layers() {
			if layer < 0 || i == layer {
				x := of(c, i)
				sum.part, sum.all = sum.part+x.part, sum.all+x.all
			}
		}
		if sum.all >= max(1, least) {
			list = append(list, float64(sum.part)/float64(sum.all))
		}
	}
	return results.MeanInterval(list)
}

func (r *Report) layers() int { return len(r.seen()[0].Questions[0].OwnVotes) }

// voted is what two questions both vote for.
func voted(c Context, layer int) (x counted) {
	for _, p := range c.Pairs {
		x.part, x.all = x.part+p.Votes[layer], x.all+c.Vote
	}
	return x
}

// beyond is the same without the first positions, of what the first question of a pair votes for there.
func beyond(c Context, layer int) (x counted) {
	for _, p := range c.Pairs {
		x.part, x.all = x.part+p.NoSink[layer], x.all+c.Questions[p.A].Beyond[layer]
	}
	return x
}

// own is what the context's own end and a question both vote for.
func own(c Context, layer int) (x counted) {
	for _, q := range c.Questions {
		x.part, x.all = x.part+q.OwnVotes[layer], x.all+c.Vote
	}
	return x
}

// kept is what a variant keeps for both of two questions, of what it keeps for the first.
func kept(variant string) rate {
	return func(c Context, layer int) (x counted) {
		for _, p := range c.Pairs {
			x.part, x.all = x.part+p.Kept[variant][layer], x.all+c.Questions[p.A].Kept[variant][layer]
		}
		return x
	}
}

// hit is the hit rate of the prompt's last window, of number i, with the question before the context or behind it.
func hit(i int, before bool) rate {
	return func(c Context, layer int) (x counted) {
		for _, q := range c.Questions {
			list := q.After
			if before {
				list = q.Before
			}
			if list != nil && list[layer][i].Important >= 0 {
				x.part, x.all = x.part+list[layer][i].Hits, x.all+list[layer][i].Important
			}
		}
		return x
	}
}

// chance is the mean share of a context that a question votes for, which two votes at random have in common.
func (r *Report) chance() float64 {
	sum := 0.0
	for _, c := range r.seen() {
		sum += float64(c.Tokens/r.Settings.Share) / float64(c.Tokens)
	}
	return sum / float64(len(r.seen()))
}

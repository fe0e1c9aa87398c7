package results

import (
	"fmt"
	"math"
	"slices"
)

// served gathers what rows of one server's variant cost.
type served struct {
	first, p50, p95, same, second, scores []float64
}

func (s *served) add(r *Row) {
	for _, f := range []struct {
		list *[]float64
		v    *float64
	}{{&s.first, r.TTFTSeconds}, {&s.p50, r.TokenSecondsP50}, {&s.p95, r.TokenSecondsP95}} {
		if f.v != nil {
			*f.list = append(*f.list, *f.v)
		}
	}
	if r.RepeatEqual != nil {
		equal := 0.0
		if *r.RepeatEqual {
			equal = 1
		}
		s.same = append(s.same, equal)
	}
	if r.RepeatScore != nil && r.Score != nil {
		s.second, s.scores = append(s.second, *r.RepeatScore), append(s.scores, *r.Score)
	}
}

func (s *served) cost() ServedCost {
	p50, p95 := math.NaN(), math.NaN()
	if slices.Sort(s.first); len(s.first) > 0 {
		p50, p95 = quantile(s.first, 0.5), quantile(s.first, 0.95)
	}
	return ServedCost{
		FirstTokenP50: p50, FirstTokenP95: p95, TokenP50: mean(s.p50), TokenP95: mean(s.p95),
		Same: mean(s.same), RepeatScore: mean(s.second), FirstScore: mean(s.scores),
	}
}

// servedGrid lays out what servers' answers cost, and how two answers to the same prompt differ where they were asked
// twice.
func servedGrid(costs []Cost) Grid {
	g := Grid{Head: []string{"variant", "prompt tokens", "first token, median", "95th percentile", "between tokens, median", "95th percentile", "decode"}}
	repeated := slices.ContainsFunc(costs, func(c Cost) bool { return !math.IsNaN(c.Served.Same) })
	if repeated {
		g.Head = append(g.Head, "same text twice", "score, asked again")
	}
	for _, c := range costs {
		s := c.Served
		row := []string{c.Label, count(c.PromptTokens), Seconds(s.FirstTokenP50), Seconds(s.FirstTokenP95), Seconds(s.TokenP50), Seconds(s.TokenP95), "n/a"}
		if !math.IsNaN(c.DecodeTokensPerSecond) {
			row[6] = Significant(c.DecodeTokensPerSecond, 3) + " tokens/s"
		}
		if repeated {
			same, again := "n/a", "n/a"
			if !math.IsNaN(s.Same) {
				same = fixed(100*s.Same, 1) + " %"
			}
			if !math.IsNaN(s.RepeatScore) {
				again = fmt.Sprintf("%s, first %s", Points(s.RepeatScore), Points(s.FirstScore))
			}
			row = append(row, same, again)
		}
		g.Rows, g.Strong = append(g.Rows, row), append(g.Strong, false)
	}
	g.Notes = []string{"over rows; times are as a client sees them, with the server's queue and the network in them"}
	if repeated {
		g.Notes = append(g.Notes, "what differs between two answers to the same prompt is the server's own noise: a drop of that size says nothing of a setting")
	}
	return g
}

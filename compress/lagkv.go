package compress

import (
	"fmt"
	"math"
	"slices"
)

func init() {
	Register(Definition{
		Name: "lagkv", Title: "LagKV", Paper: "2504.04704",
		Help: "keeps what varies most, measured against the block of positions behind it",
		Parameters: []Parameter{
			sinksParameter,
			{Name: "lag", Kind: Whole, Default: "128", Least: 2, Help: "positions in a block"},
			switched("cross", off, "whether scores of different blocks are compared, not ranks within each"),
		},
		New: func(a Arguments) (Policy, error) {
			return ByScore(lagKV{a.Whole("sinks"), a.Whole("lag"), a.On("cross")}), nil
		},
	})
}

// lagKV scores the blocks behind the sinks by how unlike the next block their keys
// and values are (arXiv 2504.04704; kvpress). The last whole block and
// what follows it have no next one and come first, as the sinks do. A prompt without
// two whole blocks is scored by position. Ranks repeat in every block: a capacity
// that cuts through one rank takes the earliest blocks' positions.
type lagKV struct {
	sinks, lag List[int]
	cross      List[bool]
}

func (lagKV) Needs(l Layer) Needs { return Needs{Scores: l.Heads.KV} }

func (p lagKV) Bounds(l Layer) Bounds {
	return Bounds{Heads: l.Heads.KV, Sinks: p.sinks.At(l.Index)}
}

func (p lagKV) Score(ops Ops, l Layer) (Scores, error) {
	sinks, lag, cross := p.sinks.At(l.Index), p.lag.At(l.Index), p.cross.At(l.Index)
	faults := make([]error, l.Heads.KV)
	s := ops.Compute(fmt.Sprintf("lag %d %d %t", sinks, lag, cross), func() [][]float32 {
		blocks := (l.Tokens - sinks) / lag
		if blocks < 2 {
			return byHead(l.Heads.KV, func(int) []float64 { return byPosition(l.Tokens, sinks) })
		}
		keys, values := ops.Keys(), ops.Values()
		return byHead(l.Heads.KV, func(g int) []float64 {
			scores := slices.Repeat([]float64{1}, l.Tokens)
			for b := range blocks - 1 {
				block := scores[sinks+b*lag : sinks+(b+1)*lag]
				clear(block)
				for _, states := range []struct {
					name string
					of   []float32
				}{{"keys", keys[g]}, {"values", values[g]}} {
					share, err := unlike(states.of, sinks+b*lag, lag, l.Heads.Size)
					if err != nil {
						faults[g] = fmt.Errorf("layer %d, head %d: %s: %w", l.Index, g, states.name, err)
						return scores
					}
					for j, x := range share {
						block[j] += x / 2
					}
				}
				if !cross {
					rank(block)
				}
			}
			return scores
		})
	})
	for _, err := range faults {
		if err != nil {
			return Scores{}, err
		}
	}
	return s, nil
}

// byPosition scores what is too short for blocks: later is better.
func byPosition(n, sinks int) []float64 {
	scores := make([]float64, n)
	for j := sinks; j < n; j++ {
		scores[j] = float64(j-sinks) / float64(n-sinks)
	}
	return scores
}

// unlike returns the share of each of a block's positions, from start on, in how
// much they deviate over the channels, each channel measured between its least and
// its greatest value in the next block.
func unlike(states []float32, start, lag, d int) ([]float64, error) {
	least, range_ := make([]float64, d), make([]float64, d)
	for c := range d {
		lo, hi := math.Inf(1), math.Inf(-1)
		for j := start + lag; j < start+2*lag; j++ {
			x := float64(states[j*d+c])
			lo, hi = min(lo, x), max(hi, x)
		}
		if !(hi > lo) {
			return nil, fmt.Errorf("channel %d is %g throughout positions %d to %d: nothing can be measured by it", c, lo, start+lag, start+2*lag-1)
		}
		least[c], range_[c] = lo, hi-lo
	}
	deviation := make([]float64, lag)
	scaled := make([]float64, d)
	for j := range deviation {
		mean := 0.0
		for c, x := range vector(states, start+j, d) {
			scaled[c] = (float64(x) - least[c]) / range_[c]
			mean += scaled[c] / float64(d)
		}
		sum := 0.0
		for _, x := range scaled {
			sum += (x - mean) * (x - mean)
		}
		deviation[j] = math.Sqrt(sum / float64(d-1))
	}
	softmax(deviation, math.Inf(-1))
	return deviation, nil
}

// rank replaces scores by their ranks, as a share of all.
func rank(scores []float64) {
	order := make([]int, len(scores))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		if scores[a] < scores[b] {
			return -1
		} else if scores[a] > scores[b] {
			return 1
		}
		return 0
	})
	for r, i := range order {
		scores[i] = float64(r) / float64(len(scores))
	}
}

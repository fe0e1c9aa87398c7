package compress

import (
	"cmp"
	"fmt"
	"slices"
)

func init() {
	Register(Definition{
		Name: "chunk", Title: "ChunkKV", Paper: "2502.00299",
		Help:       "keeps whole chunks of the prompt, the same in every head: the same share of chunks as cap is of the positions, so more or fewer positions than cap",
		Parameters: []Parameter{{Name: "chunk", Kind: Whole, Default: "20", Least: 1, Help: "positions in a chunk"}},
		Inner:      "snapkv",
		New: func(a Arguments) (Policy, error) {
			s, err := ranked("chunk", a.Inner)
			if err != nil {
				return nil, err
			}
			return chunkKV{Ranked{s}, a.Whole("chunk")}, nil
		},
	})
}

// chunkKV keeps the chunks whose positions score highest on average (arXiv 2502.00299,
// algorithm 1). A prompt shorter than a chunk is left to the policy it is built on.
type chunkKV struct {
	Ranked
	chunk List[int]
}

// keeps returns how many chunks are kept and how long the last one of the prompt is.
func (p chunkKV) keeps(l Layer, c Capacity) (count, last int) {
	chunk, n := p.chunk.At(l.Index), l.Tokens
	chunks := (n + chunk - 1) / chunk
	c = allot(p.Scorer, l, c)
	// The nudge is Budget.At's.
	return max(1, int(float64(chunks)*c.Exact/float64(n)+1e-9)), n - (chunks-1)*chunk
}

// Expect leaves open whether the last, short chunk is among those kept. Nor is the
// scorer's window sure to be: a chunk with few positions of it may lose to others.
func (p chunkKV) Expect(l Layer, c Capacity) Expectation {
	chunk := p.chunk.At(l.Index)
	if l.Tokens < chunk {
		return p.Ranked.Expect(l, c)
	}
	heads := l.Heads.KV
	count, last := p.keeps(l, c)
	e := Expectation{Heads: heads}
	switch {
	case last == chunk:
		e.PerHead = count * chunk
	case count*chunk >= l.Tokens:
		e.PerHead = l.Tokens
	default:
		e.Spread = (heads*(chunk-last) + 1) / 2
		e.Total = heads*count*chunk - e.Spread
		return e
	}
	e.Total = heads * e.PerHead
	return e
}

// Audit checks that whole chunks are kept, as many as are due, the same in every head.
func (p chunkKV) Audit(l Layer, c Capacity, kept [][]int32) error {
	chunk := p.chunk.At(l.Index)
	if l.Tokens < chunk {
		return nil
	}
	count, _ := p.keeps(l, c)
	for h, positions := range kept {
		if !slices.Equal(positions, kept[0]) {
			return fmt.Errorf("head %d keeps other chunks than head 0", h)
		}
	}
	chunks := 0
	for rest := kept[0]; len(rest) > 0; chunks++ {
		lo := int(rest[0])
		whole := span(lo, min(lo+chunk, l.Tokens))
		if lo%chunk != 0 || len(rest) < len(whole) || !slices.Equal(rest[:len(whole)], whole) {
			return fmt.Errorf("the chunk of position %d is not whole", lo)
		}
		rest = rest[len(whole):]
	}
	if chunks != count {
		return fmt.Errorf("%d chunks are kept, want %d", chunks, count)
	}
	return nil
}

func (p chunkKV) Keep(ops Ops, l Layer, c Capacity) (Kept, error) {
	chunk := p.chunk.At(l.Index)
	if l.Tokens < chunk {
		return p.Ranked.Keep(ops, l, c)
	}
	s, err := p.Score(ops, l)
	if err != nil {
		return Kept{}, err
	}
	means := chunkMeans(protected(ops, l, p.Scorer, s), chunk)
	count, _ := p.keeps(l, c)
	order := make([]int, len(means))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(means[b], means[a]) })
	order = order[:count]
	slices.Sort(order)
	var positions []int32
	for _, i := range order {
		positions = append(positions, span(i*chunk, min((i+1)*chunk, l.Tokens))...)
	}
	return ops.Positions(alike(l, positions)), nil
}

// chunkMeans returns the mean of each chunk's scores, summed over the heads.
func chunkMeans(rows [][]float32, chunk int) []float64 {
	var means []float64
	n := len(rows[0])
	for lo := 0; lo < n; lo += chunk {
		sum, hi := 0.0, min(lo+chunk, n)
		for _, row := range rows {
			for _, v := range row[lo:hi] {
				sum += float64(v)
			}
		}
		means = append(means, sum/float64(hi-lo))
	}
	return means
}

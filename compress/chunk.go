package compress

import (
	"fmt"
	"slices"

	"github.com/snapbench/snapbench/runners/engine"
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

// Needs: also a row of the highest and one of the mean, and three steps from that.
func (p chunkKV) Needs(l Layer) Needs {
	n := p.Ranked.Needs(l)
	n.Scores += 5
	return n
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
	count, last := p.keeps(l, c)
	means := ops.ChunkMeans(p.framed(ops, l, s), chunk)
	positions := min(count*chunk, l.Tokens)
	if last < chunk && ops.Among(means, positions, l.Tokens-1) {
		positions = (count-1)*chunk + last // the short chunk is one of them
	}
	return ops.Top(means, 0, positions, 0), nil
}

// framed returns the mean of all heads' scores for all positions as kvpress has them:
// means, and one more than the highest of all heads for what is always kept.
func (p chunkKV) framed(ops Ops, l Layer, s Scores) Scores {
	b, count := p.Bounds(l), float32(summands(p.Scorer, l))
	row := ops.Combine(ops.Average(s), Scores{}, engine.ScoresTimes, 1/count)
	if b.Fixed() == 0 {
		return row
	}
	return ops.Frame(row, b.Sinks, b.Tail, ops.Highest(s, b.Sinks)/count+1)
}

package compress

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/snapbench/snapbench/runners/engine"
)

func init() {
	turning := rerotateParameter
	turning.Default = on
	Register(Definition{
		Name: "finch", Title: "FINCH", Paper: "2408.00167",
		Help: "keeps what the prompt's last queries look at, without pooling, and the last w positions",
		Parameters: []Parameter{
			windowParameter,
			{Name: "chunk", Kind: Whole, Default: "0", Help: "positions of which each chunk keeps its share, 0 for the whole prompt at once; a short last chunk loses positions of the window too"},
			switched("normalize", on, "whether a query's attention is multiplied by how many positions are before it"),
			turning,
		},
		New: func(a Arguments) (Policy, error) {
			s := finch{a.Whole("w"), a.On("normalize")}
			p := ByScore(s)
			if chunk := a.Whole("chunk"); slices.Max(chunk) > 0 {
				p = chunks{Ranked{s}, chunk}
			}
			return rerotate(p, a.On("rerotate")), nil
		},
	})
}

// finch scores by what the observation window looks at (Corallo and Papotti, arXiv
// 2408.00167, TACL 2024; kvpress). The window's length is a parameter; the original takes
// the question behind a delimiter for it.
type finch struct {
	window    List[int]
	normalize List[bool]
}

func (p finch) Needs(l Layer) Needs {
	if p.normalize.At(l.Index) {
		return Needs{Queries: p.window.At(l.Index), Scores: l.Heads.KV}
	}
	return Needs{Window: p.window.At(l.Index), Scores: l.Heads.Query + l.Heads.KV}
}

func (p finch) Bounds(l Layer) Bounds {
	return Bounds{Heads: l.Heads.KV, Tail: p.window.At(l.Index)}
}

func (p finch) Score(ops Ops, l Layer) (Scores, error) {
	w := p.window.At(l.Index)
	if !p.normalize.At(l.Index) {
		return ops.Group(ops.WindowScores(w), engine.GroupMean), nil
	}
	return ops.Compute(fmt.Sprintf("window %d by positions before", w), func() [][]float32 {
		h, before := l.Heads, l.Tokens-w
		queries, keys, sinks := ops.Queries(w), ops.Keys(), ops.Sinks()
		return byHead(h.KV, func(g int) []float64 {
			scores, logits := make([]float64, before), make([]float64, l.Tokens)
			for a := g * h.Group(); a < (g+1)*h.Group(); a++ {
				for i := range w {
					position := before + i
					first := 0
					if l.Window > 0 {
						first = max(0, position-l.Window+1)
					}
					q, seen := vector(queries[a], i, h.Size), logits[first:position+1]
					for j := range seen {
						seen[j] = l.logit(dot(q, vector(keys[g], first+j, h.Size)))
					}
					softmax(seen, sinks[a])
					for j := first; j < before; j++ {
						// The original's own count: the query sees one more, itself.
						scores[j] += logits[j] * float64(position)
					}
				}
			}
			for j := range scores {
				scores[j] /= float64(w * h.Group())
			}
			return scores
		})
	}), nil
}

// chunks keeps the same share of each chunk of the prompt. The tail's positions come
// before all others of their chunk, and a chunk too short for them drops its last.
type chunks struct {
	Ranked
	chunk List[int]
}

// kept returns how many of a chunk's positions are kept.
func (p chunks) kept(length int, l Layer, c Capacity) int {
	// The nudge is Budget.At's.
	return max(1, int(math.Floor(float64(length)*c.Exact/float64(l.Tokens)+1e-9)))
}

// each calls f with the chunks [lo, hi), the last one first.
func (p chunks) each(l Layer, f func(lo, hi int)) {
	chunk := p.chunk.At(l.Index)
	for lo := (l.Tokens - 1) / chunk * chunk; lo >= 0; lo -= chunk {
		f(lo, min(lo+chunk, l.Tokens))
	}
}

func (p chunks) Check(l Layer, c Capacity) error {
	if err := p.Ranked.Check(l, c); err != nil || p.chunk.At(l.Index) == 0 || l.Tokens == 0 {
		return err
	}
	chunk, w := p.chunk.At(l.Index), p.Bounds(l).Tail
	if l.Tokens >= chunk && p.kept(chunk, l, c) <= w {
		return fmt.Errorf("chunk %d keeps %d positions, which leaves nothing beside the window of %d: it must be larger", chunk, p.kept(chunk, l, c), w)
	}
	return nil
}

func (p chunks) Expect(l Layer, c Capacity) Expectation {
	if p.chunk.At(l.Index) == 0 {
		return p.Ranked.Expect(l, c)
	}
	w := p.Bounds(l).Tail
	e := Expectation{Heads: p.Bounds(l).Heads}
	whole := true // all window positions behind this chunk are kept
	p.each(l, func(lo, hi int) {
		count := p.kept(hi-lo, l, c)
		e.PerHead += count
		if window := hi - max(lo, l.Tokens-w); window > 0 && whole {
			if whole = count >= window; whole {
				e.Tail += window
			}
		}
	})
	e.Total = e.Heads * e.PerHead
	return e
}

func (p chunks) Keep(ops Ops, l Layer, c Capacity) (Kept, error) {
	if p.chunk.At(l.Index) == 0 {
		return p.Ranked.Keep(ops, l, c)
	}
	s, err := p.Score(ops, l)
	if err != nil {
		return Kept{}, err
	}
	var heads [][]int32
	for _, scores := range ops.Read(s) {
		for len(scores) < l.Tokens {
			scores = append(scores, float32(math.Inf(1)))
		}
		var kept []int32
		p.each(l, func(lo, hi int) {
			positions := span(lo, hi)
			slices.SortStableFunc(positions, func(a, b int32) int { return cmp.Compare(scores[b], scores[a]) })
			kept = append(kept, positions[:p.kept(hi-lo, l, c)]...)
		})
		slices.Sort(kept)
		heads = append(heads, kept)
	}
	return ops.Positions(heads), nil
}

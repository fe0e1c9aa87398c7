package compress

import (
	"fmt"
	"math"

	"github.com/snapbench/snapbench/runners/engine"
)

// The ways in which the query heads of one KV head come to a choice. With one
// query head per KV head the first four are the same.
const (
	queryHead  = "query_head"   // each selects for itself and keeps a copy of its own (the authors' code)
	kvHeadMean = "kv_head_mean" // the group's scores are averaged before pooling (KVCache-Factory)
	kvHeadMax  = "kv_head_max"  // the group's highest score counts, before pooling (KVCache-Factory)
	kvpress    = "kvpress"      // each query head is pooled, then the group averaged (kvpress)
	rkv        = "rkv"          // the group's highest logit counts, before a softmax without the window (R-KV)
)

var windowParameter = Parameter{Name: "w", Flag: "windows", Kind: Whole, Default: "32", Least: 1,
	Help: "observation windows in tokens"}

func init() {
	Register(Definition{
		Name: "snapkv", Title: "SnapKV", Paper: "2404.14469",
		Help: "keeps what the prompt's last queries look at, smoothed by pooling, and the last w positions",
		Parameters: []Parameter{
			windowParameter,
			{Name: "k", Flag: "kernels", Kind: Odd, Default: "7", Least: 1, Help: "pooling kernels, odd"},
			{Name: "pool", Flag: "pooling", Kind: Word, Default: "max", Allowed: []string{"max", "avg"}, Help: "poolings: max, avg"},
			{Name: "gqa", Flag: "gqa", Kind: Word, Default: kvHeadMean, Allowed: []string{queryHead, kvHeadMean, kvHeadMax, kvpress, rkv},
				Help: "groupings of the query heads that share a KV head: query_head, kv_head_mean, kv_head_max, kvpress, rkv"},
		},
		New: func(a Arguments) (Policy, error) {
			return ByScore(snapKV{a.Whole("w"), a.Whole("k"), a.Word("pool"), a.Word("gqa")}), nil
		},
	})
}

// snapKV scores by what the observation window looks at (arXiv 2404.14469,
// section 4.1).
type snapKV struct {
	window, kernel List[int]
	pooling, gqa   List[string]
}

func (p snapKV) Needs(l Layer) Needs {
	w := p.window.At(l.Index)
	if p.gqa.At(l.Index) == rkv {
		return Needs{Queries: w, Scores: 2 * l.Heads.KV}
	}
	return Needs{Window: w, Scores: 2*l.Heads.Query + l.Heads.KV} // as measured, grouped, pooled
}

func (p snapKV) Bounds(l Layer) Bounds {
	b := Bounds{Heads: l.Heads.KV, Tail: p.window.At(l.Index)}
	if p.gqa.At(l.Index) == queryHead {
		b.Heads = l.Heads.Query
	}
	return b
}

// Summands: SnapKV's own code sums over the window, kvpress and AdaKV take the mean.
func (p snapKV) Summands(l Layer) int {
	if p.gqa.At(l.Index) == rkv {
		return 1 // a mean already
	}
	return p.window.At(l.Index)
}

func (p snapKV) Score(ops Ops, l Layer) (Scores, error) {
	w, k := p.window.At(l.Index), p.kernel.At(l.Index)
	pool := engine.MaxPooling
	if p.pooling.At(l.Index) == "avg" {
		pool = engine.AveragePooling
	}
	switch gqa := p.gqa.At(l.Index); gqa {
	case queryHead:
		return ops.Pool(ops.WindowScores(w), k, pool), nil
	case kvHeadMean:
		return ops.Pool(ops.Group(ops.WindowScores(w), engine.GroupMean), k, pool), nil
	case kvHeadMax:
		return ops.Pool(ops.Group(ops.WindowScores(w), engine.GroupMax), k, pool), nil
	case kvpress:
		return ops.Group(ops.Pool(ops.WindowScores(w), k, pool), engine.GroupMean), nil
	case rkv:
		if l.Sinks.Len > 0 {
			return Scores{}, fmt.Errorf("gqa=%s does not go with the sinks of layer %d: they are a query head's, and its softmax is of the group's highest logits", rkv, l.Index)
		}
		return ops.Pool(groupLogits(ops, l, w), k, pool), nil
	default:
		return Scores{}, fmt.Errorf("no grouping %q", gqa)
	}
}

// groupLogits scores as R-KV does: the largest logit of the group's query heads, a
// softmax over the positions before the window alone, the mean over its queries.
// (KV heads, n-w)
func groupLogits(ops Ops, l Layer, w int) Scores {
	return ops.Compute(fmt.Sprintf("window %d by the group's logits", w), func() [][]float32 {
		h, before := l.Heads, l.Tokens-w
		queries, keys := ops.Queries(w), ops.Keys()
		out := make([][]float32, h.KV)
		logits, sums := make([]float64, before), make([]float64, before)
		for g := range out {
			clear(sums)
			for i := range w {
				top := math.Inf(-1)
				for j := range logits {
					logits[j] = math.Inf(-1)
					if l.Window > 0 && j <= before+i-l.Window {
						continue
					}
					for a := g * h.Group(); a < (g+1)*h.Group(); a++ {
						logits[j] = max(logits[j], l.logit(dot(queries[a][i*h.Size:(i+1)*h.Size], keys[g][j*h.Size:(j+1)*h.Size])))
					}
					top = max(top, logits[j])
				}
				if math.IsInf(top, -1) {
					continue // the model's own window hides all of them from this query
				}
				sum := 0.0
				for j, z := range logits {
					logits[j] = math.Exp(z - top)
					sum += logits[j]
				}
				for j, e := range logits {
					sums[j] += e / sum / float64(w)
				}
			}
			out[g] = make([]float32, before)
			for j, s := range sums {
				out[g][j] = float32(s)
			}
		}
		return out
	})
}

func dot(a, b []float32) float64 {
	sum := 0.0
	for i := range a {
		sum += float64(a[i]) * float64(b[i])
	}
	return sum
}

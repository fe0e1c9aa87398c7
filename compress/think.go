package compress

import (
	"cmp"
	"fmt"
	"slices"
)

func init() {
	Register(Definition{
		Name: "think", Title: "ThinK", Paper: "2407.21018",
		Help: "keeps every position and sets the channels of the keys to 0 that matter least to the last w queries; it frees nothing: the zeros are stored",
		Parameters: []Parameter{
			{Name: "ratio", Kind: Real, Default: "0.5", Least: 0, Most: 1, Help: "the part of the channels that is set to 0"},
			windowParameter,
		},
		Unbudgeted: true,
		New:        func(a Arguments) (Policy, error) { return think{full{}, a.Real("ratio"), a.Whole("w")}, nil },
	})
}

// think prunes channels of the prompt's keys, those of new tokens stay whole (arXiv
// 2407.21018, section 3.2; in kvpress's form, which masks).
type think struct {
	full
	ratio  List[float64]
	window List[int]
}

func (p think) Needs(l Layer) Needs { return Needs{Queries: p.window.At(l.Index)} }

func (p think) Check(l Layer, _ Capacity) error {
	if w := p.window.At(l.Index); l.Tokens > 0 && l.Tokens < w {
		return fmt.Errorf("the prompt is shorter than the window of %d", w)
	}
	return nil
}

func (p think) Keep(ops Ops, l Layer, _ Capacity) (Kept, error) {
	h := l.Heads
	queries, keys := ops.Queries(p.window.At(l.Index)), ops.Keys()
	count := int(float64(h.Size) * p.ratio.At(l.Index))
	pruned := make([][]int, h.KV)
	for g := range pruned {
		pruned[g] = leastChannels(queries[g*h.Group():(g+1)*h.Group()], keys[g], h.Size, count)
	}
	kept := ops.Everything()
	kept.Edit = func(head int, keys []float32, _ []int32) {
		for at := 0; at < len(keys); at += h.Size {
			for _, c := range pruned[head] {
				keys[at+c] = 0
			}
		}
	}
	return kept, nil
}

// leastChannels returns the channels in which the mean square of a group's queries
// times that of the keys is least.
func leastChannels(queries [][]float32, keys []float32, size, count int) []int {
	product := make([]float64, size)
	for _, q := range queries {
		for c, v := range meanSquares(q, size) {
			product[c] += v / float64(len(queries))
		}
	}
	for c, v := range meanSquares(keys, size) {
		product[c] *= v
	}
	order := make([]int, size)
	for c := range order {
		order[c] = c
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(product[a], product[b]) })
	return order[:count]
}

// meanSquares returns each channel's over the rows.
func meanSquares(rows []float32, size int) []float64 {
	mean := make([]float64, size)
	for i, v := range rows {
		mean[i%size] += float64(v) * float64(v)
	}
	for c := range mean {
		mean[c] /= float64(len(rows) / size)
	}
	return mean
}

package observe

import "math"

// Span is a half-open range of prompt positions, such as those of a needle.
type Span [2]int

// Evidence says what of a span a variant keeps, over all layers and cache heads (study 5).
type Evidence struct {
	// Retention is the mean over layers and heads of the part of the span that is kept.
	Retention Share `json:"retention"`
	// GERLayers is the mean over layers of the part that no head of the layer keeps, GERModel the part that no head of any
	// layer does: the global eviction ratio of arXiv 2603.01426, which leaves open over which heads it is.
	GERLayers  Share `json:"ger_layers"`
	GERModel   Share `json:"ger_model"`
	WholeHeads int   `json:"whole_heads"` // heads, of all layers, that keep all of it
	// Rho is, by token of the span, the part of the answer's attention to it that goes to heads which kept it. It is ours.
	Rho []Share `json:"rho"`
}

// Least is the lowest of Rho, NaN where a token gets no attention at all.
func (e Evidence) Least() Share {
	least := Share(math.Inf(1))
	for _, r := range e.Rho {
		if math.IsNaN(float64(r)) {
			return r
		}
		least = min(least, r)
	}
	return least
}

// spanSums are a span's totals while layers are added.
type spanSums struct {
	retention []float64 // by layer and head
	missing   []float64 // by layer
	ever      []bool    // by token: some head keeps it
	whole     int
	kept, all []float64 // by token: the answer's attention
}

// evidence counts the spans in one layer.
func (v *Variant) evidence(heads []head, k kept, spans map[string]Span) {
	group := len(heads) / len(k.heads)
	for name, e := range spans {
		size := e[1] - e[0]
		if v.sums.spans == nil {
			v.sums.spans, v.Spans, v.Any = map[string]*spanSums{}, map[string][][]int{}, map[string][]int{}
		}
		t := v.sums.spans[name]
		if t == nil {
			t = &spanSums{ever: make([]bool, size), kept: make([]float64, size), all: make([]float64, size)}
			v.sums.spans[name] = t
		}
		counts, some, any := []int{}, make([]bool, size), 0
		for c, keep := range k.heads {
			holds, count := make([]bool, size), 0
			for _, j := range keep {
				if i := int(j) - e[0]; i >= 0 && i < size {
					holds[i], some[i], t.ever[i] = true, true, true
					count++
				}
			}
			counts = append(counts, count)
			t.retention = append(t.retention, float64(count)/float64(size))
			if count == size {
				t.whole++
			}
			for _, x := range heads[c*group : (c+1)*group] {
				for i := range size {
					a := x.answered[e[0]+i]
					t.all[i] += a
					if holds[i] {
						t.kept[i] += a
					}
				}
			}
		}
		for _, x := range some {
			if x {
				any++
			}
		}
		t.missing = append(t.missing, 1-float64(any)/float64(size))
		v.Spans[name], v.Any[name] = append(v.Spans[name], counts), append(v.Any[name], any)
	}
}

// audit is the spans' evidence over all layers.
func (v *Variant) audit(spans map[string]Span) map[string]Evidence {
	if len(spans) == 0 {
		return nil
	}
	list := map[string]Evidence{}
	for name := range spans {
		t := v.sums.spans[name]
		never := 0
		e := Evidence{Retention: mean(t.retention), GERLayers: mean(t.missing), WholeHeads: t.whole}
		for i, kept := range t.kept {
			e.Rho = append(e.Rho, ratio(kept, t.all[i]))
			if !t.ever[i] {
				never++
			}
		}
		e.GERModel = ratio(float64(never), float64(len(t.ever)))
		list[name] = e
	}
	return list
}

// attention is the mean over the answer's rows of the attention to a span, by query head.
func (e Span) attention(heads []head, rows int) []Share {
	var list []Share
	for _, x := range heads {
		sum := 0.0
		for j := e[0]; j < e[1]; j++ {
			sum += x.answered[j]
		}
		list = append(list, ratio(sum, float64(rows)))
	}
	return list
}

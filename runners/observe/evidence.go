package observe

import "github.com/snapbench/snapbench/runners/evidence"

// Span, Evidence and Share are those of the audit that any run can have (study 5).
type (
	Span     = evidence.Span
	Evidence = evidence.Kept
	Share    = evidence.Share
)

var (
	ratio = evidence.Ratio
	mean  = evidence.Mean
)

// evidence counts the spans in one layer.
func (v *Variant) evidence(heads []head, k kept, spans map[string]Span) {
	if v.sums.spans == nil && len(spans) > 0 {
		v.sums.spans, v.Spans, v.Any = map[string]*evidence.Sum{}, map[string][][]int{}, map[string][]int{}
	}
	for name, e := range spans {
		if v.sums.spans[name] == nil {
			v.sums.spans[name] = evidence.NewSum(e.Size())
		}
		var held [][]bool
		for _, keep := range k.heads {
			held = append(held, evidence.Held([]Span{e}, keep))
		}
		var attention [][]float64
		for _, x := range heads {
			attention = append(attention, x.answered[e[0]:e[1]])
		}
		counts, any := v.sums.spans[name].Add(held, attention)
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
		list[name] = v.sums.spans[name].Kept()
	}
	return list
}

// attention is the mean over the answer's rows of the attention to a span, by query head.
func attention(e Span, heads []head, rows int) []Share {
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

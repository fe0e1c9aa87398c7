package results

import (
	"fmt"
	"math"
	"slices"
)

// AnswerPart is a stretch of answers whose fidelity is told by itself: what a cache has lost may show at once, or only in
// a long answer.
type AnswerPart struct {
	From, To int // the first token, from 0, and the last; To is -1 in the part that has no end
}

// answerParts follow one another without a gap.
var answerParts = []AnswerPart{{0, 7}, {8, 31}, {32, 127}, {128, -1}}

// columns are where a row keeps the part's mean divergence and share of equal first choices.
func (p AnswerPart) columns(r *Row) (kl, top1 **float64) {
	switch p.From {
	case 0:
		return &r.KLAt0, &r.Top1At0
	case 8:
		return &r.KLAt8, &r.Top1At8
	case 32:
		return &r.KLAt32, &r.Top1At32
	default:
		return &r.KLAt128, &r.Top1At128
	}
}

// suffix ends the names of the part's columns.
func (p AnswerPart) suffix() string {
	if p.To < 0 {
		return fmt.Sprint(p.From)
	}
	return fmt.Sprintf("%d_%d", p.From, p.To)
}

// AnswerParts lists the parts, in order.
func AnswerParts() []AnswerPart { return slices.Clone(answerParts) }

// Set stores a row's fidelity in the part: the mean divergence (nats) and the share of equal first choices.
func (p AnswerPart) Set(r *Row, kl, top1 float64) {
	k, t := p.columns(r)
	*k, *t = &kl, &top1
}

// String names the part's tokens: "8–31", "128 on".
func (p AnswerPart) String() string {
	if p.To < 0 {
		return fmt.Sprintf("%d on", p.From)
	}
	return fmt.Sprintf("%d–%d", p.From, p.To)
}

// PartFidelity is the fidelity of one variant in one part of its answers: means over the rows whose answers reach it.
type PartFidelity struct {
	Variant  string
	Part     AnswerPart
	Rows     int
	KL, Top1 float64 // NaN without rows
	Bound    bool    // KL is a lower bound
}

// FidelityByPart gives every variant in every part that an answer of some variant reaches, variant after variant; nothing
// where fidelity was not measured, or before there were parts.
func FidelityByPart(run Run, rows []Row) []PartFidelity {
	variants := names(rows, func(r *Row) string { return r.Variant }, run.Variants)
	var list []PartFidelity
	for _, p := range answerParts {
		if !slices.ContainsFunc(rows, func(r Row) bool { kl, _ := p.columns(&r); return *kl != nil }) {
			continue
		}
		for _, v := range variants {
			f := PartFidelity{Variant: v, Part: p}
			var kl, top1 []float64
			for i := range rows {
				r := &rows[i]
				k, t := p.columns(r)
				if r.Variant != v || *k == nil || *t == nil {
					continue
				}
				kl, top1 = append(kl, **k), append(top1, **t)
				f.Bound = f.Bound || r.KLMean == nil
			}
			f.Rows, f.KL, f.Top1 = len(kl), mean(kl), mean(top1)
			list = append(list, f)
		}
	}
	slices.SortStableFunc(list, func(a, b PartFidelity) int {
		return slices.Index(variants, a.Variant) - slices.Index(variants, b.Variant)
	})
	return list
}

// PartGrid lays out fidelity by part of the answer; ok is false where no row knows it.
func PartGrid(run Run, rows []Row) (g Grid, ok bool) {
	list := FidelityByPart(run, rows)
	if len(list) == 0 {
		return g, false
	}
	labels := Labels(rows)
	g.Head = []string{"variant"}
	agree, diverge, counts := []string{}, []string{}, ""
	bound := slices.ContainsFunc(list, func(f PartFidelity) bool { return f.Bound })
	for i, f := range list {
		if i == 0 || f.Variant != list[i-1].Variant {
			agree, diverge = []string{labels[f.Variant]}, nil
		}
		if f.Variant == list[0].Variant {
			g.Head = append(g.Head, "top-1, "+f.Part.String())
		}
		same, kl := "n/a", "n/a"
		if !math.IsNaN(f.KL) {
			same, kl = fixed(100*f.Top1, 1)+" %", Significant(f.KL, 3)
		}
		agree, diverge = append(agree, same), append(diverge, kl)
		if i+1 == len(list) || list[i+1].Variant != f.Variant {
			g.Rows, g.Strong = append(g.Rows, append(agree, diverge...)), append(g.Strong, false)
		}
	}
	for _, f := range list {
		if f.Variant != list[0].Variant {
			break
		}
		g.Head = append(g.Head, "KL, "+f.Part.String())
		lo, hi := math.MaxInt, 0
		for _, other := range list {
			if other.Part.From == f.Part.From {
				lo, hi = min(lo, other.Rows), max(hi, other.Rows)
			}
		}
		if counts += fmt.Sprintf(", %d", hi); lo != hi {
			counts += fmt.Sprintf(" (%d at least)", lo)
		}
	}
	what := "KL divergence in nats"
	if bound {
		what += ", lower bounds"
	}
	g.Notes = []string{fmt.Sprintf("by the answer's tokens, counted from 0; means over the rows whose answers reach so far, which are %s; %s", counts[2:], what)}
	return g, true
}

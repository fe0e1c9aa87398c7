package results

import (
	"fmt"
	"slices"
	"strconv"
)

// Labels of an answer that the full cache gives and a variant loses: what became of the evidence for it.
const (
	Evicted = "evicted"
	Thinned = "thinned"
	Unused  = "kept but unused"
)

// EvidenceLabels lists them, from the least kept on.
func EvidenceLabels() []string { return []string{Evicted, Thinned, Unused} }

// Least ρ below which the evidence for a lost answer counts as evicted, and from which on as kept. Both are ours, set on 230
// pairs of SmolLM2-135M and one needle task (docs/evidence.md), so the value always stands beside the label.
const (
	EvictedBelow = 0.5
	KeptFrom     = 0.7
)

// EvidenceLabel is the label of a lost answer by the least ρ of its evidence.
func EvidenceLabel(least float64) string {
	switch {
	case least < EvictedBelow:
		return Evicted
	case least < KeptFrom:
		return Thinned
	}
	return Unused
}

// Evidence is what a variant's caches kept of marked passages, over the rows of an audit.
type Evidence struct {
	Variant string         `json:"variant"`
	Rows    int            `json:"rows"`     // with an audit
	Known   int            `json:"answered"` // by the full cache
	Lost    int            `json:"lost"`     // answers that the full cache gives and the variant does not
	Labels  map[string]int `json:"labels"`   // of the lost ones, by label; one without has no known attention
	Rho     *float64       `json:"rho"`      // mean least ρ, over all rows that have one
	RhoLost *float64       `json:"rho_lost"` // the same over lost answers
	Marks   []MarkKept     `json:"marks"`
}

// MarkKept is what was kept of one name's passages, each a mean over rows.
type MarkKept struct {
	Name   string  `json:"name"`
	Rows   int     `json:"rows"`
	Kept   float64 `json:"kept"`        // share of the tokens, mean over layers and heads
	Any    float64 `json:"any"`         // share that some head of a layer keeps, mean over layers
	Layers float64 `json:"gone_layers"` // layers in which no head keeps any
}

// Evidences sums up the audited rows of each variant; variants without any are left out.
func Evidences(run Run, rows []Row) (list []Evidence) {
	for _, v := range run.VariantsOf(rows) {
		e := Evidence{Variant: v, Labels: map[string]int{}}
		var all, lost []float64
		var names []string
		for i := range rows {
			r := &rows[i]
			if r.Variant != v || len(r.MarksKept) == 0 {
				continue
			}
			e.Rows++
			if r.EvidenceRho != nil {
				all = append(all, *r.EvidenceRho)
			}
			if r.EvidenceLost != nil {
				e.Known++
			}
			if r.EvidenceLost != nil && *r.EvidenceLost {
				e.Lost++
				if r.EvidenceLabel != "" {
					e.Labels[r.EvidenceLabel]++
				}
				if r.EvidenceRho != nil {
					lost = append(lost, *r.EvidenceRho)
				}
			}
			for name := range r.MarksKept {
				if !slices.Contains(names, name) {
					names = append(names, name)
				}
			}
		}
		if e.Rows == 0 {
			continue
		}
		slices.Sort(names)
		for _, name := range names {
			m := MarkKept{Name: name}
			for i := range rows {
				r := &rows[i]
				if text, ok := r.MarksKept[name]; ok && r.Variant == v {
					m.Rows++
					m.Kept, m.Any, m.Layers = m.Kept+number(text), m.Any+number(r.MarksAny[name]), m.Layers+number(r.MarksGone[name])
				}
			}
			n := float64(m.Rows)
			m.Kept, m.Any, m.Layers = m.Kept/n, m.Any/n, m.Layers/n
			e.Marks = append(e.Marks, m)
		}
		e.Rho, e.RhoLost = average(all), average(lost)
		list = append(list, e)
	}
	return list
}

// number is a number of a map column, which check has seen to be one.
func number(text string) float64 {
	v, _ := strconv.ParseFloat(text, 64)
	return v
}

func average(list []float64) *float64 {
	if len(list) == 0 {
		return nil
	}
	sum := 0.0
	for _, v := range list {
		sum += v
	}
	return Known(sum / float64(len(list)))
}

// checkEvidence refuses what the audit's columns cannot hold.
func (r *Row) checkEvidence() error {
	for column, m := range map[string]map[string]string{"marks_kept": r.MarksKept, "marks_any": r.MarksAny, "marks_gone_layers": r.MarksGone} {
		if len(m) != len(r.MarksKept) {
			return fmt.Errorf("%s has %d names, marks_kept %d", column, len(m), len(r.MarksKept))
		}
		for name, text := range m {
			v, err := strconv.ParseFloat(text, 64)
			if _, ok := r.MarksKept[name]; err != nil || !(v >= 0) || !ok || column != "marks_gone_layers" && v > 1 || v > 1<<20 {
				return fmt.Errorf("%s has %q as %q", column, name, text)
			}
		}
	}
	if v := r.EvidenceRho; v != nil && !(*v >= 0 && *v <= 1) {
		return fmt.Errorf("evidence_rho is %v, not within 0 to 1", *v)
	}
	if r.EvidenceLabel != "" && !slices.Contains(EvidenceLabels(), r.EvidenceLabel) {
		return fmt.Errorf("evidence_label is %q: have %q", r.EvidenceLabel, EvidenceLabels())
	}
	if r.EvidenceLabel != "" && (r.EvidenceRho == nil || r.EvidenceLost == nil || !*r.EvidenceLost) {
		return fmt.Errorf("evidence_label is %q of an answer that is not lost, or whose evidence_rho is unknown", r.EvidenceLabel)
	}
	return nil
}

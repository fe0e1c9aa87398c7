package results

import (
	"fmt"
	"slices"
	"strings"
)

// LostNotes say what the labels of lost answers mean.
func LostNotes() []string { return slices.Clone(lostNotes) }

var lostNotes = []string{
	"lost: the full cache answers the sample and the variant does not; evidence: the passage that holds the answer",
	fmt.Sprintf("%s: least ρ is below %g, %s: below %g, %s: from there on. ρ of a token is the share of the attention which the full cache's own answer pays to it that goes to heads where the variant still has the token; the least counts, since an answer needs all of them",
		Evicted, EvictedBelow, Thinned, KeptFrom, Unused),
	"these labels and limits are ours, not the literature's, from 230 answers of one small model: look at ρ beside them",
}

// EvidenceSections are the tables of an audit: why answers were lost, and what was kept of each kind of passage; none
// without an audit.
func EvidenceSections(run Run, rows []Row) (list []Section) {
	all := Evidences(run, rows)
	labels := Labels(rows)
	lost := Grid{Head: append(append([]string{"variant", "lost"}, EvidenceLabels()...), "ρ of lost", "ρ of all"), Notes: LostNotes()}
	kept := Grid{Head: []string{"variant"}, Notes: []string{
		"percent of the passages' tokens: kept, mean over layers and heads / kept by at least one head of a layer, mean over layers; means over samples"}}
	var names []string
	for _, e := range all {
		for _, m := range e.Marks {
			// Those of single instructions stand where it is told how often each is followed.
			if !slices.Contains(names, m.Name) && !strings.HasPrefix(m.Name, instructionMark+" ") {
				names = append(names, m.Name)
			}
		}
	}
	slices.Sort(names)
	kept.Head = append(kept.Head, names...)
	known := false
	for _, e := range all {
		if e.Known > 0 && e.Rho != nil {
			known = true
			row := []string{labels[e.Variant], fmt.Sprintf("%d of %d", e.Lost, e.Known)}
			for _, l := range EvidenceLabels() {
				row = append(row, e.Share(l))
			}
			lost.Rows, lost.Strong = append(lost.Rows, append(row, rho(e.RhoLost), rho(e.Rho))), append(lost.Strong, false)
		}
		row := []string{labels[e.Variant]}
		for _, name := range names {
			cell := "–"
			for _, m := range e.Marks {
				if m.Name == name {
					cell = fixed(100*m.Kept, 1) + " / " + fixed(100*m.Any, 1)
				}
			}
			row = append(row, cell)
		}
		kept.Rows, kept.Strong = append(kept.Rows, row), append(kept.Strong, false)
	}
	if known {
		list = append(list, Section{"Why answers were lost", lost})
	}
	if len(kept.Rows) > 0 {
		list = append(list, Section{"What was kept of marked passages", kept})
	}
	return list
}

// Share is how many of the lost answers have a label, with their share in percent; a dash where none has any.
func (e Evidence) Share(label string) string {
	if len(e.Labels) == 0 {
		return "–"
	}
	return fmt.Sprintf("%d (%s %%)", e.Labels[label], fixed(100*float64(e.Labels[label])/float64(e.Lost), 0))
}

// Words tells in a few words why answers were lost: "9 evicted, 2 thinned, 1 kept but unused".
func (e Evidence) Words() string {
	var words []string
	rest := e.Lost
	for _, l := range EvidenceLabels() {
		if n := e.Labels[l]; n > 0 {
			words = append(words, fmt.Sprintf("%d %s", n, l))
			rest -= n
		}
	}
	if rest > 0 {
		words = append(words, fmt.Sprintf("%d unknown", rest))
	}
	return strings.Join(words, ", ")
}

func rho(v *float64) string {
	if v == nil {
		return "–"
	}
	return fixed(*v, 2)
}

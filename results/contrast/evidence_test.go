package contrast

import (
	"strings"
	"testing"

	"github.com/snapbench/snapbench/results"
)

// Of audited runs the table and the sentences say why answers were lost; of others nothing is said of it.
func TestLostAnswers(t *testing.T) {
	s := run("x", []string{"full", "64", "128"}, 8, right(map[string]int{"a 64": 6, "b 64": 4}))
	if text := of(t, "", s).Text(200); strings.Contains(text, "lost") {
		t.Errorf("nothing was audited:\n%s", text)
	}
	for i := range s.Rows {
		r := &s.Rows[i]
		r.MarksKept, r.MarksAny, r.MarksGone = map[string]string{"value": "0.5"}, map[string]string{"value": "1"}, map[string]string{"value": "0"}
		if r.Variant == "full" {
			continue
		}
		r.EvidenceLost = new(*r.Score < 1)
		if rho := map[string]float64{"0": 0.2, "1": 0.3, "2": 0.6, "3": 0.9}[r.Sample]; rho > 0 {
			r.EvidenceRho = &rho
			if *r.EvidenceLost {
				r.EvidenceLabel = results.EvidenceLabel(rho)
			}
		}
	}
	c := of(t, "", s)
	e, _ := c.entry(t, "64")
	if want := "it loses 10 of 16 answers that the full cache gives (evidence: 4 evicted, 2 thinned, 2 kept but unused, 2 unknown)"; !strings.Contains(e.Words, want) {
		t.Errorf("%q, want %q", e.Words, want)
	}
	if e, _ := c.entry(t, "128"); strings.Contains(e.Words, "loses") || e.Evidence == nil || e.Evidence.Known != 16 {
		t.Errorf("nothing is lost: %q, %+v", e.Words, e.Evidence)
	}
	text := c.Text(200)
	for _, want := range []string{"10 of 16", "4 (40 %)", "2 (20 %)", "lost: kept but unused", "ours, not the literature's"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q:\n%s", want, text)
		}
	}
	// Where no passage is marked there are no labels, and no columns of them.
	for i := range s.Rows {
		s.Rows[i].EvidenceLabel, s.Rows[i].EvidenceRho = "", nil
	}
	c = of(t, "", s)
	if text := c.Text(200); !strings.Contains(text, "10 of 16") || strings.Contains(text, "lost: evicted") || strings.Contains(text, "(0 %)") || strings.Contains(text, "not the literature's") {
		t.Errorf("without a label:\n%s", text)
	}
	if share := c.Entries[1].Evidence.Share(results.Evicted); share != "–" {
		t.Errorf("%q of lost answers without a label are evicted", share)
	}
}

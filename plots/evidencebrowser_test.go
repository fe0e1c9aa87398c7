package plots

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/results"
)

// auditedSet is a needle run with an audit: what scores 0 has lost its evidence, the more the smaller the budget.
func auditedSet() results.Set {
	s := needleSet()
	s.Rows = slices.DeleteFunc(s.Rows, func(r results.Row) bool { return r.Params["pool"] == "avg" || r.Score == nil })
	for i := range s.Rows {
		r := &s.Rows[i]
		r.MarksKept, r.MarksAny, r.MarksGone = map[string]string{"value": "0.5"}, map[string]string{"value": "0.75"}, map[string]string{"value": "1"}
		if r.Evidence, r.EvidenceRho = "value", new(map[string]float64{"128": 0.25, "256": 0.625, "512": 0.75, "1024": 0.875, "full": 1}[r.Budget]); r.Policy == "full" {
			continue
		}
		if r.EvidenceLost = new(*r.Score < 1); *r.EvidenceLost {
			r.EvidenceLabel = results.EvidenceLabel(*r.EvidenceRho)
		}
	}
	return s
}

// TestEvidenceInABrowser: an audited run has a column that names why an answer was lost, with the number, and a filter by
// it, which is in the address; a run without has neither.
func TestEvidenceInABrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a browser")
	}
	browser := findBrowser(t)
	set := auditedSet()
	counts := map[string]int{}
	for _, r := range set.Rows {
		if r.EvidenceLabel != "" {
			counts[r.EvidenceLabel]++
			counts["any"]++
		}
	}
	page := report(t, set)
	for _, want := range []string{"Why answers were lost", "look at ρ beside them"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	const steps = `
		out.head = [...$("head").children].map(h => h.textContent);
		out.hidden = $("labellabel").hidden;
		out.counts = {}; out.cells = {}; out.told = {};
		for (const v of [...$("label").options].map(o => o.value).filter(Boolean)) {
			$("label").value = v; $("label").dispatchEvent(new Event("change"));
			out.counts[v] = +$("count").textContent.split(" ")[0].replace(/,/g, "");
			const row = document.querySelector("#window .row"), cell = row && row.children[6];
			out.cells[v] = cell ? cell.textContent : ""; out.told[v] = cell ? cell.title : "";
			out.hash = location.hash;
		}
		const row = document.querySelector("#window .row");
		if (row) row.click();
		out.card = [...document.querySelectorAll("#pagebody .cards .facts")].map(f => f.textContent).join("; ");`
	type look struct {
		Error, Hash, Card string
		Head              []string
		Hidden            bool
		Counts            map[string]int
		Cells, Told       map[string]string
	}
	var got look
	inBrowser(t, browser, useful(page, steps), &got)
	if got.Error != "" || got.Hidden || !slices.Contains(got.Head, "Evidence, ρ") {
		t.Fatalf("%+v", got)
	}
	for label, n := range counts {
		if got.Counts[label] != n {
			t.Errorf("%q leaves %d rows, want %d", label, got.Counts[label], n)
		}
	}
	for label, want := range map[string]string{results.Evicted: "evicted, 0.25", results.Thinned: "thinned, 0.63", results.Unused: "kept but unused, 0.75"} {
		if counts[label] == 0 || got.Cells[label] != want || !strings.HasPrefix(got.Told[label], "The full cache finds the answer.") {
			t.Errorf("%s: %d rows, the first says %q, and %q", label, counts[label], got.Cells[label], got.Told[label])
		}
	}
	if !strings.Contains(got.Told[results.Evicted], fmt.Sprintf("below %g.", results.EvictedBelow)) || !strings.Contains(got.Told[results.Thinned], fmt.Sprintf("from %g to %g.", results.EvictedBelow, results.KeptFrom)) ||
		!strings.Contains(got.Told[results.Unused], fmt.Sprintf("from %g on.", results.KeptFrom)) {
		t.Errorf("other limits than those of the labels: %q", got.Told)
	}
	if !strings.Contains(got.Hash, "label=kept+but+unused") || !strings.Contains(got.Card, "evidence kept but unused, least ρ 0.75") {
		t.Errorf("address %q, sample %q", got.Hash, got.Card)
	}
	var plain look
	inBrowser(t, browser, useful(report(t, needleSet()), `out.head = [...$("head").children].map(h => h.textContent); out.hidden = $("labellabel").hidden;`), &plain)
	if plain.Error != "" || !plain.Hidden || slices.Contains(plain.Head, "Evidence, ρ") {
		t.Errorf("without an audit: %+v", plain)
	}
}

// TestEvidenceIsAccessible: axe-core finds nothing serious on an audited page, in both themes and on a phone.
func TestEvidenceIsAccessible(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a browser")
	}
	browser := findBrowser(t)
	page := withAxe(t, report(t, auditedSet()))
	for name, flags := range map[string][]string{
		"light": {"--window-size=1280,900"}, "dark": {"--window-size=1280,900", "--blink-settings=preferredColorScheme=0"}, "phone": {"--window-size=390,844"},
	} {
		var got axeFindings
		inBrowser(t, browser, useful(page, lookWithAxe), &got, append(flags, "#samples?label=any")...)
		if got.Error != "" || len(got.Found) > 0 || got.Passes < 10 {
			t.Errorf("%s: %s %d passes, and\n%s", name, got.Error, got.Passes, strings.Join(got.Found, "\n"))
		}
	}
}

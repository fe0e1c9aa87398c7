package results

import (
	"fmt"
	"strings"
	"testing"
)

// audited is a row with an audit.
func audited(variant string, lost bool, rho float64, kept string) Row {
	r := Row{Schema: Schema, ID: variant, Task: "t", Sample: "s", Variant: variant, Policy: variant, Metric: "contains", Score: new(1.0),
		Evidence: "value", EvidenceRho: &rho, EvidenceLost: &lost, MarksKept: map[string]string{"value": kept}, MarksAny: map[string]string{"value": "1"}, MarksGone: map[string]string{"value": "2"}}
	if lost {
		r.Score, r.EvidenceLabel = new(0.0), EvidenceLabel(rho)
	}
	return r
}

// Means and shares are by variant; a variant that was not audited is left out.
func TestEvidences(t *testing.T) {
	rows := []Row{audited("a", true, 0.25, "0.5"), audited("a", true, 0.75, "0.25"), audited("a", false, 0.875, "0.75"), audited("b", false, 0.5, "1"), {Variant: "c"}}
	rows[3].MarksKept["question"], rows[3].MarksAny["question"], rows[3].MarksGone["question"] = "0.125", "0.25", "0"
	list := Evidences(Run{}, rows)
	if len(list) != 2 {
		t.Fatalf("%+v", list)
	}
	a := list[0]
	if got := fmt.Sprint(a.Variant, a.Rows, a.Known, a.Lost, a.Labels, *a.Rho, *a.RhoLost, a.Marks); got != "a3 3 2 map[evicted:1 kept but unused:1] 0.625 0.5 [{value 3 0.5 1 2}]" {
		t.Errorf("%s", got)
	}
	if b := list[1]; b.Lost != 0 || b.RhoLost != nil || fmt.Sprint(b.Marks) != "[{question 1 0.125 0.25 0} {value 1 1 1 2}]" {
		t.Errorf("%+v", b)
	}
	sections := EvidenceSections(Run{}, rows)
	if len(sections) != 2 {
		t.Fatalf("%d tables", len(sections))
	}
	if got := fmt.Sprint(sections[0].Grid.Rows, sections[1].Grid.Head, sections[1].Grid.Rows); got !=
		"[[a 2 of 3 1 (50 %) 0 (0 %) 1 (50 %) 0.50 0.62] [b 0 of 1 – – – – 0.50]] [variant question value] [[a – 50.0 / 100.0] [b 12.5 / 25.0 100.0 / 100.0]]" {
		t.Errorf("%s", got)
	}
	if sections = EvidenceSections(Run{}, rows[4:]); len(sections) != 0 {
		t.Errorf("without an audit: %+v", sections)
	}
}

// Rows that no audit can have written are refused by name of the column.
func TestEvidenceChecked(t *testing.T) {
	good := audited("a", true, 0.25, "0.5")
	if err := good.check(); err != nil {
		t.Fatal(err)
	}
	for want, spoil := range map[string]func(*Row){
		`marks_kept has "value" as "much"`:        func(r *Row) { r.MarksKept["value"] = "much" },
		`marks_kept has "value" as "1.5"`:         func(r *Row) { r.MarksKept["value"] = "1.5" },
		`marks_gone_layers has "value" as "-1"`:   func(r *Row) { r.MarksGone["value"] = "-1" },
		`marks_any has "value" as "NaN"`:          func(r *Row) { r.MarksAny["value"] = "NaN" },
		`marks_any has 0 names`:                   func(r *Row) { r.MarksAny = nil },
		`marks_any has "other" as "1"`:            func(r *Row) { r.MarksAny = map[string]string{"other": "1"} },
		`evidence_label is "gone"`:                func(r *Row) { r.EvidenceLabel = "gone" },
		`evidence_label is "evicted" of an answ`:  func(r *Row) { r.EvidenceLost = new(false) },
		`evidence_label is "evicted" of an answe`: func(r *Row) { r.EvidenceRho = nil },
		`evidence_rho is 1.5`:                     func(r *Row) { *r.EvidenceRho, r.EvidenceLabel = 1.5, "" },
	} {
		bad := audited("a", true, 0.25, "0.5")
		spoil(&bad)
		if err := bad.check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %s, got %v", want, err)
		}
	}
}

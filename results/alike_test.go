package results

import (
	"strings"
	"testing"
)

// The drop's table says how many samples each drop is over, which are fewer than were scored where the baseline failed.
func TestDropSamples(t *testing.T) {
	set := grid([]string{"a", "b"}, []string{"full", "64"}, 8, func(string, string, int) float64 { return 1 })
	for i := range set.Rows {
		if r := &set.Rows[i]; r.Task == "a" && r.Variant == "full" && (r.Sample == "1" || r.Sample == "5") {
			r.Score, r.Error = nil, "memory"
		}
	}
	tab := Tables(set, Measures()[0])[0]
	if g := tab.Grid(); g.Rows[0][1] != "6–8" || g.Rows[1][1] != "8" || g.Rows[2][1] != "14–16" {
		t.Errorf("scores: %q", g.Rows)
	}
	if g, ok := tab.DropGrid(); !ok || g.Rows[0][1] != "6" || g.Rows[1][1] != "8" || g.Rows[2][1] != "14" {
		t.Errorf("drops: %q", g.Rows)
	}
}

// Runs that are shown together and were graded by other versions of a metric, or against other answers, are not compared.
func TestTableOfUnlikeRows(t *testing.T) {
	base := grid([]string{"a", "b"}, []string{"full"}, 12, func(string, string, int) float64 { return 1 })
	for what, change := range map[string]func(r *Row){
		"graded by qa_f1 version 2, not qa_f1 version 1": func(r *Row) { r.MetricVersion = 2 },
		"another version of the task":                    func(r *Row) { r.TaskVersion = 7 },
		"other expected answers":                         func(r *Row) { r.Answer = "x" },
	} {
		cand := grid([]string{"a", "b"}, []string{"64"}, 12, func(string, string, int) float64 { return 0.5 })
		for i := range cand.Rows {
			if r := &cand.Rows[i]; r.Task == "b" {
				change(r)
			}
		}
		all, err := Merge(base, cand)
		if err != nil {
			t.Fatal(err)
		}
		tab := Tables(all, Measures()[0])[0]
		if a, b, average := tab.Lines[0].Cells[1].Drop, tab.Lines[1].Cells[1].Drop, tab.Lines[2].Cells[1].Drop; a == nil || a.N != 12 || b != nil || average != nil {
			t.Errorf("%s: drops of %v, %v, %v, want one of a alone", what, a, b, average)
		}
		text := strings.Join(tab.Warnings, "\n")
		if !strings.Contains(text, "b: 64 and full have only 0 samples in common that may be compared ("+what+")") || strings.Contains(text, "a:") {
			t.Errorf("%s: %s", what, text)
		}
		if side := "b: scores by qa_f1 version 1 and by qa_f1 version 2 stand here side by side"; strings.Contains(text, side) != strings.HasPrefix(what, "graded") {
			t.Errorf("%s: %s", what, text)
		}
	}
}

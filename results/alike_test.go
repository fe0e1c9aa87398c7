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

// Of rows that repeat a sample under a variant the first counts, in every table; and samples of one id that were asked by other
// prompts are told.
func TestRepeatedRows(t *testing.T) {
	first := grid([]string{"a"}, []string{"full", "64"}, 4, func(_, v string, i int) float64 { return 1 })
	again := grid([]string{"a"}, []string{"full", "64"}, 4, func(_, v string, i int) float64 { return 0 })
	for i := range again.Rows {
		r := &again.Rows[i]
		r.ID, r.PrefillSeconds = "z"+r.ID, new(9.0)
		for k := range 2 { // these are audited
			row := []*Row{&first.Rows[i], r}[k]
			row.MarksKept, row.MarksAny, row.MarksGone = map[string]string{"value": "1"}, map[string]string{"value": "1"}, map[string]string{"value": "0"}
		}
	}
	all, err := Merge(first, again)
	if err != nil || len(all.Rows) != 16 || len(Once(all.Rows)) != 8 || len(Once(first.Rows)) != 8 {
		t.Fatal(len(all.Rows), err)
	}
	s := Summarize(all).Subjects[0]
	if c := s.Cells[0]; *c.Mean != 100 || c.Samples != 4 || !strings.Contains(strings.Join(s.Warnings, "; "), "8 rows have the task, sample and variant of another row") {
		t.Errorf("%+v, %q", c, s.Warnings)
	}
	if c := s.Costs[0]; c.Rows != 4 || *c.PrefillSeconds != 1 {
		t.Errorf("costs of %d rows, %v s", c.Rows, *c.PrefillSeconds)
	}
	if e := s.Evidence[0]; e.Rows != 4 {
		t.Errorf("evidence of %d rows", e.Rows)
	}
	for i := range first.Rows {
		if r := &first.Rows[i]; r.Variant == "64" && i%4 == 1 {
			r.PromptSHA256 = "another"
		}
	}
	if tab := Tables(first, Measures()[0])[0]; tab.Lines[0].Cells[1].Drop.N != 4 || len(tab.Warnings) != 1 || tab.Warnings[0] != "a: 64 was asked by other prompts than full in 2 samples, paired by their ids" {
		t.Errorf("%q", tab.Warnings)
	}
}

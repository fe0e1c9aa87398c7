package results

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// partRows are two answers of each of two variants; the second one is long enough for the
// second part.
func partRows() []Row {
	rows := grid([]string{"a"}, []string{"full", "64"}, 2, func(string, string, int) float64 { return 1 }).Rows
	for i := range rows {
		r := &rows[i]
		k := 0.0
		if r.Variant == "64" {
			k = 1
		}
		sample := float64(i / 2)
		r.KLMean, r.Top1Agreement = new(0.1*k), new(1.0)
		answerParts[0].Set(r, 0.1*k, 1-0.25*k*sample)
		if sample == 1 {
			answerParts[1].Set(r, 0.3*k, 0.5)
		}
	}
	return rows
}

// Parts follow one another without a gap, and the last has no end.
func TestAnswerParts(t *testing.T) {
	next := 0
	for i, p := range AnswerParts() {
		if p.From != next || (p.To < 0) != (i == len(AnswerParts())-1) {
			t.Errorf("part %d is %d to %d, the one before ends before %d", i, p.From, p.To, next)
		}
		next = p.To + 1
	}
}

// The table has the parts that some answer reaches, means over the rows that reach them.
func TestFidelityByPart(t *testing.T) {
	rows, inOrder := partRows(), Run{Variants: []string{"full", "64"}}
	var got []string
	for _, f := range FidelityByPart(inOrder, rows) {
		got = append(got, fmt.Sprintf("%s %s: %d, %.3g, %.4g", f.Variant, f.Part, f.Rows, f.KL, f.Top1))
	}
	want := []string{"full 0–7: 2, 0, 1", "full 8–31: 1, 0, 0.5", "64 0–7: 2, 0.1, 0.875", "64 8–31: 1, 0.3, 0.5"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%q\nwant %q", got, want)
	}
	g, ok := PartGrid(inOrder, rows)
	if !ok || len(g.Head) != 5 || g.Head[1] != "top-1, 0–7" || g.Head[4] != "KL, 8–31" || len(g.Rows) != 2 {
		t.Fatalf("%+v", g)
	}
	if got := strings.Join(g.Rows[1][1:], "; "); got != "87.5 %; 50.0 %; 0.1; 0.3" {
		t.Errorf("%q", got)
	}
	if !strings.Contains(g.Notes[0], "which are 2, 1;") || strings.Contains(g.Notes[0], "lower") {
		t.Errorf("%q", g.Notes)
	}
	for i := range rows {
		rows[i].KLMean, rows[i].KLLowerMean = nil, rows[i].KLMean
	}
	if g, _ := PartGrid(inOrder, rows); !strings.Contains(g.Notes[0], "lower bounds") {
		t.Errorf("%q", g.Notes)
	}
	if parts := Summarize(Set{Run: inOrder, Rows: rows}).Subjects[0].Parts; len(parts) != 4 || *parts[3].KL != 0.3 || !parts[3].Bound || *parts[3].To != 31 {
		t.Errorf("in the summary: %+v", parts)
	} else if *parts[2].Top1 != 87.5 {
		t.Errorf("agreement in the summary is %v, on its scale 87.5", *parts[2].Top1)
	}
}

// The summary's scale names every measure that it multiplies by 100.
func TestSummaryScale(t *testing.T) {
	names := strings.FieldsFunc(summaryScale, func(r rune) bool { return r == ' ' || r == ',' })
	for _, m := range Measures() {
		if m.Points != slices.Contains(names, m.Name) {
			t.Errorf("%s: points %v, but the scale is %q", m.Name, m.Points, summaryScale)
		}
	}
}

// A file of before there were parts is read, and what it does not know is unknown; merged
// with the same rows of now, these are kept.
func TestPartsUnknown(t *testing.T) {
	now := partRows()
	before := partRows()
	for i := range before {
		for _, p := range answerParts {
			kl, top1 := p.columns(&before[i])
			*kl, *top1 = nil, nil
		}
	}
	path := filepath.Join(t.TempDir(), "before.parquet")
	if err := WriteFile(path, before); err != nil {
		t.Fatal(err)
	}
	had, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := PartGrid(Run{}, had.Rows); ok {
		t.Error("a table of what is not known")
	}
	all, err := Merge(had, Set{Rows: now})
	if err != nil {
		t.Fatal(err)
	}
	if len(all.Rows) != len(now) || *all.Rows[0].Top1At0 != 1 {
		t.Errorf("%d rows", len(all.Rows))
	}
}

package plots

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"gonum.org/v1/plot/vg"

	"github.com/snapbench/snapbench/results"
	"github.com/snapbench/snapbench/results/contrast"
)

func sideBySide(t *testing.T, variants ...string) *contrast.Contrast {
	t.Helper()
	set := results.Set{Name: "runs/x", Run: results.Run{Variants: variants}}
	for _, task := range []string{"qasper", "trec"} {
		for i := range 30 {
			for _, v := range variants {
				r := results.Row{Model: "m", Task: task, Sample: fmt.Sprint(i), Variant: v, Policy: "snapkv", Budget: v, Device: "cpu", Metric: "exact", Score: new(1.0)}
				if v == "full" {
					r.Policy = "full"
				} else if task == "trec" && i < 10 {
					r.Score = new(0.0)
				}
				set.Rows = append(set.Rows, r)
			}
		}
	}
	c, err := contrast.Of([]results.Set{set}, "")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Differences stand over their tasks, or over the entries where these are more, around the level of no difference; the
// same numbers give the same bytes.
func TestContrastPicture(t *testing.T) {
	few := sideBySide(t, "full", "64")
	f, err := Contrast(few)
	if err != nil {
		t.Fatal(err)
	}
	svg := f.SVG()
	for _, want := range []string{">qasper<", ">trec<", ">average of 2<", ">64<", ">no difference<", ">Difference from full<", ">Difference (points)<"} {
		if !bytes.Contains(svg, []byte(want)) {
			t.Errorf("no %s", want)
		}
	}
	again, err := Contrast(sideBySide(t, "full", "64"))
	if err != nil || !bytes.Equal(again.SVG(), svg) {
		t.Errorf("another picture of the same numbers, %v", err)
	}
	many, err := Contrast(sideBySide(t, "full", "16", "32", "64", "128", "256"))
	if err != nil {
		t.Fatal(err)
	}
	// The tasks are the lines now, so they stand in the legend, above the variants.
	if s := string(many.SVG()); strings.Index(s, ">qasper<") > strings.Index(s, ">128<") {
		t.Error("variants are not across")
	}
	// Long names of many entries are turned, all of them are there, and the picture has room for the first of them.
	long := []string{"full"}
	for i := range 20 {
		long = append(long, fmt.Sprintf("a very long name of variant %02d", i))
	}
	crowd, err := Contrast(sideBySide(t, long...))
	if err != nil {
		t.Fatal(err)
	}
	look(t, []Figure{crowd})
	said := texts(crowd.SVG())
	for _, name := range long[1:] {
		if count(said, name) != 1 {
			t.Errorf("%s stands there %d times", name, count(said, name))
		}
	}
	width := func(s string) vg.Length { return vg.Length(len(s)) * 4 }
	a := axis{lo: 0, hi: 10, places: true, ticks: []tickMark{{1, "a name of twenty char"}, {9, "another of twenty twi"}}}
	before, behind := a.overhang(100, true, width)
	if math.Abs(float64(before)-(84*math.Cos(slope)-10)) > 1e-9 || behind != 0 {
		t.Errorf("turned: %v before the axis, %v behind", before, behind)
	}
	if before, behind = a.overhang(100, false, width); before != 32 || behind != 32 {
		t.Errorf("%v before the axis, %v behind", before, behind)
	}
	var variants []string
	for i := range mostPlaces + 2 {
		variants = append(variants, fmt.Sprint(100+i))
	}
	if _, err := Contrast(sideBySide(t, append([]string{"full"}, variants...)...)); err == nil || !strings.Contains(err.Error(), "too many for a picture") {
		t.Errorf("%v", err)
	}
	for i := range few.Lines {
		for k := range few.Lines[i].Cells {
			few.Lines[i].Cells[k].Difference = nil
		}
	}
	if _, err := Contrast(few); !errors.Is(err, ErrNothing) {
		t.Errorf("nothing shared: %v", err)
	}
}

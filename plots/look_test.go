package plots

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/plot/vg"

	"github.com/snapbench/snapbench/results"
)

func TestPlain(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 0.25: "0.25", 0.1 + 0.2: "0.3", 5000: "5000", 10_000: "10,000", 1_500_000: "1,500,000", -20_000: "-20,000", 1234.5: "1234.5",
		1e-7: "1e-07", 3e13: "3e+13",
	} {
		if got := plain(v); got != want {
			t.Errorf("plain(%v) = %q, want %q", v, got, want)
		}
	}
}

// TestTicksDoNotTouch: whatever the values, labels that stay have room, and the outer ones stay.
func TestTicksDoNotTouch(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	const char, height, width = 5.0, 8.0, 270.0
	of := func(s string) vg.Length { return vg.Length(len(s)) * char }
	left := 0
	for range 300 {
		a := axis{lo: 0, hi: 1, places: rng.IntN(2) == 0}
		for range 2 + rng.IntN(12) {
			a.ticks = append(a.ticks, tickMark{rng.Float64(), strings.Repeat("8", 1+rng.IntN(7))})
		}
		ticks, turned := a.fit(width, of, height)
		if len(ticks) != len(a.ticks) || turned && !a.places {
			t.Fatalf("%d ticks of %d, turned %v", len(ticks), len(a.ticks), turned)
		}
		var shown []tickMark
		for _, x := range ticks {
			if x.label != "" {
				shown = append(shown, x)
			}
		}
		left += len(shown)
		for i := 1; i < len(shown); i++ {
			need := (of(shown[i-1].label) + of(shown[i].label)) / 2
			if turned {
				need = 0.9 * height
			}
			if gap := vg.Length(shown[i].at-shown[i-1].at) * width; gap < need {
				t.Fatalf("%q and %q are %.1f apart and need %.1f", shown[i-1].label, shown[i].label, gap, need)
			}
		}
		if shown[0] != ticks[0] || len(shown) > 1 && shown[len(shown)-1] != ticks[len(ticks)-1] {
			t.Fatalf("the outer labels of %v are not there: %v", ticks, shown)
		}
	}
	if left < 900 { // an axis without labels would pass the above
		t.Errorf("%d labels on 300 axes", left)
	}
}

// TestBytesAxes: amounts of memory have a unit in which they are short.
func TestBytesAxes(t *testing.T) {
	for _, a := range []Axes{{X: "cache_bytes", Y: "score", Series: "policy"}, {X: "policy", Y: "cache_bytes"}} {
		f, err := XY(policySet(64, 128, 256, 512), a)
		if err != nil {
			t.Fatal(err)
		}
		look(t, []Figure{f})
		got := texts(f.SVG())
		if count(got, "Cache (MiB)") != 1 || strings.Contains(strings.Join(got, " "), "e+") {
			t.Errorf("%+v: %q", a, got)
		}
	}
}

// TestLegendsSayOfWhat: a number in a legend has its parameter's or column's name, and the full cache is named, last.
func TestLegendsSayOfWhat(t *testing.T) {
	for series, want := range map[string][]string{
		"k": {"k 5", "k 7", "k 13", "full cache"}, "length": {"length 1024", "length 8192"}, "capacity": {"capacity 128", "full cache"},
	} {
		f, err := XY(needleSet(), Axes{X: "depth", Y: "recalled", Series: series})
		if err != nil {
			t.Fatal(err)
		}
		got := texts(f.SVG())
		at := -1
		for _, w := range want {
			if next := slices.Index(got, w); next <= at {
				t.Errorf("series %s: no %q after the others in %q", series, w, got)
			} else {
				at = next
			}
		}
		if count(got, "none") != 0 {
			t.Errorf("series %s: none of what, in %q", series, got)
		}
	}
}

// mixedSet has budgets in tokens and as shares.
func mixedSet() results.Set {
	set := policySet(64, 128, 256, 512)
	for i := range set.Rows {
		if r := &set.Rows[i]; r.Budget == "256" || r.Budget == "512" {
			r.Budget = map[string]string{"256": "25%", "512": "50%"}[r.Budget]
		}
	}
	return set
}

// TestUnitsApart: budgets in tokens and shares of the prompt share no line and no row of a map's cells.
func TestUnitsApart(t *testing.T) {
	figs, err := Curves(mixedSet(), measure("score"))
	if err != nil || len(figs) != 2 {
		t.Fatal(len(figs), err)
	}
	tokens, shares := texts(byName(t, figs, "curve_score").SVG()), texts(byName(t, figs, "curve_score_share").SVG())
	if count(tokens, "64") == 0 || count(tokens, "25%") != 0 || count(shares, "25%") == 0 || count(shares, "64") != 0 {
		t.Errorf("tokens %q\nshares %q", tokens, shares)
	}
	width := func(gaps ...int) vg.Length {
		h := heat{panels: []panel{{xs: make([]string, 12), ys: []string{""}, values: [][]float64{make([]float64, 12)}, gaps: gaps}}}
		return h.figure("x").Width
	}
	if figs, err = BudgetMap(mixedSet(), measure("score")); err != nil {
		t.Fatal(err)
	}
	look(t, renamed(figs, "mixed_"))
	if with := width(6); with <= width() {
		t.Errorf("a gap takes no room: %v", with)
	}
	f, err := XY(mixedSet(), Axes{X: "budget", Y: "score", Series: "policy"})
	if err != nil {
		t.Fatal(err)
	}
	look(t, []Figure{f})
	got := texts(f.SVG())
	got = got[slices.Index(got, "64"):] // the names of the lines come before
	last := -1
	for _, want := range []string{"64", "128", "25%", "50%", "full"} {
		at := slices.Index(got, want)
		if at <= last {
			t.Errorf("%q is not after the others in %q", want, got)
		}
		last = at
	}
}

// TestSingleLength: one prompt length gives one wide map, depth by variants, with the full cache at their side.
func TestSingleLength(t *testing.T) {
	set := needleSet()
	set.Rows = slices.DeleteFunc(set.Rows, func(r results.Row) bool { return *r.Length != 2048 || r.Params["pool"] == "avg" })
	figs, err := NeedleMap(set, measure("recalled"))
	if err != nil {
		t.Fatal(err)
	}
	look(t, renamed(figs, "single_"))
	if len(figs) != 1 || figs[0].Width < figs[0].Height {
		t.Fatalf("%d figures, the first %v wide and %v high", len(figs), figs[0].Width, figs[0].Height)
	}
	got := texts(figs[0].SVG())
	for want, n := range map[string]int{"k 5": 1, "k 7": 1, "k 13": 1, "128": 3, "1K": 3, "full": 3, "Budget (tokens kept per head)": 1} {
		if count(got, want) != n {
			t.Errorf("%d × %q in %q, want %d", count(got, want), want, got, n)
		}
	}
}

// TestNoEmptyMaps: a variant without a single value has no map of its own, and stays among all.
func TestNoEmptyMaps(t *testing.T) {
	set := needleSet()
	before, err := NeedleMap(set, measure("score"))
	if err != nil {
		t.Fatal(err)
	}
	gone := set.Run.Variants[1]
	for i := range set.Rows {
		if r := &set.Rows[i]; r.Variant == gone {
			r.Score, r.Recalled, r.Error = nil, nil, "x"
		}
	}
	after, err := NeedleMap(set, measure("score"))
	if err != nil {
		t.Fatal(err)
	}
	if len(after) != len(before)-1 || slices.ContainsFunc(after, func(f Figure) bool { return f.Name == fileName("needle", "score", gone) }) {
		t.Errorf("%d figures, had %d", len(after), len(before))
	}
}

func TestLooks(t *testing.T) {
	figs, err := BudgetMap(needleSet(), measure("recalled"))
	if err != nil {
		t.Fatal(err)
	}
	curves, err := Curves(policySet(64, 128, 256), measure("score"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []Figure{figs[0], curves[0]} {
		usual := f.SVG()
		large := f.With(Look{FontSize: 17})
		if large.Width < 1.5*f.Width || !strings.Contains(string(large.SVG()), "font-size:17px") || strings.Contains(string(usual), "font-size:17px") {
			t.Errorf("%s: %v wide at 17 points, %v at 8.5", f.Name, large.Width, f.Width)
		}
		if !bytes.Equal(large.With(Look{}).SVG(), usual) || !bytes.Equal(f.With(Look{FontSize: 8.5, Palette: "sea"}).SVG(), usual) {
			t.Errorf("%s: the usual look is another one", f.Name)
		}
		if bytes.Equal(f.With(Look{Palette: "grey"}).SVG(), usual) {
			t.Errorf("%s: grey has the usual colours", f.Name)
		}
	}
	with, without := texts(figs[0].SVG()), texts(figs[0].With(Look{NoNumbers: true}).SVG())
	if len(without) != len(with)-2*13 { // two panels of 12 cells and the full cache
		t.Errorf("%d texts without numbers, %d with", len(without), len(with))
	}
	for _, name := range Palettes() {
		last := -1.0
		for i, c := range (Look{Palette: name}).palette().ramp {
			if l := luminance(c); !(l > last) && !(l == last && name == "grey") {
				t.Fatalf("%s: luminance falls at step %d", name, i)
			} else {
				last = l
			}
		}
	}
	for _, l := range []Output{{Look: Look{FontSize: 3}}, {Look: Look{Palette: "mud"}}, {Formats: []string{"png", "gif"}}} {
		if l.Check() == nil {
			t.Errorf("%+v passes", l)
		}
	}
	if err := (Output{Look: Look{FontSize: 12, Palette: "grey", NoNumbers: true}, Formats: Formats()}).Check(); err != nil {
		t.Error(err)
	}
}

// TestPDF: text is text, also where it is not ASCII, and what the document's one font cannot write is drawn.
func TestPDF(t *testing.T) {
	for _, title := range []string{"Score × 2 – γ", "用"} {
		h := heat{title: title, subtitle: title, hi: 100, columns: 1, panels: []panel{{xs: []string{"a"}, ys: []string{"b"}, values: [][]float64{{50}}}}}
		f := h.figure("x")
		b := f.PDF()
		if !bytes.HasPrefix(b, []byte("%PDF-")) || !bytes.Contains(b, []byte("%%EOF")) || !bytes.Contains(b, []byte("/FontFile2")) {
			t.Errorf("%q: no PDF with a font: %.40q", title, b)
		}
		if !bytes.Equal(f.PDF(), b) {
			t.Errorf("%q: the same figure gave other bytes", title)
		}
	}
	dir := t.TempDir()
	figs, err := BudgetMap(needleSet(), measure("recalled"))
	if err != nil {
		t.Fatal(err)
	}
	paths, err := Output{Formats: []string{"pdf"}}.Write(dir, figs)
	if err != nil || len(paths) != 1 || !strings.HasSuffix(paths[0], fmt.Sprintf("%s.pdf", figs[0].Name)) {
		t.Error(paths, err)
	}
}

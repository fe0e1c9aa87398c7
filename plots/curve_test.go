package plots

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCurves(t *testing.T) {
	lb := longbenchSet(6)
	figs, err := Curves(lb, measure("score"))
	if err != nil {
		t.Fatal(err)
	}
	look(t, figs)
	got := texts(figs[0].SVG())
	for _, want := range append([]string{"average of 16", "k 5", "k 13", "full cache", "Budget (tokens kept per head)", "Score (0–100)"}, lb.Run.Tasks...) {
		if count(got, want) != 1 {
			t.Errorf("%d × %q in %q", count(got, want), want, got)
		}
	}
	if n := count(got, "1K"); n != 23 { // 16 tasks, 6 groups, the average
		t.Errorf("%d panels, want 23", n)
	}
	if figs, err = Curves(needleSet(), measure("kl_mean")); err != nil {
		t.Fatal(err)
	}
	look(t, figs)
	if got = texts(figs[0].SVG()); count(got, "KL divergence (nats)") != 1 {
		t.Errorf("%q", got)
	}
}

func TestXY(t *testing.T) {
	needle, lb := needleSet(), longbenchSet(6)
	for _, a := range []Axes{
		{X: "length", Y: "recalled", Facet: "k", Series: "budget"},
		{X: "kl_mean", Y: "recalled", Facet: "pool"},
		{X: "budget", Y: "score", Facet: "task", Series: "k"},
		{X: "variant", Y: "decode_seconds"},
		{X: "depth", Y: "top1_agreement"},
		{X: "task", Y: "cache_bytes"},
	} {
		set := needle
		if a.Facet == "task" {
			set = lb
		}
		f, err := XY(set, a)
		if err != nil {
			t.Fatal(err)
		}
		look(t, []Figure{f})
		if strings.Contains(string(f.SVG()), "NaN") || strings.Contains(string(f.SVG()), "Inf") {
			t.Errorf("%+v: a coordinate is no number", a)
		}
	}
	f, err := XY(needle, Axes{X: "length", Y: "recalled", Facet: "k", Series: "budget"})
	if err != nil {
		t.Fatal(err)
	}
	got := texts(f.SVG())
	for _, want := range []string{"k 5", "k 7", "k 13", "full", "1024", "Length (tokens)", "Recalled (0–100)", "Recalled by length"} {
		if count(got, want) != 1 {
			t.Errorf("%d × %q in %q", count(got, want), want, got)
		}
	}
	if count(got, "8K") != 3 { // the full cache has no kernel and is in every panel
		t.Errorf("%d panels, want 3", count(got, "8K"))
	}
	for _, c := range []struct {
		a    Axes
		want string
	}{
		{Axes{X: "lenght", Y: "score"}, `marks_gone_layers; and of the parameters gqa, k, pool, w`},
		{Axes{X: "length", Y: "prediction"}, "is no number and has no mean"},
		{Axes{X: "length", Y: "score", Facet: "nothing"}, `unknown column "nothing"`},
		{Axes{X: "length", Y: "score", Series: "sample"}, "too many for a picture"},
		{Axes{X: "id", Y: "score"}, "too many for a picture"},
		{Axes{X: "length", Y: "rouge1_f"}, "every row lacks one of them"},
	} {
		if _, err := XY(needle, c.a); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: error %v, want %q", c.a, err, c.want)
		}
	}
}

func TestWrite(t *testing.T) {
	figs, err := BudgetMap(needleSet(), measure("recalled"))
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "new")
	paths, err := Write(dir, figs)
	if err != nil || len(paths) != 2 {
		t.Fatal(paths, err)
	}
	for _, p := range paths {
		b, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		if head := string(b[:min(200, len(b))]); !strings.HasPrefix(head, "\x89PNG") && !strings.Contains(head, "<svg") && !strings.Contains(head, "<?xml") {
			t.Errorf("%s begins with %q", p, head)
		}
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Write(filepath.Join(file, "sub"), figs); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("below a file: %v", err)
	}
}

// A budget for each layer lies at the mean of the layers, among those that are the same for all; what is no amount has no place.
func TestBudgetsByLayer(t *testing.T) {
	for budget, want := range map[string]float64{"64": 64, "128|64|32|64": 72, "25%": 25, "10%|30%": 20, "bytes:1024": 1024, "bytes:12.5%": 12.5} {
		if got := amount(budget); got != want {
			t.Errorf("%s is at %v, want %v", budget, got, want)
		}
	}
	for _, budget := range []string{"", "full", "64|10%", "10%|64", "0", "64|"} {
		if got := amount(budget); !math.IsNaN(got) {
			t.Errorf("%q is at %v", budget, got)
		}
	}
	a, at := budgetAxis([]string{"64", "256", "128|64|32|64"})
	if !a.log || len(a.ticks) != 3 || !(a.lo > 0 && a.lo < 64 && 256 < a.hi) || at("128|64|32|64") != 72 {
		t.Errorf("%+v", a)
	}
	if a, _ := budgetAxis([]string{"10%|30%", "50%"}); a.log || !(a.lo < 20 && 50 < a.hi && a.lo > 0) {
		t.Errorf("%+v", a)
	}
}

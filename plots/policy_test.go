package plots

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/results"
)

func renamed(figs []Figure, prefix string) []Figure {
	figs = slices.Clone(figs)
	for i := range figs {
		figs[i].Name = prefix + figs[i].Name
	}
	return figs
}

// TestPoliciesByBudget: the map of several policies has policies × budgets, policies in the order in which they were asked.
func TestPoliciesByBudget(t *testing.T) {
	set := policySet(64, 128, 256, 512)
	figs, err := BudgetMap(set, measure("score"))
	if err != nil {
		t.Fatal(err)
	}
	look(t, renamed(figs, "policies_"))
	got := texts(figs[0].SVG())
	var order []string
	for _, s := range got {
		if slices.Contains([]string{"snapkv", "h2o", "recent", "ada(snapkv)"}, s) {
			order = append(order, s)
		}
	}
	if want := "snapkv h2o recent ada(snapkv)"; strings.Join(order, " ") != want {
		t.Errorf("policies %q, want %q", order, want)
	}
	for _, want := range []string{"Policy", "64", "128", "256", "512", "full"} {
		if count(got, want) != 1 {
			t.Errorf("%d × %q in %q", count(got, want), want, got)
		}
	}
	for _, s := range got {
		if strings.Contains(s, "alpha") || strings.Contains(s, "kv_head_mean") {
			t.Errorf("%q differs in no policy", s)
		}
	}
	// A parameter that varies within a policy gives that policy several rows.
	for i := range set.Rows {
		if r := &set.Rows[i]; r.Policy == "ada(snapkv)" && r.Budget == "64" {
			other := *r
			other.Variant += " with another k"
			other.Params = map[string]string{"alpha": "0.2", "snapkv.w": "32", "snapkv.k": "13"}
			other.ID = other.Key()
			set.Rows = append(set.Rows, other)
		}
	}
	if figs, err = BudgetMap(set, measure("score")); err != nil {
		t.Fatal(err)
	}
	got = texts(figs[0].SVG())
	for _, want := range []string{"snapkv", "ada(snapkv), snapkv.k 7", "ada(snapkv), snapkv.k 13"} {
		if count(got, want) != 1 {
			t.Errorf("%d × %q in %q", count(got, want), want, got)
		}
	}
	if count(got, "n/a") != 3 { // k 13 has one budget of four
		t.Errorf("%d cells without a value, want 3: %q", count(got, "n/a"), got)
	}
}

// TestByteCurves: over bytes, a policy with three copies lies to the right of a policy with one, and the axis includes its
// points beyond the full cache.
func TestByteCurves(t *testing.T) {
	set := policySet(64, 128, 256, 512)
	figs, err := ByteCurves(set, measure("score"))
	if err != nil {
		t.Fatal(err)
	}
	look(t, figs)
	got := texts(figs[0].SVG())
	for _, want := range []string{"Cache (full cache = 1)", "full cache", "snapkv", "h2o", "niah", "multikey", "average of 2"} {
		if count(got, want) != 1 {
			t.Errorf("%d × %q in %q", count(got, want), want, got)
		}
	}
	g := groups(set, measure("score"), func(*results.Row) bool { return true }, false)[0]
	kinds, budgets, full := g.kindsAndBudgets()
	where, ok := overBytes(g, kinds, budgets)
	if !ok {
		t.Fatal("no place over bytes")
	}
	ch := curveChart(g, measure("score"), results.Means(set, measure("score"))[0], kinds, budgets, full, where)
	for _, p := range ch.panels {
		xs := map[string][]float64{}
		for _, l := range p.lines {
			for _, q := range l.points {
				xs[l.label] = append(xs[l.label], q.x)
				if !(ch.x.lo < q.x && q.x < ch.x.hi) {
					t.Errorf("%s: %s at %v is outside of the axis, %v to %v", p.title, l.label, q.x, ch.x.lo, ch.x.hi)
				}
			}
		}
		if !slices.Equal(xs["snapkv"], []float64{1. / 16, 1. / 8, 1. / 4, 1. / 2}) || !slices.Equal(xs["h2o"], []float64{3. / 16, 3. / 8, 3. / 4, 3. / 2}) {
			t.Errorf("%s: places %v", p.title, xs)
		}
	}
	if len(ch.x.ticks) < 4 || *ch.upright != 1 {
		t.Errorf("ticks %v, the full cache at %v", ch.x.ticks, *ch.upright)
	}
	for i := range set.Rows {
		set.Rows[i].FullCacheBytes = nil
	}
	if _, err := ByteCurves(set, measure("score")); !errors.Is(err, ErrNothing) {
		t.Errorf("rows that do not know the full cache's bytes: %v", err)
	}
}

// TestSmallRuns: one budget gives no curve over budgets, but policies may differ in bytes. One variant gives only a map.
func TestSmallRuns(t *testing.T) {
	one := policySet(256)
	if _, err := Curves(one, measure("score")); !errors.Is(err, ErrNothing) {
		t.Errorf("a curve of one budget: %v", err)
	}
	figs, err := ByteCurves(one, measure("score"))
	if err != nil {
		t.Fatal(err)
	}
	look(t, renamed(figs, "onebudget_"))
	if got := texts(figs[0].SVG()); count(got, "0.5") != 3 || count(got, "1") != 3 { // ticks of three panels, the full cache's included
		t.Errorf("%q", got)
	}
	single := one
	single.Rows = slices.DeleteFunc(slices.Clone(one.Rows), func(r results.Row) bool { return r.Policy != "full" && r.Policy != "snapkv" })
	if _, err := ByteCurves(single, measure("score")); !errors.Is(err, ErrNothing) {
		t.Errorf("a curve of one variant: %v", err)
	}
	if figs, err = BudgetMap(single, measure("score")); err != nil {
		t.Fatal(err)
	}
	look(t, renamed(figs, "onevariant_"))
	got := texts(figs[0].SVG())
	if count(got, "snapkv") != 1 || count(got, "Policy") != 0 || !strings.Contains(strings.Join(got, " "), "k 7, pool max, w 32") {
		t.Errorf("%q", got)
	}
	two := policySet(64, 128, 256)
	two.Rows = slices.DeleteFunc(two.Rows, func(r results.Row) bool { return r.Policy != "full" && r.Policy != "snapkv" })
	for _, draw := range []func(results.Set, results.Measure) ([]Figure, error){BudgetMap, Curves, ByteCurves} {
		figs, err := draw(two, measure("score"))
		if err != nil {
			t.Fatal(err)
		}
		look(t, renamed(figs, "onepolicy_"))
	}
}

// TestXYParameters: a parameter can be any of the axes; if it is a number, it has a numeric axis.
func TestXYParameters(t *testing.T) {
	f, err := XY(needleSet(), Axes{X: "k", Y: "recalled", Series: "pool", Facet: "budget"})
	if err != nil {
		t.Fatal(err)
	}
	look(t, []Figure{f})
	got := texts(f.SVG())
	for want, n := range map[string]int{"pool max": 1, "pool avg": 1, "k": 1, "13": 4, "Recalled by k": 1} {
		if count(got, want) != n {
			t.Errorf("%d × %q in %q, want %d", count(got, want), want, got, n)
		}
	}
	if f, err = XY(policySet(64, 256), Axes{X: "share", Y: "score", Series: "policy"}); err != nil {
		t.Fatal(err)
	}
	look(t, []Figure{f})
	got = texts(f.SVG())
	for _, want := range []string{"ada(snapkv)", "Share (of the prompt)"} {
		if count(got, want) != 1 {
			t.Errorf("%d × %q in %q", count(got, want), want, got)
		}
	}
	if _, err := XY(needleSet(), Axes{X: "length", Y: "pool"}); err == nil || !strings.Contains(err.Error(), "is no number") {
		t.Errorf("a mean of texts: %v", err)
	}
	if _, err := XY(needleSet(), Axes{X: "length", Y: "params.k"}); err != nil {
		t.Errorf("params.k: %v", err)
	}
}

package plots

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/results"
)

// formatSet has two policies in two formats at two budgets in bytes.
func formatSet() (s results.Set) {
	add := func(policy, budget, cache string, bytes int64, right int) {
		variant := policy
		if cache != "" {
			policy, variant = policy+"+"+cache, fmt.Sprintf("%s(cap=%s)+%s", policy, budget, cache)
		}
		s.Run.Variants = append(s.Run.Variants, variant)
		for i := range 10 {
			r := results.Row{Schema: results.Schema, Model: "m", Task: "niah", Sample: fmt.Sprint(i), Variant: variant, Policy: policy, Budget: budget, Cache: cache,
				Device: "cpu", DType: "float32", Metric: "exact", Score: new(0.0), CacheBytes: new(bytes), FullCacheBytes: new(int64(1000)), PromptTokens: new(512)}
			if i < right {
				r.Score = new(1.0)
			}
			r.ID = r.Key()
			s.Rows = append(s.Rows, r)
		}
	}
	add("full", "full", "", 1000, 10)
	for _, cache := range []string{"f16", "q4_0"} {
		for i, budget := range []string{"bytes:12.5%", "bytes:25%"} {
			right := 3 + 3*i
			if cache == "q4_0" {
				right += 2
			}
			add("snapkv", budget, cache, int64(125*(i+1)-len(cache)), right)
			add("tova", budget, cache, int64(125*(i+1)-len(cache)), right-1)
		}
	}
	return s
}

// TestFormats: each policy and format is a curve, over its bytes with the frontier, and over its
// budgets in bytes at their places.
func TestFormats(t *testing.T) {
	set, m := formatSet(), measure("score")
	over, err := ByteCurves(set, m)
	if err != nil || len(over) != 1 {
		t.Fatal(len(over), err)
	}
	curves, err := Curves(set, m)
	if err != nil || len(curves) != 1 {
		t.Fatal(len(curves), err)
	}
	look(t, append(over, curves...))
	for _, fig := range []Figure{over[0], curves[0]} {
		said := texts(fig.SVG())
		for _, label := range []string{"snapkv+f16", "snapkv+q4_0", "tova+f16", "tova+q4_0"} {
			if count(said, label) != 1 {
				t.Errorf("%s: the legend names %s %d times in %q", fig.Name, label, count(said, label), said)
			}
		}
	}
	axis, at := budgetAxis([]string{"bytes:12.5%", "bytes:25%"})
	if at("bytes:12.5%") != 12.5 || at("bytes:25%") != 25 || !strings.Contains(axis.label, "bytes") {
		t.Errorf("the axis %q has 12.5 %% at %v and 25 %% at %v", axis.label, at("bytes:12.5%"), at("bytes:25%"))
	}
	if got := byUnit([]string{"64", "25%", "bytes:25%", "bytes:64"}); len(got) != 4 {
		t.Errorf("budgets by unit: %q", got)
	}
	with, _ := ByteCurves(set, m)
	for i := range set.Rows {
		set.Rows[i].Cache = ""
	}
	without, err := ByteCurves(set, m)
	if err != nil || string(with[0].SVG()) == string(without[0].SVG()) {
		t.Errorf("the picture has no frontier (%v)", err)
	}
}

// crossedSet is the full cache and three policies in five formats, at two budgets in bytes.
func crossedSet() (s results.Set) {
	add := func(policy, budget, cache string, bytes int64, right int) {
		variant := fmt.Sprintf("%s(cap=%s)", policy, budget)
		if policy == "full" {
			variant = policy
		}
		if cache != "" {
			policy, variant = policy+"+"+cache, variant+"+"+cache
		}
		s.Run.Variants = append(s.Run.Variants, variant)
		for i := range 10 {
			r := results.Row{Schema: results.Schema, Model: "m", Task: "niah", Sample: fmt.Sprint(i), Variant: variant, Policy: policy, Budget: budget, Cache: cache,
				Device: "cpu", DType: "float32", Metric: "exact", Score: new(0.0), CacheBytes: new(bytes), FullCacheBytes: new(int64(1000)), PromptTokens: new(512),
				Length: new(512), Depth: new(float64(50 * (i % 2)))}
			if i < right {
				r.Score = new(1.0)
			}
			r.ID = r.Key()
			s.Rows = append(s.Rows, r)
		}
	}
	add("full", "full", "", 2000, 10)
	formats := []string{"f16", "fp8_s1", "int8_th", "q4_0", "kivi2"}
	for i, cache := range formats {
		add("full", "full", cache, int64(1000-190*i), 9-i)
	}
	for p, policy := range []string{"snapkv", "ada(snapkv)", "tova"} {
		for b, budget := range []string{"bytes:12.5%", "bytes:25%"} {
			for i, cache := range formats {
				add(policy, budget, cache, int64(125*(b+1)-i), 3+2*b+(p+i)%3)
			}
		}
	}
	return s
}

// TestCrossing: of policies in many formats a format has one colour and a policy one mark, or the reverse where there are
// more policies; the legend names each once, and no two lines look alike.
func TestCrossing(t *testing.T) {
	set, m := crossedSet(), measure("score")
	var figs []Figure
	for _, draw := range []func(results.Set, results.Measure) ([]Figure, error){ByteCurves, Curves} {
		list, err := draw(set, m)
		if err != nil {
			t.Fatal(err)
		}
		figs = append(figs, list...)
	}
	list, err := Frontier(set, m, nil)
	if err != nil {
		t.Fatal(err)
	}
	figs = append(figs, list...)
	look(t, figs)
	if len(figs) != 3 {
		t.Fatalf("%d figures", len(figs))
	}
	for _, fig := range figs {
		said := texts(fig.SVG())
		for _, label := range []string{"snapkv", "ada(snapkv)", "tova", "f16", "fp8_s1", "int8_th", "q4_0", "kivi2"} {
			if count(said, label) != 1 {
				t.Errorf("%s: the legend names %s %d times in %q", fig.Name, label, count(said, label), said)
			}
		}
	}
	g := groups(set, m, func(*results.Row) bool { return true }, false)[0]
	kinds, _, full := g.kindsAndBudgets()
	x := cross(kinds, full != "")
	if x == nil || len(x.pens) != len(kinds)+1 {
		t.Fatalf("%+v of %d kinds", x, len(kinds))
	}
	seen := map[pen]string{}
	for i, k := range kinds {
		p := x.pens[i]
		if other := seen[p]; other != "" || x.marks[p.mark]+"+"+x.hues[p.hue] != k.label {
			t.Errorf("%s has the colour of %s and the mark of %s, as %q", k.label, x.hues[p.hue], x.marks[p.mark], other)
		}
		seen[p] = k.label
	}
	if p := x.pens[len(kinds)]; x.hues[p.hue] != "native" || x.marks[p.mark] != "full" || seen[p] != "" {
		t.Errorf("the full cache: %v", p)
	}
	ch := chart{crossing: x}
	if ch.crossed() != x {
		t.Error("the usual palette has colours enough")
	}
	ch.crossing, ch.look = &crossing{hues: make([]string, 5)}, Look{Palette: "grey"} // four colours
	if ch.crossed() != nil || ch.pen(7) != (pen{7, 7}) {
		t.Errorf("five policies in four colours: %v", ch.pen(7))
	}
	if x := cross(kinds[:8], false); x != nil {
		t.Errorf("eight lines have a colour each: %+v", x)
	}
	var more []kind
	for _, policy := range []string{"snapkv", "tova"} {
		for _, cache := range []string{"a", "b", "c", "d", "e", "f", "g"} {
			more = append(more, kind{label: policy + "+" + cache + ", k 5", row: &results.Row{Cache: cache}})
		}
	}
	if x := cross(more, false); x == nil || len(x.hues) != 7 || strings.Join(x.marks, "; ") != "snapkv, k 5; tova, k 5" {
		t.Errorf("%+v", x)
	}
	more = nil
	for _, policy := range []string{"a", "b", "c", "d", "e"} {
		for _, cache := range []string{"q8_0", "q4_0"} {
			more = append(more, kind{label: policy + "+" + cache, row: &results.Row{Cache: cache}})
		}
	}
	if x := cross(more, false); x == nil || len(x.hues) != 5 || strings.Join(x.marks, " ") != "q8_0 q4_0" {
		t.Errorf("%+v", x)
	}
}

// TestFullInFormats: a map shows the full cache of a row's own format beside the row's budgets, and gives it no row, no
// panel and no place among budgets in tokens of its own.
func TestFullInFormats(t *testing.T) {
	set, m := crossedSet(), measure("score")
	g := groups(set, m, func(*results.Row) bool { return true }, false)[0]
	h, ok := budgetHeat(g, m, results.Means(set, m)[0])
	if !ok || len(h.panels) != 1 {
		t.Fatal(ok, len(h.panels))
	}
	p := h.panels[0]
	if strings.Join(p.xs, " ") != "12.5% 25% full" || p.side != "full, native" || p.sideValue != 100 || len(p.ys) != 15 {
		t.Errorf("across %q, beside %q %v, down %q", p.xs, p.side, p.sideValue, p.ys)
	}
	for i, name := range p.ys {
		want := 90.0
		for k, cache := range []string{"f16", "fp8_s1", "int8_th", "q4_0", "kivi2"} {
			if strings.HasSuffix(name, "+"+cache) {
				want = float64(90 - 10*k)
			}
		}
		if p.values[i][2] != want || p.spots[i][2].rows.variant == "" {
			t.Errorf("%s: the full cache in its format has %v, want %v", name, p.values[i], want)
		}
	}
	panels, _ := g.depthPanels(m, 512)
	if len(panels) != 15 {
		t.Errorf("%d panels", len(panels))
	}
	for _, p := range panels {
		if strings.Join(p.xs, " ") != "12.5% 25% full full, native" {
			t.Errorf("%s: across %q", p.title, p.xs)
		}
	}
	// Budgets in tokens: no "full" among them, which would be the budget 0 of a linear axis.
	for i := range set.Rows {
		r := &set.Rows[i]
		r.Budget = strings.NewReplacer("bytes:12.5%", "64", "bytes:25%", "128").Replace(r.Budget)
	}
	curves, err := Curves(set, m)
	if err != nil || len(curves) != 1 {
		t.Fatal(len(curves), err)
	}
	look(t, curves)
	if said := texts(curves[0].SVG()); count(said, "full") != 0 || count(said, "64") != 1 || count(said, "128") != 1 {
		t.Errorf("%q", said)
	}
}

// TestSeriesOfFormats: a line of rows whose cache has no format is that of the device's own type, not of no cache.
func TestSeriesOfFormats(t *testing.T) {
	_, names, err := named(crossedSet().Rows, "cache", 20)
	if err != nil || strings.Join(names, " ") != "f16 fp8_s1 int8_th kivi2 q4_0 native" {
		t.Errorf("%q, %v", names, err)
	}
}

// TestTitleOfFormats: a title counts policies, not policies times formats.
func TestTitleOfFormats(t *testing.T) {
	set := crossedSet()
	want := "m on niah: snapkv, ada(snapkv) and tova in f16, fp8_s1, int8_th, q4_0 and kivi2 at 12.5% and 25% of the bytes"
	if got := titleOf(set); got != want {
		t.Errorf("%q, want %q", got, want)
	}
	set.Rows[len(set.Rows)-1].Budget = "64"
	if got, want := titleOf(set), " at 64, 12.5% bytes and 25% bytes"; !strings.HasSuffix(got, want) {
		t.Errorf("%q, want %q at its end", got, want)
	}
	set.Rows = slices.DeleteFunc(set.Rows, func(r results.Row) bool { return !strings.HasPrefix(r.Policy, "full") })
	if got, want := titleOf(set), "m on niah: full in f16, fp8_s1, int8_th, q4_0 and kivi2"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

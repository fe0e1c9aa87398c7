package plots

import (
	"fmt"
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
	if got := byUnit([]string{"64", "25%", "bytes:25%", "bytes:64"}); len(got) != 3 {
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

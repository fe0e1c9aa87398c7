package plots

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/results"
)

// serverSet is a needle test of three servers, each with times of its own.
func serverSet() results.Set {
	var set results.Set
	for k, kv := range []string{"f16", "q8_0", "q4_0"} {
		variant := "server(kv=" + kv + ")"
		set.Run.Variants = append(set.Run.Variants, variant)
		for i := range 6 {
			r := results.Row{
				Schema: results.Schema, ID: fmt.Sprint(k, i), Model: "m", Task: "niah", Sample: fmt.Sprint(i), Variant: variant, Policy: "server", Budget: "full",
				Params: map[string]string{"kv": kv}, Device: "server", Length: new(1024 << (i % 2)), Depth: new(50.0 * float64(i/2)),
				Score: new(float64(1 - k*(i%2)/2)), NewTokens: new(20), TTFTSeconds: new(1.5 - 0.25*float64(k)), DecodeSeconds: new(0.5),
			}
			set.Rows = append(set.Rows, r)
		}
	}
	set.Run.Baseline = set.Run.Variants[0]
	return set
}

// Servers stand over their own times, the first as a level, and over what they gave in all
// where that was seen.
func TestTimeCurves(t *testing.T) {
	set := serverSet()
	if figs, err := TimeCurves(set, measure("score")); err != nil || len(figs) != 2 {
		t.Fatalf("without loads: %d figures, %v", len(figs), err)
	}
	for k, v := range set.Run.Variants {
		set.Loads = append(set.Loads, results.Load{Variant: v, Concurrency: 4, Requests: 6, PromptTokens: 9000, NewTokens: int64(120 + 40*k), BusySeconds: 2, Running: new(4.0)})
	}
	figs, err := TimeCurves(set, measure("score"))
	if err != nil {
		t.Fatal(err)
	}
	look(t, figs)
	if len(figs) != 3 {
		t.Fatalf("%d figures", len(figs))
	}
	for i, label := range []string{"Median time to the first token (s)", "Tokens per second of an answer", "New tokens per second, all answers together"} {
		got := texts(figs[i].SVG())
		for _, want := range []string{label, "kv f16", "kv q8_0", "kv q4_0"} {
			if count(got, want) != 1 {
				t.Errorf("%d × %q in %q", count(got, want), want, got)
			}
		}
	}
	g := groups(set, measure("score"), func(*results.Row) bool { return true }, false)[0]
	kinds, _, baseline := g.kindsAndBudgets()
	where, ok := overCost("", func(c results.Cost) float64 { return c.Served.FirstTokenP50 })(g, kinds, nil)
	if !ok || baseline != "server(kv=f16)" || len(kinds) != 2 {
		t.Fatalf("%v, %q, %v", ok, baseline, kinds)
	}
	for variant, want := range map[string]float64{"server(kv=f16)": 1.5, "server(kv=q8_0)": 1.25, "server(kv=q4_0)": 1} {
		if got := where.at(results.Line{}, "full", variant); got != want || !(where.axis.lo < got && got < where.axis.hi) {
			t.Errorf("%s at %v, want %v; axis %v to %v", variant, got, want, where.axis.lo, where.axis.hi)
		}
	}
	if *where.full != 1.5 {
		t.Errorf("the baseline at %v", *where.full)
	}
	if _, err := TimeCurves(needleSet(), measure("score")); !errors.Is(err, ErrNothing) {
		t.Errorf("our own variants have no times of their own: %v", err)
	}
}

// TestServerPictures: servers have all pictures except those by budget.
func TestServerPictures(t *testing.T) {
	set := serverSet()
	set.Loads = []results.Load{{Variant: set.Run.Variants[1], Concurrency: 4, Requests: 6, PromptTokens: 9000, NewTokens: 1234, BusySeconds: 2}}
	if _, err := BudgetMap(set, measure("score")); !errors.Is(err, ErrNothing) {
		t.Errorf("%v", err)
	}
	maps, err := NeedleMap(set, measure("score"))
	if err != nil || len(maps) != 4 {
		t.Fatalf("%d, %v", len(maps), err)
	}
	look(t, maps[3:])
	var page bytes.Buffer
	if err := Report(&page, []results.Set{set}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Drop against kv f16", "by time to the first token", "Throughput", "<td>617</td>", `"name":"server(kv=f16)","label":"kv f16","base":true`} {
		if strings.Count(page.String(), want) == 0 {
			t.Errorf("no %q in the report", want)
		}
	}
	if strings.Contains(page.String(), "Drop against the full cache") {
		t.Error("a full cache that is not there")
	}
}

package results

import (
	"fmt"
	"strings"
	"testing"
)

// servers makes rows of servers that differ in a setting: the first finds everything, the others half of it.
func servers(label string, caches ...string) Set {
	set := Set{Name: "runs/" + label}
	for k, kv := range caches {
		params := map[string]string{}
		if kv != "" {
			params["kv"] = kv
		}
		if label != "" {
			params["label"] = label
		}
		variant := "server(" + strings.ReplaceAll(Params(params), " ", ",") + ")"
		set.Run.Variants = append(set.Run.Variants, variant)
		for i := range 40 {
			score := 1.0
			if k > 0 && i%2 == 0 {
				score = 0
			}
			r := Row{
				Schema: Schema, Model: "m", Task: "niah", Sample: fmt.Sprint(i), Variant: variant, Policy: "server", Budget: "full", Params: params,
				Device: "server", Metric: "exact", Score: &score,
			}
			r.ID = r.Key()
			set.Rows = append(set.Rows, r)
		}
	}
	set.Run.Baseline = set.Run.Variants[0]
	return set
}

// TestNamedBaseline: drops are against the full cache if there is one, else against the variant that the run names.
func TestNamedBaseline(t *testing.T) {
	set := servers("", "auto", "fp8")
	text := Markdown(set)
	for _, want := range []string{"### Drop against kv auto", "points lost against kv auto", "50.00"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	for _, c := range Summarize(set).Subjects[0].Cells {
		if drop := c.Drop; (drop != nil) != (c.Variant == "server(kv=fp8)") || drop != nil && *drop.Mean != 0.5 {
			t.Errorf("%+v", c)
		}
	}
	if text := Markdown(Set{Rows: set.Rows}); strings.Contains(text, "Drop") {
		t.Errorf("a drop against nothing:\n%s", text)
	}

	full := set.Rows[0]
	full.Variant, full.Policy, full.Params = "full", "full", nil
	full.ID = full.Key()
	set.Rows = append(set.Rows, full)
	if got := set.Run.BaselineOf(set.Rows); got != "full" {
		t.Errorf("%q", got)
	}
	if tables := Tables(set, Measures()[0]); tables[0].Against() != "the full cache" {
		t.Errorf("%q", tables[0].Against())
	}
}

// TestGateAgainstNamedBaseline: the gate finds the first server by the word baseline, by its label and by its variant.
func TestGateAgainstNamedBaseline(t *testing.T) {
	limit, err := ParseLimit("1")
	if err != nil {
		t.Fatal(err)
	}
	for _, against := range []string{"baseline", "kv auto", "server(kv=auto)"} {
		g, err := GateAgainst(servers("", "auto", "fp8"), against, Limits{MaxDrop: &limit})
		if err != nil {
			t.Fatal(err)
		}
		if len(g.Lines) != 1 || g.Lines[0].Label != "kv fp8" || g.Verdict != Fail || g.Lines[0].Drop != 50 {
			t.Errorf("%s: %+v", against, g)
		}
	}
	set := servers("", "auto", "fp8")
	set.Run.Baseline = ""
	if _, err := GateAgainst(set, "baseline", Limits{MaxDrop: &limit}); err == nil || !strings.Contains(err.Error(), `unknown variant "baseline"`) {
		t.Errorf("%v", err)
	}
}

// TestGateTwoLabels: two runs with different labels are the same servers before and after a change.
func TestGateTwoLabels(t *testing.T) {
	limit, err := ParseLimit("1")
	if err != nil {
		t.Fatal(err)
	}
	for _, caches := range [][]string{{""}, {"auto"}, {"auto", "fp8"}} {
		g, err := Gate(servers("before", caches...), servers("after", caches...), Limits{MaxDrop: &limit})
		if err != nil {
			t.Errorf("%v: %v", caches, err)
			continue
		}
		for _, l := range g.Lines {
			if l.Drop != 0 {
				t.Errorf("%v: %+v", caches, l)
			}
		}
		if len(g.Lines) != len(caches) {
			t.Errorf("%v: %d comparisons", caches, len(g.Lines))
		}
	}
	if _, err := Gate(servers("before", "auto", "fp8"), servers("after", "auto", "q8_0"), Limits{MaxDrop: &limit}); err == nil {
		t.Error("fp8 was held against q8_0")
	}
}

// TestMergedBaseline: merged runs have the baseline of the first.
func TestMergedBaseline(t *testing.T) {
	all, err := Merge(servers("bf16", ""), servers("fp8", ""))
	if err != nil {
		t.Fatal(err)
	}
	if got := all.Run.BaselineOf(all.Rows); got != "server(label=bf16)" {
		t.Errorf("%q", got)
	}
	again := servers("bf16", "")
	for i := range again.Rows {
		r := &again.Rows[i]
		r.TTFTSeconds, r.TokenSecondsP50, r.TokenSecondsP95, r.Retries = new(1.0), new(1.0), new(1.0), new(1)
	}
	if all, err := Merge(servers("bf16", ""), again); err != nil || len(all.Rows) != 40 {
		t.Errorf("the same rows with other times: %d, %v", len(all.Rows), err)
	}
}

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
		if drop := c.Drop; (drop != nil) != (c.Variant == "server(kv=fp8)") || drop != nil && *drop.Mean != 50 || c.Variant == "server(kv=fp8)" && c.Measure == "score" && *c.Mean != 50 {
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

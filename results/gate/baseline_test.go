package gate

import (
	"strings"
	"testing"
)

// The gate holds a run's servers to the first by the word baseline, and by its label.
func TestGateAgainstNamedBaseline(t *testing.T) {
	limit, err := ParseLimit("1")
	if err != nil {
		t.Fatal(err)
	}
	for _, against := range []string{"baseline", "kv auto", "server(kv=auto)"} {
		g, err := Variants(servers("", "auto", "fp8"), against, Limits{MaxDrop: &limit})
		if err != nil {
			t.Fatal(err)
		}
		if len(g.Lines) != 1 || g.Lines[0].Label != "kv fp8" || g.Verdict != Fail || g.Lines[0].Drop != 50 {
			t.Errorf("%s: %+v", against, g)
		}
	}
	set := servers("", "auto", "fp8")
	set.Run.Baseline = ""
	if _, err := Variants(set, "baseline", Limits{MaxDrop: &limit}); err == nil || !strings.Contains(err.Error(), `unknown variant "baseline"`) {
		t.Errorf("%v", err)
	}
}

// Two runs under two labels are of the same servers before and after a change.
func TestGateTwoLabels(t *testing.T) {
	limit, err := ParseLimit("1")
	if err != nil {
		t.Fatal(err)
	}
	for _, caches := range [][]string{{""}, {"auto"}, {"auto", "fp8"}} {
		g, err := Runs(servers("before", caches...), servers("after", caches...), Limits{MaxDrop: &limit})
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
	if _, err := Runs(servers("before", "auto", "fp8"), servers("after", "auto", "q8_0"), Limits{MaxDrop: &limit}); err == nil {
		t.Error("fp8 was held against q8_0")
	}
}

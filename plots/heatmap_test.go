package plots

import (
	"testing"

	"github.com/snapbench/snapbench/results"
)

func measure(name string) results.Measure {
	for _, m := range results.Measures() {
		if m.Name == name {
			return m
		}
	}
	panic(name)
}

func TestHeatMaps(t *testing.T) {
	needle, lb := needleSet(), longbenchSet(8)
	for _, c := range []struct {
		name string
		draw func(results.Set, results.Measure) ([]Figure, error)
		set  results.Set
		m    string
	}{
		{"needle", NeedleMap, needle, "recalled"},
		{"budget", BudgetMap, needle, "recalled"},
		{"budget", BudgetMap, needle, "kl_mean"},
		{"budget", BudgetMap, lb, "score"},
		{"tasks", TaskMap, lb, "score"},
		{"tasks", TaskMap, needle, "score"},
	} {
		figs, err := c.draw(c.set, measure(c.m))
		if err != nil {
			t.Fatal(c.name, err)
		}
		look(t, figs)
	}
}

package gate

import (
	"maps"
	"path/filepath"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/results"
)

// A run of schema 1 is held against one of today: by the variants' text, and where another version wrote that otherwise,
// by policy, budget and parameters.
func TestRunsOfTwoSchemas(t *testing.T) {
	old, err := results.Read(filepath.Join("..", "testdata", "schema1", "finished"))
	if err != nil {
		t.Fatal(err)
	}
	now := old
	now.Rows = nil
	for _, r := range old.Rows {
		r.Params = maps.Clone(r.Params)
		now.Rows = append(now.Rows, r)
	}
	for i := range now.Rows { // another version's text for the same policy, budget and parameters
		if r := &now.Rows[i]; r.Policy != "full" {
			r.Variant = strings.Replace(r.Variant, "cap=64,w=32", "w=32,cap=64", 1)
		}
	}
	g, err := Runs(old, now, points(1))
	if err != nil || len(g.Lines) != 3 {
		t.Fatalf("%+v, %v", g, err)
	}
	for _, l := range g.Lines {
		if l.Drop != 0 || l.Variant == "" {
			t.Errorf("%+v", l)
		}
	}
	for i := range now.Rows { // one without its like
		if r := &now.Rows[i]; r.Params["k"] == "13" {
			r.Params["k"] = "21"
		}
	}
	if _, err := Runs(old, now, points(1)); err == nil || !strings.Contains(err.Error(), "k=13,pool=max,gqa=query_head) is only in the baseline") {
		t.Errorf("another kernel: %v", err)
	}
}

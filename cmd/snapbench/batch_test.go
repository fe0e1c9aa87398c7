package main

import (
	"fmt"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/snapbench/snapbench/results"
)

// A sample's answers and its fidelity do not depend on the samples that it is batched with.
func TestCompany(t *testing.T) {
	model, dir := tinyModel(t), t.TempDir()
	prompts := filepath.Join(dir, "prompts.jsonl")
	if err := writePrompts(prompts, 9); err != nil {
		t.Fatal(err)
	}
	ask := func(out string, more ...string) []results.Row {
		pass(t, append([]string{"prompts", prompts, "--model", model, "--device", "cpu", "--metric", "recalled", "--budgets", "full,24,40",
			"--windows", "8", "--kernels", "3", "--max-new", "7", "--fidelity", "--quiet", "--out", filepath.Join(dir, out)}, more...)...)
		return rowsBesidesTimes(t, filepath.Join(dir, out))
	}
	together := ask("together")
	var alone []results.Row
	for i := 1; i <= 9; i++ { // in batches of one to seven samples
		out := fmt.Sprint("alone", i)
		for _, r := range ask(out, "--limit", fmt.Sprint(i)) {
			if r.Sample == fmt.Sprint("p", i-1) {
				alone = append(alone, r)
			}
		}
	}
	of := map[string]results.Row{}
	for _, r := range alone {
		r.Run = ""
		of[r.ID] = r
	}
	if len(together) != 27 || len(of) != 27 {
		t.Fatalf("%d rows together, %d alone", len(together), len(of))
	}
	for _, r := range together {
		r.Run = ""
		if !reflect.DeepEqual(r, of[r.ID]) {
			t.Errorf("together\n%+v\nalone\n%+v", r, of[r.ID])
		}
	}
}

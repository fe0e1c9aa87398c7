package main

import (
	"maps"
	"path/filepath"
	"testing"

	"github.com/snapbench/snapbench/results"
)

// A run's rows say what a variant is, and how large its cache is against the full one. Two
// query heads of the tiny model share a KV head, so where each query head keeps its own
// positions there are two copies.
func TestRowsSayWhatVariantsAre(t *testing.T) {
	model, dir := tinyModel(t), t.TempDir()
	prompts := filepath.Join(dir, "prompts.jsonl")
	if err := writePrompts(prompts, 2); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "out")
	pass(t, "prompts", prompts, "--model", model, "--device", "cpu", "--metric", "recalled", "--budgets", "full,24,75%",
		"--windows", "8", "--kernels", "3", "--gqa", "query_head,kv_head_mean", "--max-new", "3", "--quiet", "--out", out)
	set, err := results.Read(out)
	if err != nil {
		t.Fatal(err)
	}
	if len(set.Rows) != 10 {
		t.Fatalf("%d rows, want two samples of five variants", len(set.Rows))
	}
	above := 0
	for _, r := range set.Rows {
		if r.Policy == "full" {
			if r.Params != nil || r.Share != nil || r.Capacity != nil || *r.TimesFull() != 1 {
				t.Errorf("full: params %v, share %v, capacity %v, %v × full", r.Params, r.Share, r.Capacity, *r.TimesFull())
			}
			continue
		}
		if want := map[string]string{"w": "8", "k": "3", "pool": "max", "gqa": r.Params["gqa"]}; !maps.Equal(r.Params, want) {
			t.Errorf("%s: params %v, want %v", r.Variant, r.Params, want)
		}
		share := float64(*r.Capacity) / float64(*r.PromptTokens)
		copies := map[string]float64{"query_head": 2, "kv_head_mean": 1}[r.Params["gqa"]]
		if *r.Share != share || *r.TimesFull() != copies*float64(*r.Capacity)/float64(*r.PromptTokens) {
			t.Errorf("%s: share %v, %v × full; capacity %d of %d tokens", r.Variant, *r.Share, *r.TimesFull(), *r.Capacity, *r.PromptTokens)
		}
		if *r.TimesFull() > 1 {
			above++
		}
	}
	if above != 2 {
		t.Errorf("%d rows take more than the full cache, want the two of 75%% and a copy per query head", above)
	}
}

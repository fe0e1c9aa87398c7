package main

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/results"
)

// Random weights answer the sets of LongBench and needles without data: every answer has all its new tokens, and no row
// a score. A vocabulary that no text can be read with is said so.
func TestRandomWeightsAnswer(t *testing.T) {
	const model = "shape:tiny,vocab=4096"
	for _, ask := range []struct {
		arguments []string
		rows      int
		most      []int // new tokens
	}{
		{[]string{"longbench", "--dry-text", "--tasks", "qasper,samsum,lcc", "--limit", "2", "--max-length", "300"}, 12, []int{64, 128}},
		{[]string{"eval", "hotpotqa", "--dry-text", "--limit", "3", "--max-length", "300", "--max-new", "5"}, 6, []int{5}},
		{[]string{"needle", "--lengths", "300", "--depths", "2", "--trials", "1", "--max-new", "6"}, 4, []int{6}},
	} {
		out := filepath.Join(t.TempDir(), "run")
		args := append(slices.Clone(ask.arguments), "--model", model, "--device", "cpu", "--quiet", "--out", out)
		if ask.arguments[0] != "needle" {
			args = append(args, "--budgets", "full,64")
		} else {
			args = append(args, "--variants", "full;snapkv(cap=64,w=16)")
		}
		if status, _, stderr := snapbench(args...); status != exitPass {
			t.Fatalf("%v: status %d: %s", ask.arguments, status, stderr)
		}
		rows, err := results.ReadFile(filepath.Join(out, "results.parquet"))
		if err != nil || len(rows) != ask.rows {
			t.Fatalf("%v: %d rows, %v", ask.arguments, len(rows), err)
		}
		for _, r := range rows {
			if r.Error != "" || r.Score != nil || r.Metric != "none" || r.NewTokens == nil || !slices.Contains(ask.most, *r.NewTokens) || !strings.Contains(r.Note, "random weights") {
				t.Errorf("%v: %+v", ask.arguments, r)
			}
		}
	}
	status, _, stderr := snapbench("needle", "--model", "shape:tiny", "--device", "cpu", "--lengths", "300", "--quiet", "--out", t.TempDir())
	if status != exitUsage || !strings.Contains(stderr, "shape:tiny,vocab=4096") {
		t.Errorf("a small vocabulary: status %d: %s", status, stderr)
	}
}

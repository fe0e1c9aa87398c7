package main

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/results"
	"github.com/snapbench/snapbench/runners/sharedtest"
)

// TestGemma3Table asks the ten needle prompts of 2K under every budget, kernel and grouping of the reference's table, and expects its
// shares of the digits recalled within 0.02.
func TestGemma3Table(t *testing.T) {
	model, prompts := sharedtest.Gemma3(t), sharedtest.Path(t, "gemma3", "needle_2k.jsonl")
	readme, err := os.ReadFile(sharedtest.Path(t, "gemma3", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	if os.Getenv("SNAPBENCH_LONG") == "" {
		t.Skip("ten prompts of 2K under 33 variants take minutes: SNAPBENCH_LONG=1 runs them")
	}
	out := filepath.Join(t.TempDir(), "run")
	pass(t, "prompts", prompts, "--model", model, "--device", "cpu", "--metric", "recalled", "--max-new", "10", "--windows", "32",
		"--budgets", "full,128,256,512,1024", "--kernels", "5,7,13,21", "--gqa", "query_head,kv_head_mean", "--out", out, "--quiet")
	set, err := results.Read(out)
	if err != nil {
		t.Fatal(err)
	}
	sum, count := map[string]float64{}, map[string]int{}
	for _, r := range set.Rows {
		if r.Error != "" || r.Score == nil || r.FixedBytes == nil || *r.FixedBytes != 15*512*2*256*4 {
			t.Fatalf("%s: %s, score %v, %v bytes beside the full-attention layers", r.Variant, r.Error, r.Score, r.FixedBytes)
		}
		sum[r.Variant] += *r.Score
		count[r.Variant]++
	}
	share := func(variant string) float64 {
		if count[variant] != 10 {
			t.Fatalf("%s has %d rows, want 10", variant, count[variant])
		}
		return sum[variant] / 10
	}
	if full := share("full"); full != 1 {
		t.Errorf("the full cache recalls %v", full)
	}
	_, table, _ := strings.Cut(string(readme), "Ten 2K prompts")
	table, _, _ = strings.Cut(table, "At 512 kept")
	cells := 0
	for _, m := range regexp.MustCompile(`(?m)^\| (\d+) \|(.*)\|$`).FindAllStringSubmatch(table, -1) {
		for i, cell := range strings.Split(m[2], "|") {
			want, err := strconv.ParseFloat(strings.Fields(cell)[0], 64)
			if err != nil {
				t.Fatal(err)
			}
			variant := fmt.Sprintf("snapkv(cap=%d,w=32,k=%s,pool=max,gqa=%s)", 128<<(i%4), m[1], []string{"query_head", "kv_head_mean"}[i/4])
			// The table's shares are rounded.
			if got := share(variant); !(math.Abs(got-want) <= 0.02+1e-9) {
				t.Errorf("%s recalls %.3f, published %.2f", variant, got, want)
			}
			cells++
		}
	}
	if cells != 32 {
		t.Errorf("%d cells were compared, want 32", cells)
	}
}

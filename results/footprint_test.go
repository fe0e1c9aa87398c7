package results

import (
	"fmt"
	"math"
	"strings"
	"testing"
)

// The table of a model with sliding layers beside full ones tells what a policy changed, what it left, and both together: Gemma 3
// 270M with 512 of 16,384 positions kept, once per KV head and once per query head.
func TestFixedBytes(t *testing.T) {
	const u, fixed, n = 1 << 10, 15 * 512 << 10, 16 << 10
	var rows []Row
	for i, copies := range []int64{0, 1, 4} {
		r := Row{Task: "niah", Sample: "a", Variant: fmt.Sprint(i), Policy: "snapkv", Budget: fmt.Sprint(i), Score: new(1.0), PromptTokens: new(n), KeptMean: new(512.0)}
		r.CacheBytes, r.FullCacheBytes, r.FixedBytes = new(copies*3*512*u+fixed), new(int64(3*n*u+fixed)), new(int64(fixed))
		if copies == 0 {
			r.Policy, r.Budget, r.CacheBytes, r.KeptMean = "full", "full", r.FullCacheBytes, new(float64(n))
		}
		rows = append(rows, r)
	}
	f := FootprintOf([]*Row{&rows[1]})
	if math.Abs(1/f.TimesFull-6.17) > 0.01 || f.ChosenTimesFull != 1.0/32 || f.Fixed != fixed || f.Copies != 1 {
		t.Errorf("%+v: want 1/6.17 of the cache, 1/32 of the layers in which policies choose, one copy", f)
	}
	if f := FootprintOf([]*Row{&rows[2]}); math.Abs(f.Copies-4) > 1e-9 {
		t.Errorf("%+v: want four copies", f)
	}
	grid, ok := CostGrid(Run{Variants: []string{"0", "1", "2"}}, rows)
	text := fmt.Sprint(grid)
	for _, want := range []string{"full-attention layers, × full", "0.031", "0.16", "7.5 MiB are layers with a sliding window"} {
		if !ok || !strings.Contains(text, want) {
			t.Errorf("%q is not in %s", want, text)
		}
	}
	rows[0].FixedBytes, rows[1].FixedBytes, rows[2].FixedBytes = nil, nil, nil
	if grid, _ := CostGrid(Run{Variants: []string{"0", "1", "2"}}, rows); strings.Contains(fmt.Sprint(grid), "layers") {
		t.Errorf("without such layers: %v", grid)
	}
}

// Beside formats the layers that no policy changes have two sizes, and neither is their mean; and a share of bytes in a format
// is no number of copies.
func TestFootprintBesideFormats(t *testing.T) {
	const u, fixed, n = 1 << 10, 15 * 512 << 10, 2 << 10
	var rows []Row
	for i, cache := range []string{"", "q8_0", "q4_0"} {
		u, fixed := int64(u), int64(fixed)
		if cache == "" { // float32
			u, fixed = 2*u, 2*fixed
		}
		r := Row{Task: "niah", Sample: "a", Variant: fmt.Sprint(i), Policy: "snapkv", Budget: fmt.Sprint(i), Score: new(1.0), Cache: cache, PromptTokens: new(n), KeptMean: new(1024.0)}
		r.FullCacheBytes, r.FixedBytes = new(3*n*u+fixed), new(fixed)
		r.CacheBytes = new(4*3*1024*u*map[string]int64{"": 32, "q8_0": 17, "q4_0": 9}[cache]/32 + fixed) // four copies of half of the prompt
		rows = append(rows, r)
	}
	for i, want := range []float64{4, math.NaN(), math.NaN()} {
		if f := FootprintOf([]*Row{&rows[i]}); f.Copies != want && !(math.IsNaN(f.Copies) && math.IsNaN(want)) {
			t.Errorf("variant %d: %v copies, want %v", i, f.Copies, want)
		}
	}
	grid, _ := CostGrid(Run{Variants: []string{"0", "1", "2"}}, rows)
	text := fmt.Sprint(grid)
	for _, want := range []string{"15.0 MiB in the device's own type and 7.5 MiB in 16 bits are layers with a sliding window"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in %s", want, text)
		}
	}
	if grid, _ := CostGrid(Run{Variants: []string{"1", "2"}}, rows[1:]); !strings.Contains(fmt.Sprint(grid), "too, 7.5 MiB are layers") || strings.Contains(fmt.Sprint(grid), "copies") {
		t.Errorf("in formats alone: %v", grid)
	}
}

package main

import (
	"bytes"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/results"
)

// A row does not depend on what runs beside it. With only the full cache beside it, a
// variant gives the prediction, score and cache that it gives in a grid, and to the last
// bit the same distance from the full cache's distributions. By itself it gives the same
// answer.
func TestVariantsAlone(t *testing.T) {
	model, work := tinyModel(t), t.TempDir()
	answers := func(name string, arguments ...string) map[string]results.Row {
		t.Helper()
		out := filepath.Join(work, name)
		var stdout, stderr bytes.Buffer
		arguments = append([]string{"needle", "--model", model, "--device", "cpu", "--lengths", "500", "--depths", "2", "--trials", "1",
			"--max-new", "8", "--quiet", "--out", out}, arguments...)
		if code := run(arguments, &stdout, &stderr); code != exitPass {
			t.Fatalf("status %d: %s", code, stderr.String())
		}
		rows := map[string]results.Row{}
		for _, r := range rowsBesidesTimes(t, out) {
			r.ID, r.Run = "", "" // which differ, since the questions do
			rows[r.Sample+" "+r.Variant] = r
		}
		return rows
	}
	variants := []string{
		"snapkv(cap=24,w=8,k=3,pool=max,gqa=query_head)", "snapkv(cap=10%,w=16,k=7,pool=avg,gqa=kv_head_max)",
		"snapkv(cap=32|64,w=8,k=3|5,pool=max|avg,gqa=kvpress)", "snapkv(cap=4096,w=32,k=7,pool=max,gqa=kv_head_mean)",
		"quest(cap=64,page=16,recent=8)",
	}
	grid := answers("grid", "--fidelity", "--variants", "full;"+strings.Join(variants, ";"))
	if len(grid) != 2*(1+len(variants)) {
		t.Fatalf("%d rows", len(grid))
	}
	for i, v := range variants {
		for sample, r := range answers(fmt.Sprint("beside", i), "--fidelity", "--variants", "full;"+v) {
			if !reflect.DeepEqual(r, grid[sample]) {
				t.Errorf("%s beside full:\n%+v\nin the grid:\n%+v", v, r, grid[sample])
			}
		}
		if i%2 == 1 && testing.Short() {
			continue
		}
		for sample, r := range answers(fmt.Sprint("alone", i), "--variants", v) {
			want := grid[sample]
			want.KLMean, want.KLP99, want.Top1Agreement, want.FirstDivergence = nil, nil, nil, nil
			want.KLAt0, want.KLAt128, want.KLAt32, want.KLAt8, want.Top1At0, want.Top1At128, want.Top1At32, want.Top1At8 = nil, nil, nil, nil, nil, nil, nil, nil
			if !reflect.DeepEqual(r, want) {
				t.Errorf("%s alone:\n%+v\nin the grid:\n%+v", v, r, want)
			}
		}
	}
}

// A run with --fidelity that lost a row makes the same row again, also where the full
// cache's own row, which it is measured against, is not lost.
func TestFidelityContinued(t *testing.T) {
	model, out := tinyModel(t), filepath.Join(t.TempDir(), "run")
	again := func() []results.Row {
		t.Helper()
		var stdout, stderr bytes.Buffer
		if code := run([]string{"needle", "--model", model, "--device", "cpu", "--lengths", "400", "--depths", "1", "--trials", "1", "--max-new", "8",
			"--fidelity", "--variants", "snapkv(cap=24,w=8);full;quest(cap=40)", "--quiet", "--out", out}, &stdout, &stderr); code != exitPass {
			t.Fatalf("status %d: %s", code, stderr.String())
		}
		return rowsBesidesTimes(t, out)
	}
	want := again()
	for lost := range want {
		rest := append(append([]results.Row(nil), want[:lost]...), want[lost+1:]...)
		if err := results.WriteFile(filepath.Join(out, "results.parquet"), rest); err != nil {
			t.Fatal(err)
		}
		if got := again(); !reflect.DeepEqual(got, want) {
			t.Errorf("without row %d: %+v, want %+v", lost, got, want)
		}
	}
}

package main

import (
	"context"
	"errors"
	"fmt"
	"github.com/snapbench/snapbench/compress"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/snapbench/snapbench/results"
	"github.com/snapbench/snapbench/runners"
	"github.com/snapbench/snapbench/runners/engine"
)

// What is decoded together is bounded by rows and prompt tokens; one sample always may.
func TestFits(t *testing.T) {
	m, err := open(context.Background(), modelFlags{model: tinyModel(t), device: "cpu", dtype: "auto", tokenizer: "native"}, func(string, ...any) {}, true)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	j := &job{}
	of := func(tokens, variants int) asked {
		v, err := compress.ParseAll("full;snapkv(cap=64,w=8);snapkv(cap=96,w=8);snapkv(cap=128,w=8)")
		if err != nil {
			t.Fatal(err)
		}
		for len(v) < variants {
			v = append(v, v[1])
		}
		return asked{rows: make([]results.Row, variants), request: runners.Request{Prompt: make([]int32, tokens), Variants: v[:variants], MaxNew: 10}}
	}
	for _, c := range []struct {
		waiting int
		a       asked
		want    bool
	}{
		{0, of(1<<20, 4), true},
		{1, of(100, 4), true},
		{7, of(100, 4), true},
		{8, of(100, 4), false}, // 36 rows
		{1, of(tokensTogether-100, 1), true},
		{1, of(tokensTogether-99, 1), false},
	} {
		var waiting []asked
		for range c.waiting {
			waiting = append(waiting, of(100, 4))
		}
		if got := j.fits(m.worker, waiting, c.a); got != c.want {
			t.Errorf("%d waiting, %d tokens in %d variants: %v, want %v", c.waiting, len(c.a.request.Prompt), len(c.a.request.Variants), got, c.want)
		}
	}
}

// Samples get the same answers in whatever company, fidelity included.
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

func TestLacksMemory(t *testing.T) {
	short := &engine.OutOfMemory{Device: "cpu", Need: 2, Free: 1}
	none := [][]runners.Completion{{{}, {Err: errors.New("other")}}}
	if lacksMemory(none, nil) || !lacksMemory(nil, fmt.Errorf("layer 3: %w", short)) ||
		!lacksMemory([][]runners.Completion{{{}}, {{}, {Err: &runners.RequestError{Err: short}}}}, nil) {
		t.Error("a lack of memory is not told from other errors")
	}
}

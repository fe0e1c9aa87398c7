package main

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/runners/local"
	"github.com/snapbench/snapbench/runners/speed"
)

func speedOf(t *testing.T, args ...string) speed.Report {
	t.Helper()
	var out, told bytes.Buffer
	args = append([]string{"speed", "--device", "cpu", "--model", "shape:tiny", "--windows", "16", "--max-new", "3", "--warmup", "1", "--json", "--quiet"}, args...)
	if code := run(args, &out, &told); code != 0 {
		t.Fatalf("%q: exit status %d: %s", args, code, told.String())
	}
	var s speed.Report
	if err := json.Unmarshal(out.Bytes(), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// The largest batch and the longest prompt use the memory they may use.
func TestSpeedMax(t *testing.T) {
	const limit = 12 << 20
	s := speedOf(t, "--memory", "12m", "--lengths", "1k", "--batch", "2,max", "--prefill", "2", "--budgets", "full,64")
	s.Rows = append(s.Rows, speedOf(t, "--memory", "12m", "--lengths", "max", "--batch", "2", "--layers", "1", "--attending", "600", "--budgets", "full,64").Rows...)
	if len(s.Rows) != 6 {
		t.Fatalf("%d rows", len(s.Rows))
	}
	for _, r := range s.Rows {
		if !r.Fits || r.PeakBytes > limit || r.Plan.Weights+r.Plan.Need() > limit || r.PrefillSeconds <= 0 || r.StepSeconds <= 0 || r.StepBytes < r.CacheBytes || r.TotalSeconds < r.PrefillSeconds {
			t.Errorf("%+v", r)
		}
		if max := r.LongestAsked || r.LargestAsked; max != (r.PeakBytes > limit/2) || r.Prompts != 2 {
			t.Errorf("%d × %d, %s: peak %d, %d prompts", r.Batch, r.Length, r.Variant, r.PeakBytes, r.Prompts)
		}
	}
	if a, b := s.Rows[2], s.Rows[3]; a.Variant != "full" || b.Batch < 3*a.Batch {
		t.Errorf("the largest batches are %d and %d", a.Batch, b.Batch)
	}
	if a, b := s.Rows[4], s.Rows[5]; b.Length <= a.Length || a.Layers != 1 || b.Attending != 600 {
		t.Errorf("the longest prompts are %d and %d: %+v", a.Length, b.Length, b)
	}
	if len(s.Longest) != 2 || s.Longest[1].Length <= s.Longest[0].Length {
		t.Errorf("longest by the plan: %+v", s.Longest)
	}
}

// Within a prompt the lines say where it is and how long the rest takes.
func TestSpeedProgress(t *testing.T) {
	m, err := local.Open(context.Background(), local.Options{Model: "shape:tiny,layers=8", Device: "ref", DType: "auto"}, func(string, ...any) {})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	var w bytes.Buffer
	p := newProgress(&w, false)
	cells := []speed.Cell{{Length: 4096, Batch: 2, Variant: compress.Full, MaxNew: 10}, {Length: 4096, Batch: 2, Variant: compress.Full, MaxNew: 10}}
	roofs := speed.Roofs{Bandwidth: 1e30, Products: 1e9, Attention: 1e9}
	c := &cellProgress{progress: p, report: &speed.Report{Roofs: roofs}}
	c.Plan(speed.NewWork(m.Engines[0].Model(), roofs, cells))
	p.start = time.Now().Add(-100 * time.Second)
	for _, x := range []struct {
		step speed.Step
		want string
	}{
		// A quarter of the first of four prompts in 100 s: fifteen times that are ahead.
		{speed.Step{Prompt: 1, Prompts: 2, Prefill: 0.25, Max: 10}, "0/2  2 × 4096 tokens, full: prompt 1 of 2, layer 3 of 8 (25 %)  ETA 25m0s"},
		{speed.Step{Prompt: 2, Prompts: 2, Prefill: 0.999, Max: 10}, "prompt 2 of 2, layer 8 of 8 (100 %)  ETA 1m40s"},
		{speed.Step{Prompt: 2, Prompts: 2, Prefill: 1, Decoded: 4, Max: 10}, "full: step 4 of 10  ETA 1m40s"},
	} {
		w.Reset()
		p.told = time.Time{}
		c.Within(0)(x.step)
		if !strings.Contains(w.String(), x.want) {
			t.Errorf("%q, want %q", w.String(), x.want)
		}
	}
	w.Reset()
	c.Within(0)(speed.Step{Prompt: 2, Prompts: 2, Prefill: 1, Decoded: 5, Max: 10})
	if w.Len() > 0 {
		t.Errorf("a line at once behind another: %q", w.String())
	}
}

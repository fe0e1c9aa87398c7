package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/runners/local"
	"github.com/snapbench/snapbench/runners/speed"
)

// madeUp is the report of a card with 80 GiB that reaches nine tenths of its bandwidth.
func madeUp() *speed.Report {
	const weights, perToken, room = int64(12) << 30, int64(512) << 10, int64(80) << 30
	s := &speed.Report{About: "cuda:0: a made-up card", Roofs: speed.Roofs{Bandwidth: 3e12, Products: 7e14, Attention: 7e14}, Started: time.Unix(1e9, 0).UTC()}
	row := func(length, batch int, variant string, kept int, largest bool) {
		if largest {
			batch = int((room - weights - int64(length)*24<<10) / (int64(kept) * perToken))
		}
		cache := int64(batch) * int64(kept) * perToken
		r := speed.Row{Model: "shape:llama-2-7b", Device: "cuda:0", DType: "bfloat16", Length: length, Batch: batch, LargestAsked: largest, Variant: variant,
			Plan: speed.Footprint{Weights: weights, Prefill: int64(length) * 24 << 10, Caches: cache, Free: room - weights}}
		if r.Need = r.Plan.Need(); !r.Plan.Fits() {
			r.Free = r.Plan.Free
			s.Rows = append(s.Rows, r)
			return
		}
		r.Need, r.Fits, r.NewTokens, r.Prompts = 0, true, 64, min(batch, 2)
		r.PrefillSeconds = float64(length)*20e-6 + float64(length)*float64(length)*3e-10
		r.PrefillRoof, r.PrefillPerSecond = 0.8*r.PrefillSeconds, float64(length)/r.PrefillSeconds
		r.WeightBytes, r.CacheBytes, r.StepBytes = weights, cache, weights+cache
		r.PeakBytes = weights + cache + r.Plan.Prefill
		r.DriverBytes = 77 << 30
		r.StepRoof = float64(r.StepBytes) / s.Roofs.Bandwidth
		r.StepSeconds = r.StepRoof * 1.1
		r.StepP10, r.StepP90 = r.StepSeconds*0.97, r.StepSeconds*1.05
		r.TokensPerSecond = float64(batch) / r.StepSeconds
		s.Rows = append(s.Rows, r)
	}
	for _, length := range []int{4096, 16384, 65536, 131072} {
		for _, batch := range []int{1, 2, 4, 8, 0} {
			row(length, batch, "full", length, batch == 0)
			row(length, batch, "snapkv(cap=1024,w=32,k=7,pool=max,gqa=query_head)", 1024, batch == 0)
			row(length, batch, "snapkv(cap=2048,w=32,k=7,pool=max,gqa=query_head)", 2048, batch == 0)
		}
	}
	for _, batch := range []int{1, 2, 4, 8} {
		s.Longest = append(s.Longest, speed.Longest{Batch: batch, Variant: "full", Length: 131072 / batch},
			speed.Longest{Batch: batch, Variant: "snapkv(cap=1024,w=32,k=7,pool=max,gqa=query_head)", Length: 2_900_000},
			speed.Longest{Batch: batch, Variant: "snapkv(cap=2048,w=32,k=7,pool=max,gqa=query_head)", Length: 2_800_000 - 50_000*batch})
	}
	return s
}

func TestSpeedReport(t *testing.T) {
	s := madeUp()
	s.Rows[4].Notes = []string{"a note"}
	var w bytes.Buffer
	if err := s.Table(&w); err != nil {
		t.Fatal(err)
	}
	text := w.String()
	for _, want := range [][]string{
		{"65536        4  full", "does not fit: needs 129.50 GiB, 68.00 GiB free"},
		{"16384    max 8  full", "76.38   77.00     12.00     64.00"},
		{"[1] a note"},
		{"[2] of a batch 2 prompts were read"},
		{"GiB by the plan"},
		{"65536        4  full", "12.00      1.50    128.00      0.00    141.50     80.00"},
		{"same length and batch"},
		// By bytes: (12 + 8·8) / (12 + 8·1).
		{"16384        8  snapkv(cap=2048,", "3.80 ×    3.80 ×     100 %    3.75 ×"},
		{"each at its largest batch"},
		// 135 sequences at 31.3 ms, 8 at 29.92.
		{"16384  max 135  snapkv(cap=1024,", "16.13 ×   16.13 ×     100 %    16.9 ×"},
		{"longest prompt by the plan"},
		{"2  snapkv(cap=2048,", "2700000     41.20 ×"},
	} {
		found := false
		for _, line := range strings.Split(text, "\n") {
			here := true
			for _, part := range want {
				here = here && strings.Contains(line, part)
			}
			found = found || here
		}
		if !found {
			t.Errorf("no line has %q in\n%s", want, text)
		}
	}
}

// What is saved is read again, and the same cells again differ by what they do.
func TestSpeedAgainst(t *testing.T) {
	s := madeUp()
	dir := t.TempDir()
	if at := os.Getenv("SNAPBENCH_SPEED_PICTURES"); at != "" { // to look at them
		dir = at
	}
	if err := save(s, dir, func(string, ...any) {}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"speed.json", "bench.txt", "speed_step.png", "speed_tokens.svg", "speed_prefill.png", "speed_memory.png", "speed_ratio.png", "speed_memory_ratio.png", "speed_longest.svg"} {
		if i, err := os.Stat(filepath.Join(dir, name)); err != nil || i.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	before, err := speed.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	s.Rows[3].StepSeconds *= 1.02
	s.Rows[4].PrefillSeconds *= 0.96
	s.Rows[4].Batch-- // the largest batch need not be the same
	var w bytes.Buffer
	if err := s.Compare(&w, dir, before); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"    +2.0 %\n", "    -4.0 %", "the largest difference of a median is 4.0 %"} {
		if !strings.Contains(w.String(), want) {
			t.Errorf("no %q in\n%s", want, w.String())
		}
	}
	for i := range s.Rows {
		s.Rows[i].Length += 7
	}
	if err := s.Compare(&w, dir, before); err == nil {
		t.Error("runs without a cell in common are compared")
	}
}

func TestSizeBytes(t *testing.T) {
	for text, want := range map[string]int64{"16g": 16 << 30, "1.5G": 3 << 29, "900m": 900 << 20, "1000": 1000, " 2k ": 2048} {
		if n, err := sizeBytes(text); err != nil || n != want {
			t.Errorf("%q is %d, %v; want %d", text, n, err, want)
		}
	}
	for _, text := range []string{"", "g", "-1g", "0", "nan", "inf", "1e30g", "16gb"} {
		if n, err := sizeBytes(text); err == nil {
			t.Errorf("%q is %d", text, n)
		}
	}
}

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

// Inside a prompt the lines say where it is and how long the rest takes.
func TestSpeedProgress(t *testing.T) {
	m, err := local.Open(context.Background(), local.Options{Model: "shape:tiny,layers=8", Device: "ref", DType: "auto"}, func(string, ...any) {})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	var w bytes.Buffer
	p := newProgress(&w, false)
	cells := []speed.Cell{{Length: 4096, Batch: 2, Variant: compress.Full, MaxNew: 10}, {Length: 4096, Batch: 2, Variant: compress.Full, MaxNew: 10}}
	c := newCellProgress(p, m.Engines[0].Model(), speed.Roofs{Bandwidth: 1e30, Products: 1e9, Attention: 1e9}, cells)
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
		c.within(0)(x.step)
		if !strings.Contains(w.String(), x.want) {
			t.Errorf("%q, want %q", w.String(), x.want)
		}
	}
	w.Reset()
	c.within(0)(speed.Step{Prompt: 2, Prompts: 2, Prefill: 1, Decoded: 5, Max: 10})
	if w.Len() > 0 {
		t.Errorf("a line at once behind another: %q", w.String())
	}
}

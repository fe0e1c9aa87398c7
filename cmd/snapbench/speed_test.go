package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

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

// --repeat measures every cell so often, in turn, and tells means with intervals.
func TestSpeedRepeat(t *testing.T) {
	args := []string{"--lengths", "300", "--batch", "2", "--budgets", "full,64", "--repeat", "3"}
	s := speedOf(t, args...)
	if len(s.Rows) != 2 {
		t.Fatalf("%d rows", len(s.Rows))
	}
	for _, r := range s.Rows {
		if r.Repeats != 3 || len(r.StepEach) != 3 || len(r.PrefillEach) != 3 || r.StepSeconds <= 0 || r.Batch != 2 || r.StepP90 < r.StepP10 {
			t.Errorf("%+v", r)
		}
	}
	command := append([]string{"speed", "--device", "cpu", "--model", "shape:tiny", "--windows", "16", "--max-new", "3", "--warmup", "1", "--quiet"}, args...)
	if text := pass(t, command...); !strings.Contains(text, "means of 3 repeats, ± 95 %") || strings.Count(text, " ± ") < 6 {
		t.Errorf("printed\n%s", text)
	}
	if text := pass(t, append(command, "--bench")...); strings.Count(text, "BenchmarkDecode") != 6 {
		t.Errorf("printed\n%s", text)
	}
}

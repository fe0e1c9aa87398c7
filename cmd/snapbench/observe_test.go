package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/runners/observe"
)

// observe prints what it writes down, leaves out what it can't observe, and refuses what it does not run on.
func TestObserve(t *testing.T) {
	model, out := tinyModel(t), filepath.Join(t.TempDir(), "seen")
	args := []string{"observe", "--model", model, "--lengths", "400,1k", "--depths", "50%", "--rows", "160", "--max-new", "8", "--windows", "16", "--budgets", "full,40,64"}
	printed := pass(t, append(args, "--json", "--quiet", "--out", out)...)
	var r observe.Report
	if err := json.Unmarshal([]byte(printed), &r); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(filepath.Join(out, "observe.json")); err != nil || string(data) != printed {
		t.Errorf("what is saved is not what is printed: %v", err)
	}
	if len(r.Samples) != 2 || !strings.Contains(r.Samples[0].Error, "too short") || r.Samples[1].Seen == nil || r.Samples[1].Seen.Tokens != 1024 || len(r.Variants) != 2 {
		t.Fatalf("%+v", r)
	}
	for _, v := range r.Samples[1].Seen.Variants {
		if s := v.Summary; !(s.Captured > 0 && s.Captured <= s.Oracle && s.Oracle < 1) {
			t.Errorf("captured %v of at most %v", s.Captured, s.Oracle)
		}
	}
	if text := pass(t, append(args, "--device", "ref", "--quiet")...); !strings.Contains(text, "not observed: niah length=400") || !strings.Contains(text, "on ref: ") {
		t.Errorf("the table:\n%s", text)
	}
	for want, more := range map[string][]string{
		"--device cpu,cpu: observe runs on one device": {"--device", "cpu,cpu"},
		"none of the tasks niah has this option":       {"--data", "nowhere"},
		"has no quarters":                              {"--max-new", "3"},
		`"sums"`:                                       {"--tasks", "sums"},
		"votes of 1/20":                                {"--rows", "0"},
		"no prompt could be observed":                  {"--rows", "500"},
	} {
		if status, _, stderr := snapbench(append(args, more...)...); status == exitPass || !strings.Contains(stderr, want) {
			t.Errorf("%v: status %d, %q, want %q", more, status, stderr, want)
		}
	}
}

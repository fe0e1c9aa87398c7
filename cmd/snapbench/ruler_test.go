package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/results"
)

// RULER's tasks by length: rows of every length that hold prompt and answer, the average and the
// effective length in the summary, and their picture.
func TestEvalRuler(t *testing.T) {
	out := filepath.Join(t.TempDir(), "ruler")
	pass(t, "eval", "ruler.niah_single_1,ruler.fwe", "--model", "embedded", "--device", "cpu", "--lengths", "1k,800", "--samples", "1",
		"--policies", "snapkv", "--budgets", "full,64", "--quiet", "--out", out)
	set, err := results.Read(out)
	if err != nil {
		t.Fatal(err)
	}
	if len(set.Rows) != 2*2*2 {
		t.Fatalf("%d rows", len(set.Rows))
	}
	for _, r := range set.Rows {
		if r.Error != "" {
			t.Fatal(r.Error)
		}
		if *r.PromptTokens+50 > *r.Length || *r.PromptTokens < *r.Length/2 || r.Metric != "ruler_all" {
			t.Errorf("%s %s: %d tokens for a length of %d, metric %s", r.Task, r.Sample, *r.PromptTokens, *r.Length, r.Metric)
		}
	}
	summary, err := os.ReadFile(filepath.Join(out, "summary.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"### Score by length, ruler\n\n| variant | 800 | 1K | effective length |", "2 of its 13 tasks", "### Score by length, ruler, full"} {
		if !strings.Contains(string(summary), want) {
			t.Errorf("summary.md lacks %q:\n%s", want, summary)
		}
	}
	if _, err := os.Stat(filepath.Join(out, "length_score.png")); err != nil {
		t.Error(err)
	}

	status, _, stderr := snapbench("eval", "ruler.vt", "--model", "embedded", "--lengths", "32k")
	if status != 2 || !strings.Contains(stderr, "length 32768") || !strings.Contains(stderr, "16384") {
		t.Errorf("a length beyond the context: status %d, %s", status, stderr)
	}
	status, _, stderr = snapbench("eval", "ruler", "--model", "embedded", "--lengths", "1k")
	if status != 2 || !strings.Contains(stderr, "--squad") || !strings.Contains(stderr, "ruler-synthetic") {
		t.Errorf("without documents: status %d, %s", status, stderr)
	}
}

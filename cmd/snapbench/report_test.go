package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A report of runs/* takes a folder of speed beside a run's, and shows both of one model in one picture; plot does the
// same, as what and how it is asked.
func TestReportTakesSpeedFolders(t *testing.T) {
	model, dir := tinyModel(t), t.TempDir()
	prompts := filepath.Join(dir, "prompts.jsonl")
	if err := writePrompts(prompts, 2); err != nil {
		t.Fatal(err)
	}
	run, speed, page := filepath.Join(dir, "run"), filepath.Join(dir, "speed"), filepath.Join(dir, "report.html")
	variants := []string{"--model", model, "--device", "cpu", "--windows", "8", "--budgets", "full,24,48", "--max-new", "3", "--quiet"}
	pass(t, append([]string{"prompts", prompts, "--metric", "recalled", "--out", run}, variants...)...)
	pass(t, append([]string{"speed", "--lengths", "64", "--warmup", "1", "--out", speed}, variants...)...)
	pass(t, "report", run, speed, "--out", page)
	html, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`data-name="frontier_score"`, `data-name="frontier_speed_score"`, "Speed of ", "tokens/s, 1 × 64 tokens"} {
		if !strings.Contains(string(html), want) {
			t.Errorf("no %q", want)
		}
	}
	out := filepath.Join(dir, "pictures")
	files := strings.Fields(pass(t, "plot", run, speed, "--out", out, "--format", "pdf", "--font-size", "10", "--palette", "grey", "--no-numbers"))
	if len(files) < 5 {
		t.Errorf("%d files: %q", len(files), files)
	}
	for _, f := range files {
		if b, err := os.ReadFile(f); err != nil || filepath.Ext(f) != ".pdf" || !bytes.HasPrefix(b, []byte("%PDF")) {
			t.Errorf("%s: %.20q, %v", f, b, err)
		}
	}
	for _, bad := range [][]string{{"--format", "gif"}, {"--palette", "mud"}, {"--font-size", "2"}} {
		if status, _, told := snapbench(append([]string{"plot", run}, bad...)...); status != exitUsage {
			t.Errorf("%q: exit status %d: %s", bad, status, told)
		}
	}
	if status, _, told := snapbench("report", dir, "--out", page); status == 0 || !strings.Contains(told, dir) {
		t.Errorf("a folder of neither: exit status %d: %s", status, told)
	}
}

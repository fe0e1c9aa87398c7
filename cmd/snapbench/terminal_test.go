package main

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/snapbench/snapbench/results"
)

// Whatever a stranger names or writes, no command lets it steer the terminal.
func TestNothingSteersTheTerminal(t *testing.T) {
	const evil, shown = "evil\x1b[2J\x1b]0;title\a\x7f\u009b31m\u202e", `evil\x1b[2J\x1b]0;title\x07\u007f\u009b31m\u202e`
	quoted := strings.Trim(strconv.Quote(evil), `"`) // as errors quote it
	work := t.TempDir()
	model := filepath.Join(work, evil)
	if err := os.CopyFS(model, os.DirFS(tinyModel(t))); err != nil {
		t.Fatal(err)
	}
	prompts := filepath.Join(work, evil+".jsonl")
	line, err := json.Marshal(map[string]any{"id": evil, "prompt": strings.Repeat("a text "+evil, 9), "answers": []string{evil}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(prompts, append(line, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
	predictions := filepath.Join(work, "predictions"+evil)
	if err := os.Mkdir(predictions, 0o755); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(work, "out"+evil)
	foreign := filepath.Join(work, "foreign")

	ran := 0
	command := func(want int, args ...string) string {
		t.Helper()
		ran++
		var stdout, stderr bytes.Buffer
		if code := run(args, &stdout, &stderr); code != want {
			t.Errorf("%q: status %d, want %d: %s", args, code, want, stderr.String())
		}
		text := stdout.String() + stderr.String()
		for _, r := range text {
			if r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)) {
				t.Fatalf("%q printed %q:\n%q", args, r, text)
			}
		}
		if !strings.Contains(text, shown) && !strings.Contains(text, quoted) {
			t.Errorf("%q did not print the name as text:\n%s", args, text)
		}
		return stdout.String()
	}
	command(exitPass, "prompts", prompts, "--model", model, "--device", "cpu", "--budgets", "full,24", "--windows", "8", "--max-new", "2", "--out", out)
	set, err := results.Read(out)
	if err != nil {
		t.Fatal(err)
	}
	for i := range set.Rows {
		r := &set.Rows[i]
		r.ID += "b"
		r.Task, r.Protocol, r.Prediction, r.Note = evil, evil, evil, evil
		if i == 0 {
			r.Score, r.Error, r.Audit = nil, evil, evil
		}
	}
	if err := os.Mkdir(foreign, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := results.WriteFile(filepath.Join(foreign, "results.parquet"), set.Rows); err != nil {
		t.Fatal(err)
	}
	command(exitPass, "results", "show", out)
	command(exitPass, "results", "show", foreign)
	command(exitUndecided, "gate", out, "--against", "full", "--max-drop", "5")
	command(exitCannotRun, "gate", foreign, "--against", "full", "--max-drop", "5")
	command(exitUsage, "gate", out, "--against", evil, "--max-drop", "5")
	command(exitPass, "compare", out)
	command(exitPass, "plot", out)
	command(exitPass, "plot", out, "--x", "budget", "--y", "score", "--facet", "model")
	command(exitPass, "plot", foreign, "--x", "variant", "--y", "score", "--series", "task", "--out", out)
	pictures, err := filepath.Glob(filepath.Join(work, "out*", "*.svg"))
	if err != nil || len(pictures) == 0 {
		t.Fatalf("no pictures: %v", err)
	}
	for _, path := range pictures {
		data, err := os.ReadFile(path)
		if err == nil {
			err = xml.Unmarshal(data, new(struct{}))
		}
		if err != nil {
			t.Errorf("%q: %v", path, err)
		}
	}
	command(exitPass, "report", out, "--out", filepath.Join(work, evil+".html"))
	command(exitPass, "results", "merge", out, foreign, "--out", filepath.Join(work, evil+".parquet"))
	command(exitPass, "models", "show", model)
	command(exitCannotRun, "models", "show", model+"x")
	command(exitCannotRun, "needle", "--model", model, "--device", "cpu", "--lengths", "512", "--depths", "1", "--out", prompts)
	command(exitCannotRun, "prompts", model, "--model", model)
	command(exitCannotRun, "score", predictions)
	command(exitUsage, "run", filepath.Join(work, evil+".yaml"))
	command(exitUsage, "run", evil)
	command(exitUsage, evil)
	command(exitUsage, "needle", "--"+evil)
	command(exitUsage, "needle", "--lengths", evil)
	if summary := command(exitPass, "prompts", prompts, "--model", model, "--device", "cpu", "--budgets", "full,24", "--windows", "8", "--max-new", "2", "--out", out, "--json"); !json.Valid([]byte(summary)) {
		t.Errorf("--json printed what is no JSON:\n%s", summary)
	}
	t.Logf("%d commands", ran)

	// An export that is not to a terminal is exact.
	for _, format := range []string{"csv", "jsonl"} {
		var stdout, stderr bytes.Buffer
		if code := run([]string{"results", "export", format, foreign}, &stdout, &stderr); code != exitPass {
			t.Fatal(stderr.String())
		}
		if want := map[string]string{"csv": evil, "jsonl": "\x7f\u009b31m\u202e"}[format]; !strings.Contains(stdout.String(), want) {
			t.Errorf("%s lacks %q:\n%q", format, want, stdout.String())
		}
	}
}

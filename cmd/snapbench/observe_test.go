package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/runners/observe"
	"github.com/snapbench/snapbench/runners/observe/instruction"
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

// With --questions it compares the questions of each context; a context with one alone is named.
func TestObserveQuestions(t *testing.T) {
	model, out := tinyModel(t), filepath.Join(t.TempDir(), "asked")
	file := filepath.Join(t.TempDir(), "q.jsonl")
	text := strings.Repeat("The cat sat by the door and waited for the rain to end. ", 6)
	lines := `{"id": "cat", "context": "` + text + `", "questions": [{"question": "Who sat?"}, {"question": "Where did it sit, and why?"}, {"question": "What did it wait for?"}]}` + "\n" +
		`{"id": "one", "context": "` + text + `", "questions": [{"question": "Who sat?"}]}`
	if err := os.WriteFile(file, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"observe", "--model", model, "--questions", file, "--rows", "24", "--max-new", "3", "--windows", "8", "--budgets", "full,40"}
	printed := pass(t, append(args, "--json", "--quiet", "--out", out)...)
	var r instruction.Report
	if err := json.Unmarshal([]byte(printed), &r); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(filepath.Join(out, "observe.json")); err != nil || string(data) != printed {
		t.Errorf("what is saved is not what is printed: %v", err)
	}
	if len(r.Contexts) != 2 || len(r.Contexts[0].Questions) != 3 || len(r.Contexts[0].Pairs) != 3 || !strings.Contains(r.Contexts[1].Error, "it takes two") || len(r.Variants) != 1 || r.Command == "" {
		t.Fatalf("%+v", r)
	}
	for _, q := range r.Contexts[0].Questions {
		if len(q.Response) != 3 || len(q.Before) != len(q.After) || len(q.After[0]) != 1 {
			t.Errorf("%+v", q)
		}
	}
	if _, err := os.Stat(filepath.Join(out, "observe_instruction.png")); err != nil {
		t.Error(err)
	}
	if text := pass(t, append(args, "--limit", "1", "--quiet")...); !strings.Contains(text, "contexts: 1 with 3 questions, 3 pairs") {
		t.Errorf("the table:\n%s", text)
	}
	for want, more := range map[string][]string{
		"[questions tasks] were all set":   {"--tasks", "niah"},
		"none of the tasks questions has":  {"--lengths", "1k"},
		"no such file":                     {"--questions", "nowhere.jsonl"},
		"--questions \"\": an empty value": {"--questions", ""},
		"each must be at least 1":          {"--max-new", "0"},
		"observe runs on one device":       {"--device", "cpu,cpu"},
	} {
		if status, _, stderr := snapbench(append(args, more...)...); status == exitPass || !strings.Contains(stderr, want) {
			t.Errorf("%v: status %d, %q, want %q", more, status, stderr, want)
		}
	}
}

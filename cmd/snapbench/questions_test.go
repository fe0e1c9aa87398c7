package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/results"
)

// The embedded model finds every number with the full cache by both conventions. With a fifth of
// it, it finds all that it is asked inside the prompt, and none behind the compressed context.
func TestQuestionsEmbedded(t *testing.T) {
	file := filepath.Join("testdata", "questions.jsonl")
	arguments := func(file, out string) []string {
		return []string{"questions", file, "--device", "cpu", "--budgets", "full,96", "--windows", "16", "--kernels", "13", "--max-new", "12", "--quiet", "--out", out}
	}
	out := filepath.Join(t.TempDir(), "q")
	pass(t, arguments(file, out)...)
	set, err := results.Read(out)
	if err != nil {
		t.Fatal(err)
	}
	gaps := results.Gaps(set)
	if len(set.Rows) != 32 || len(gaps) != 1 || gaps[0].From != "inside" || gaps[0].To != "context" || len(gaps[0].Lines) != 2 {
		t.Fatalf("%d rows, gaps %+v", len(set.Rows), gaps)
	}
	for i, want := range [][2]float64{{1, 1}, {1, 0}} {
		if l := gaps[0].Lines[i]; l.Base != want[0] || l.Cand != want[1] || l.N != 8 {
			t.Errorf("%s: inside %v, context %v of %d; want %v", l.Label, l.Base, l.Cand, l.N, want)
		}
	}
	for _, r := range set.Rows {
		compressed := *r.PromptTokens // tokens that the cache was made of
		if r.Protocol == "context" {
			compressed = *r.Length
		}
		if *r.Length >= *r.PromptTokens || r.Policy == "full" && *r.KeptMax != compressed || r.Policy != "full" && *r.KeptMax != 96 {
			t.Errorf("%s by %s, %s: at most %d kept, %d of the context, %d in all", r.Sample, r.Protocol, r.Variant, *r.KeptMax, *r.Length, *r.PromptTokens)
		}
		if behind := float64(*r.PromptTokens - compressed); r.HeldMean == nil || *r.HeldMean != *r.KeptMean+behind {
			t.Errorf("%s by %s, %s: %v held, %v kept, %v read behind", r.Sample, r.Protocol, r.Variant, r.HeldMean, *r.KeptMean, behind)
		}
	}
	if _, err := os.Stat(filepath.Join(out, "gap_score.png")); err != nil {
		t.Error(err)
	}

	// The same contexts backwards, with a question less and the others turned around.
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, line := range strings.Split(strings.TrimSpace(string(data)), "\n") {
		var context map[string]any
		if err := json.Unmarshal([]byte(line), &context); err != nil {
			t.Fatal(err)
		}
		questions := context["questions"].([]any)[1:]
		slices.Reverse(questions)
		context["questions"] = questions
		changed, err := json.Marshal(context)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, string(changed))
	}
	slices.Reverse(lines)
	turned := filepath.Join(t.TempDir(), "turned.jsonl")
	if err := os.WriteFile(turned, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(t.TempDir(), "turned")
	pass(t, arguments(turned, other)...)
	again, err := results.Read(other)
	if err != nil {
		t.Fatal(err)
	}
	if len(again.Rows) != 20 {
		t.Fatalf("%d rows", len(again.Rows))
	}
	of := func(r results.Row) string { return fmt.Sprint(r.Answer, r.Protocol, r.Variant) }
	said := map[string]string{}
	for _, r := range set.Rows {
		said[of(r)] = r.Prediction
	}
	for _, r := range again.Rows {
		if want, ok := said[of(r)]; !ok || r.Prediction != want {
			t.Errorf("%s: %q, among others %q", of(r), r.Prediction, want)
		}
	}
}

// Mistakes of a call end it before anything runs, with the status of a wrong call.
func TestQuestionsMistakes(t *testing.T) {
	file := filepath.Join("testdata", "questions.jsonl")
	for want, arguments := range map[string][]string{
		"unknown convention \"outside\": have inside, context, dialogue, before": {file, "--convention", "inside,outside"},
		"a server does not compress a context apart":                             {file, "--server", "http://127.0.0.1:1/v1"},
		"standard input is not where the parts of a run run":                     {"-", "--on", "slurm"},
		"unknown metric": {file, "--metric", "bleu"},
	} {
		if want == "a server does not compress a context apart" {
			more := append([]string{"eval", "questions", "--file"}, arguments...)
			if status, _, stderr := snapbench(more...); status != exitUsage || !strings.Contains(stderr, want) {
				t.Errorf("%q: status %d, %s; want %q", more, status, stderr, want)
			}
		}
		status, _, stderr := snapbench(append([]string{"questions", "--out", filepath.Join(t.TempDir(), "out")}, arguments...)...)
		if status != exitUsage || !strings.Contains(stderr, want) {
			t.Errorf("%q: status %d, %s; want %q", arguments, status, stderr, want)
		}
	}
}

// The example of the documentation is a file of questions of several kinds.
func TestQuestionsExample(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "questions.md"))
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "q")
	pass(t, "questions", filepath.Join("..", "..", "docs", "questions.jsonl"), "--model", tinyModel(t), "--device", "cpu", "--convention", "context",
		"--budgets", "full,64", "--windows", "16", "--max-new", "2", "--limit", "3", "--quiet", "--out", out)
	set, err := results.Read(out)
	if err != nil || len(set.Rows) != 6 {
		t.Fatalf("%d rows, %v", len(set.Rows), err)
	}
	for _, r := range set.Rows {
		if r.Error != "" || r.Protocol != "context" {
			t.Errorf("%s, %s: %q by %s", r.Sample, r.Variant, r.Error, r.Protocol)
		}
	}
	_, block, _ := strings.Cut(string(page), "cat > mine.jsonl <<'END'\n")
	block, _, ok := strings.Cut(block, "\nEND\n")
	mine := filepath.Join(t.TempDir(), "mine.jsonl")
	if err := os.WriteFile(mine, []byte(block), 0o600); err != nil || !ok {
		t.Fatal("the page has no example", err)
	}
	pass(t, "questions", mine, "--model", tinyModel(t), "--device", "cpu", "--budgets", "full,16", "--windows", "8", "--max-new", "2", "--quiet", "--out", filepath.Join(t.TempDir(), "mine"))
}

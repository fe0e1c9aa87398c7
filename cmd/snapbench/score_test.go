package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/results"
	"github.com/snapbench/snapbench/runners/sharedtest"
)

// Predictions of another program are scored, also by length whether or not the set's name
// ends in _e, and saved as rows that gate pairs by their number in the file.
func TestScore(t *testing.T) {
	dir := t.TempDir()
	line := func(pred, answer string, length int) string {
		b, err := json.Marshal(map[string]any{"pred": pred, "answers": []string{answer}, "all_classes": nil, "length": length})
		if err != nil {
			t.Fatal(err)
		}
		return string(b) + "\n"
	}
	var full, small strings.Builder
	for i := range 60 { // all right, and every second one right
		full.WriteString(line("the answer", "answer", 3999+i*100))
		small.WriteString(line([]string{"the answer", "nothing"}[i%2], "answer", 3999+i*100))
	}
	write(t, filepath.Join(dir, "full", "qasper.jsonl"), full.String())
	write(t, filepath.Join(dir, "small", "qasper.jsonl"), small.String())
	write(t, filepath.Join(dir, "e", "qasper_e.jsonl"), small.String())
	score := func(name string, args ...string) string {
		t.Helper()
		return strings.Join(strings.Fields(pass(t, append([]string{"score", filepath.Join(dir, name)}, args...)...)), " ")
	}
	out := func(name string) string { return filepath.Join(dir, "runs", name) }
	if got := score("full", "--model", "m", "--out", out("full")); !strings.Contains(got, "qasper qa_f1 60 100.00 [94.0, 100.0] single-document QA mean of sets 1 100.00 [94.0, 100.0] average mean of sets 1 100.00") {
		t.Errorf("printed %s", got)
	}
	score("small", "--model", "m", "--out", out("small"), "--variant", "snapkv(cap=512,w=32,k=7)")
	// One row below 4k; 40 to 8k, 20 of them right; 19 above, 9 right.
	for _, name := range []string{"small", "e"} {
		if got := score(name, "--buckets", "4k,8k"); !strings.Contains(got, "50.00 [37.7, 62.3] 100.00 50.00 47.37 single-document QA") {
			t.Errorf("%s: printed %s", name, got)
		}
	}
	set, err := results.Read(out("small"))
	if err != nil {
		t.Fatal(err)
	}
	if r := set.Rows[1]; len(set.Rows) != 60 || r.Variant != "snapkv(cap=512,w=32,k=7,pool=max,gqa=kv_head_mean)" || *r.Length != 4099 || *r.Score != 0 || r.Sample != "1" {
		t.Errorf("%d rows, the second %+v", len(set.Rows), r)
	}
	if _, err := os.Stat(filepath.Join(out("small"), "tasks_score.png")); err != nil {
		t.Error(err)
	}
	status, stdout, _ := snapbench("gate", out("full"), out("small"), "--max-drop", "10")
	if status != exitFailed || !strings.Contains(stdout, "50.00") {
		t.Errorf("gate: exit status %d\n%s", status, stdout)
	}
	status, _, stderr := snapbench("score", filepath.Join(dir, "full"), "--code-sim", "jaro")
	if status != exitUsage || !strings.Contains(stderr, `unknown code similarity "jaro": have levenshtein, difflib`) {
		t.Errorf("exit status %d: %s", status, stderr)
	}
}

// The published predictions of Mistral-7B-Instruct-v0.2 get their published scores.
func TestScorePublished(t *testing.T) {
	if testing.Short() {
		t.Skip("seconds of grading")
	}
	for _, dir := range sharedtest.Glob(t, "longbench/predictions", "FFY0*") {
		b, err := os.ReadFile(filepath.Join(dir, "result.json"))
		if err != nil {
			t.Fatal(err)
		}
		var want map[string]float64
		if err := json.Unmarshal(b, &want); err != nil {
			t.Fatal(err)
		}
		var got struct {
			Sets []struct {
				Name  string
				Score float64
			}
			Averages []struct {
				Name  string
				Score float64
				Sets  int
			}
		}
		if err := json.Unmarshal([]byte(pass(t, "score", dir, "--json")), &got); err != nil {
			t.Fatal(err)
		}
		sum := 0.0
		for _, s := range got.Sets {
			if s.Score != want[s.Name] {
				t.Errorf("%s: %v, published %v", s.Name, s.Score, want[s.Name])
			}
			sum += s.Score
		}
		if len(got.Sets) != len(want) || len(got.Averages) != 7 {
			t.Fatalf("%d sets and %d averages, published %d sets", len(got.Sets), len(got.Averages), len(want))
		}
		// The average is of unrounded scores.
		if a := got.Averages[6]; a.Name != "average" || a.Sets != 16 || !(max(a.Score-sum/16, sum/16-a.Score) <= 0.005) {
			t.Errorf("average %+v, of the rounded scores %v", a, sum/16)
		}
	}
}

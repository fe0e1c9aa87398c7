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

// The answers of published models get the accuracies that BABILong's own program gives their files.
func TestScoreBABILong(t *testing.T) {
	var shared struct {
		Files []struct {
			File     string
			Accuracy float64
		}
	}
	sharedtest.JSON(t, sharedtest.Path(t, "tasks", "babilong.json"), &shared)
	want := map[string]map[string]float64{}
	for _, f := range shared.Files {
		path := sharedtest.Path(t, "tasks", filepath.FromSlash(f.File))
		dir := filepath.Dir(path)
		if want[dir] == nil {
			want[dir] = map[string]float64{}
		}
		want[dir][path] = f.Accuracy
	}
	files := 0
	for dir, accuracies := range want {
		var got struct {
			Files []struct {
				File  string
				Score float64
			}
		}
		if err := json.Unmarshal([]byte(pass(t, "score", dir, "--task", "babilong", "--json")), &got); err != nil {
			t.Fatal(err)
		}
		if len(got.Files) != len(accuracies) {
			t.Errorf("%s: %d files, want %d", dir, len(got.Files), len(accuracies))
		}
		for _, f := range got.Files {
			if d := f.Score - accuracies[f.File]; !(d < 1e-9 && d > -1e-9) {
				t.Errorf("%s: %v, the original %v", f.File, f.Score, accuracies[f.File])
			}
			files++
		}
	}
	t.Logf("%d folders, %d files", len(want), files)
}

// Predictions of other benchmarks become rows that gate reads, and LongBench's flags are not theirs.
func TestScoreTask(t *testing.T) {
	dir := t.TempDir()
	const name = "qa1_4k_instruction_no_examples_no_post_prompt_no.csv"
	var full, small strings.Builder
	full.WriteString("target,output,question\n")
	small.WriteString("target,output,question\n")
	for i := range 60 { // all right, and every second one right
		full.WriteString("office,The office.,Where is Ann?\n")
		small.WriteString("office," + []string{"The office.", "None"}[i%2] + ",Where is Ann?\n")
	}
	write(t, filepath.Join(dir, "full", name), full.String())
	write(t, filepath.Join(dir, "small", name), small.String())
	out := func(name string) string { return filepath.Join(dir, "runs", name) }
	score := func(name, variant string) string {
		t.Helper()
		return pass(t, "score", filepath.Join(dir, name), "--task", "babilong", "--model", "m", "--variant", variant, "--out", out(name))
	}
	if got := strings.Join(strings.Fields(score("full", "full")), " "); got != "instruction_no_examples_no_post_prompt_no 4k qa1 100.00 mean of qa1 to qa5 – 60 rows in 1 files" {
		t.Errorf("printed %s", got)
	}
	score("small", "snapkv(cap=512,w=32,k=7)")
	set, err := results.Read(out("small"))
	if err != nil {
		t.Fatal(err)
	}
	if r := set.Rows[1]; len(set.Rows) != 60 || r.Task != "babilong-qa1" || r.Protocol != "instruction_no_examples_no_post_prompt_no" || r.Sample != "4k/2" || *r.Score != 0 {
		t.Errorf("%d rows, the second %+v", len(set.Rows), r)
	}
	status, stdout, _ := snapbench("gate", out("full"), out("small"), "--max-drop", "10")
	if status != exitFailed || !strings.Contains(stdout, "50.00") {
		t.Errorf("gate: exit status %d\n%s", status, stdout)
	}
	for want, args := range map[string][]string{
		`no format of predictions for the task "gsm8k": have longbench, babilong, `: {"--task", "gsm8k"},
		"--buckets, --code-sim and --jieba are LongBench's, not babilong's":         {"--task", "babilong", "--buckets", "4k"},
	} {
		if status, _, stderr := snapbench(append([]string{"score", filepath.Join(dir, "full")}, args...)...); status != exitUsage || !strings.Contains(stderr, want) {
			t.Errorf("exit status %d: %s, want %s", status, stderr, want)
		}
	}
}

package main

import (
	"encoding/json"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/datasets"
	"github.com/snapbench/snapbench/results"
)

// Rows that the user brings are pulled, checked and asked; without them a run says how to get them.
func TestPull(t *testing.T) {
	babilong := `{"input": "Ann went to the office.", "question": "Where is Ann? ", "target": "office"}`
	v2 := `{"_id": "a", "difficulty": "hard", "length": "short", "question": "Who?", "choice_A": "Ann", "choice_B": "Ben", "choice_C": "C", "choice_D": "D", "answer": "B", "context": "Ben did."}`
	mrcr := `{"prompt": "[{\"role\": \"user\", \"content\": \"Prepend x7Qa to the 1st poem.\"}]", "answer": "x7QaOh", "random_string_to_prepend": "x7Qa"}`
	scbench := `{"id": 0, "context": "one two", "multi_turns": [{"input": "First?", "answer": "one"}, {"input": "Second?", "answer": "two"}]}`
	h := &localHub{repos: map[string]map[string]string{
		"datasets/RMT-team/babilong": {
			"data/qa1/0k.json": "[" + babilong + "]", "data/qa1/128k.json": babilong + "\n" + babilong, "data/qa2/4k.json": babilong, "data/qa2/10M.json": "not pulled",
		},
		"datasets/THUDM/LongBench-v2":   {"data.json": "[" + v2 + "]"},
		"datasets/zai-org/LongBench-v2": {"data.json": "[" + v2 + "]"},
		"datasets/openai/mrcr":          {"4needle.jsonl": mrcr, "2needle.parquet": "damaged"},
		"datasets/microsoft/SCBench":    {"scbench_kv/test.jsonl": scbench, "scbench_vt/test.jsonl": scbench, "scbench_summary/test.jsonl": "not pulled"},
	}}
	server := httptest.NewServer(h)
	defer server.Close()
	cache := t.TempDir()
	for name, value := range map[string]string{
		"HF_ENDPOINT": server.URL, "HF_HOME": cache, "HF_HUB_CACHE": "", "HF_TOKEN": "", "HF_TOKEN_PATH": "", "HF_HUB_OFFLINE": "",
	} {
		t.Setenv(name, value)
	}
	model := tinyModel(t)
	ask := func(tasks string, args ...string) (status int, stdout, stderr string) {
		return snapbench(append([]string{"eval", tasks, "--model", model, "--device", "cpu", "--max-new", "2", "--max-length", "4k",
			"--variants", "full;snapkv(cap=64,w=8,k=3,pool=max,gqa=kv_head_mean)"}, args...)...)
	}
	if status, _, stderr := ask("scbench"); status != exitCannotRun || !strings.Contains(stderr, "snapbench datasets pull scbench brings it, --data DIR names another place") {
		t.Errorf("without rows: exit status %d, %s", status, stderr)
	}
	for family, want := range map[string]string{"babilong": "2 sets, 4 rows, all checked", "longbench-v2": "1 sets, 1 rows, all checked", "scbench": "2 sets, 2 rows, all checked"} {
		if got := pass(t, "datasets", "pull", family, "--quiet"); !strings.Contains(got, want) {
			t.Errorf("%s: %s, want %q", family, got, want)
		}
	}
	if status, _, stderr := snapbench("datasets", "pull", "mrcr", "--quiet"); status != exitCannotRun || !strings.Contains(stderr, "2needle.parquet: ") {
		t.Errorf("damaged rows: exit status %d, %s", status, stderr)
	}
	if status, _, stderr := snapbench("datasets", "pull", "niah"); status != exitUsage || !strings.Contains(stderr, `unknown data set "niah": have babilong, `) {
		t.Errorf("exit status %d, %s", status, stderr)
	}
	var list []datasets.CatalogueEntry
	if err := json.Unmarshal([]byte(pass(t, "datasets", "list", "babilong", "--json")), &list); err != nil {
		t.Fatal(err)
	}
	if len(list) != 1 || len(list[0].Sets) != 2 || list[0].Sets[0].Set != "babilong-qa1" || list[0].Here == "" || list[0].Origin.Licence == "" || len(list[0].Published) == 0 {
		t.Errorf("%+v", list)
	}
	if err := json.Unmarshal([]byte(pass(t, "datasets", "list", "--json")), &list); err != nil || len(list) != len(datasets.Definitions()) {
		t.Errorf("%d of %d families, %v", len(list), len(datasets.Definitions()), err)
	}

	t.Setenv("HF_HUB_OFFLINE", "1")
	out := filepath.Join(cache, "run")
	if status, stdout, stderr := ask("babilong-qa2,scbench-kv,longbench-v2", "--template", "base", "--parts", "none", "--out", out); status != 0 {
		t.Fatalf("exit status %d\n%s%s", status, stdout, stderr)
	}
	set, err := results.Read(out)
	if err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	for _, r := range set.Rows {
		if r.Error != "" {
			t.Errorf("%s, %s: %s", r.Task, r.Sample, r.Error)
		}
		count[r.Task+" "+r.Protocol+" "+r.Sample]++
	}
	for _, want := range []string{
		"babilong-qa2 instruction_no_examples_no_post_prompt_no_chat_template_no 4k/1", "scbench-kv multi-turn 0/1", "scbench-kv multi-turn 0/2", "scbench-kv scdq 0/2",
		"longbench-v2 longbench-v2 hard/short/a",
	} {
		if count[want] != 2 {
			t.Errorf("%d rows of %q, want one of each variant: %v", count[want], want, count)
		}
	}
}

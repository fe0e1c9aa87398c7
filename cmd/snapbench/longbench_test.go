package main

import (
	"archive/zip"
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	"github.com/snapbench/snapbench/results"
	"github.com/snapbench/snapbench/runners/models"
	"github.com/snapbench/snapbench/runners/sharedtest"
	"github.com/snapbench/snapbench/runners/tokenizer"
)

// snapbench runs the program and returns its exit status and what it printed.
func snapbench(args ...string) (status int, stdout, stderr string) {
	var out, err bytes.Buffer
	status = run(args, &out, &err)
	return status, out.String(), err.String()
}

// pass runs the program, which must succeed, and returns what it printed.
func pass(t *testing.T, args ...string) string {
	t.Helper()
	status, stdout, stderr := snapbench(args...)
	if status != exitPass {
		t.Fatalf("snapbench %s: exit status %d\n%s%s", strings.Join(args, " "), status, stdout, stderr)
	}
	return stdout
}

// lbReference is an answer of the real model, by transformers in float32.
type lbReference struct {
	Protocol       string `json:"protocol"`
	Task           string `json:"task"`
	Row            int    `json:"row"`
	MaxLength      int    `json:"max_length"`
	PromptTokens   int    `json:"prompt_tokens"`
	ContextTokens  int    `json:"context_tokens"`
	QuestionTokens int    `json:"question_tokens"`
	PromptSHA256   string `json:"prompt_sha256"`
	Variants       map[string]struct {
		Tokens  []int32   `json:"tokens"`
		Margins []float64 `json:"margins"`
	} `json:"variants"`
}

// Where the reference's best logit leads by less, another rounding may choose
// otherwise, and what follows can't be compared.
func (r lbReference) comparable(variant string) int {
	limit := 0.01
	if variant == "full" {
		limit = 0.002
	}
	v := r.Variants[variant]
	for i, margin := range v.Margins {
		if margin < limit {
			return i
		}
	}
	return len(v.Tokens)
}

// The command's answers are the reference's, token by token, on a real model:
// same prompts, same text up to the first step that rounding may change. Without
// SNAPBENCH_LONG=1 the shorter prompts only.
func TestLongBenchReference(t *testing.T) {
	model := sharedtest.SmolLM2(t)
	data := sharedtest.Path(t, "longbench", "data")
	b, err := os.ReadFile(sharedtest.Path(t, "longbench", "smollm2.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all []lbReference
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatal(err)
	}
	files, err := models.Open(model)
	if err != nil {
		t.Fatal(err)
	}
	defer files.Close()
	text, _, err := tokenizer.OpenGGUF(files.GGUF.Metadata())
	if err != nil {
		t.Fatal(err)
	}

	long := os.Getenv("SNAPBENCH_LONG") != ""
	short := map[string][]string{"longbench": {"2wikimqa", "multifieldqa_en"}, "kvpress": {"lcc"}}
	groups := map[string][]lbReference{} // one command each: protocol, limit, variants
	for _, r := range all {
		if r.Row != 0 {
			t.Fatalf("%s %s: row %d: the command takes the first", r.Protocol, r.Task, r.Row)
		}
		if !long && !slices.Contains(short[r.Protocol], r.Task) || testing.Short() && r.Task != "2wikimqa" {
			continue
		}
		var names []string
		for name := range r.Variants {
			names = append(names, name)
		}
		sort.Strings(names)
		key := fmt.Sprint(r.Protocol, "|", r.MaxLength, "|", strings.Join(names, ";"))
		groups[key] = append(groups[key], r)
	}
	answers, tokens, flips := 0, 0, 0
	for key, group := range groups {
		part := strings.Split(key, "|")
		tasks := make([]string, len(group))
		for i, r := range group {
			tasks[i] = r.Task
		}
		out := filepath.Join(t.TempDir(), "run")
		pass(t, "longbench", "--model", model, "--device", "cpu", "--data", data, "--limit", "1", "--tasks", strings.Join(tasks, ","),
			"--protocol", part[0], "--max-length", part[1], "--max-new", "64", "--variants", part[2], "--out", out, "--quiet")
		set, err := results.Read(out)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range group {
			for name, want := range r.Variants {
				i := slices.IndexFunc(set.Rows, func(row results.Row) bool { return row.Task == r.Task && row.Variant == name })
				if i < 0 {
					t.Errorf("%s %s: no row for %s", r.Protocol, r.Task, name)
					continue
				}
				row := set.Rows[i]
				what := fmt.Sprintf("%s %s %s", r.Protocol, r.Task, name)
				if row.Error != "" {
					t.Errorf("%s: %s", what, row.Error)
					continue
				}
				if r.PromptSHA256 != "" && row.PromptSHA256 != r.PromptSHA256 {
					t.Errorf("%s: the prompt's sha256 is %s, want %s", what, row.PromptSHA256, r.PromptSHA256)
				}
				length := r.PromptTokens
				if length == 0 {
					length = r.ContextTokens + r.QuestionTokens
				}
				if *row.PromptTokens != length {
					t.Errorf("%s: %d prompt tokens, want %d", what, *row.PromptTokens, length)
				}
				n := r.comparable(name)
				answers, tokens = answers+1, tokens+n
				if n == len(want.Tokens) {
					if whole := text.Decode(want.Tokens, true); row.Prediction != whole || *row.NewTokens != n {
						t.Errorf("%s: %d tokens %q, want %d tokens %q", what, *row.NewTokens, row.Prediction, n, whole)
					}
					continue
				}
				flips++
				begin := strings.TrimRight(text.Decode(want.Tokens[:n], true), "\uFFFD") // perhaps within a character
				if !strings.HasPrefix(row.Prediction, begin) || *row.NewTokens < n {
					t.Errorf("%s: %q, want %q and anything after it", what, row.Prediction, begin)
				}
			}
		}
	}
	t.Logf("%d answers compared, %d tokens; %d of the answers up to a step too close to tell (SNAPBENCH_LONG=1 runs all of %d prompts)",
		answers, tokens, flips, len(all))
	if answers == 0 {
		t.Error("nothing compared")
	}
}

// lbRow is a row in the benchmark's schema; a change to nil leaves a field out, an
// empty id is null.
func lbRow(set, id string, change map[string]any) string {
	row := map[string]any{
		"input": "Question: what is it?", "context": "Some text that was written for a test. It says nothing.", "answers": []string{"Other"},
		"length": 12, "dataset": set, "language": "en", "all_classes": []string{"Other", "Food"}, "_id": id,
	}
	for name, value := range change {
		if row[name] = value; value == nil {
			delete(row, name)
		}
	}
	if id == "" {
		row["_id"] = nil
	}
	b, err := json.Marshal(row)
	if err != nil {
		panic(err)
	}
	return string(b) + "\n"
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// zipped makes an archive of names and contents in turn.
func zipped(t *testing.T, entries ...string) string {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i < len(entries); i += 2 {
		w, err := z.CreateHeader(&zip.FileHeader{Name: entries[i], Method: zip.Deflate})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(entries[i+1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// Data that break the schema end the run before the first prompt, with file and
// line; datasets list says the same.
func TestLongBenchBadData(t *testing.T) {
	good := lbRow("trec", "a", nil)
	type otherTypes struct {
		Input   string `parquet:"input"`
		Context int64  `parquet:"context"`
	}
	var columns bytes.Buffer
	if err := parquet.Write(&columns, []otherTypes{{"a", 1}}); err != nil {
		t.Fatal(err)
	}
	model := tinyModel(t)
	for _, c := range []struct{ name, file, content, want string }{
		{"missing field", "trec.jsonl", good + lbRow("trec", "b", map[string]any{"answers": nil}), `trec.jsonl:2: field "answers" is missing: have _id, all_classes, context`},
		{"wrong type", "trec.jsonl", good + lbRow("trec", "b", map[string]any{"length": "12"}), `trec.jsonl:2: field "length": want a whole number from 0, got "12"`},
		{"answers no list", "trec.jsonl", lbRow("trec", "b", map[string]any{"answers": "Other"}), `trec.jsonl:1: field "answers": want a list of strings, got a string`},
		{"null context", "trec.jsonl", strings.Replace(good, `"context":"`, `"context":null,"x":"`, 1), `trec.jsonl:1: field "context": want a string, got null`},
		{"invalid UTF-8", "trec.jsonl", good + strings.Replace(lbRow("trec", "b", nil), "Some", "\xff", 1), `trec.jsonl:2: invalid UTF-8 at byte `},
		{"duplicate id", "trec.jsonl", good + lbRow("trec", "b", nil) + good, `trec.jsonl:3: id "a" was already used in line 1`},
		{"not JSON", "trec.jsonl", good + "{\"input\": \n", `trec.jsonl:2: field "input": not JSON`},
		{"another set's rows", "trec.jsonl", lbRow("lcc", "a", nil), `trec.jsonl:1: field "dataset" is "lcc", want "trec"`},
		{"no classes", "trec.jsonl", lbRow("trec", "a", map[string]any{"all_classes": []string{}}), `trec.jsonl:1: field "all_classes" names no classes`},
		{"empty file", "trec.jsonl", "", `trec.jsonl: no rows in it`},
		{"not gzip", "trec.jsonl.gz", good, `trec.jsonl.gz: gzip`},
		{"other columns", "trec.parquet", columns.String(), `trec.parquet: `},
		{"not parquet", "trec.parquet", good, `trec.parquet: `},
		{"zip outwards", "data.zip", zipped(t, "data/trec.jsonl", good, "../../evil.jsonl", good), `data.zip: entry "../../evil.jsonl" points out of the archive`},
		{"bad row in a zip", "data.zip", zipped(t, "data/trec.jsonl", good+"[]\n"), `data.zip:data/trec.jsonl:2: want a JSON object`},
		{"not a zip", "data.zip", good, `data.zip: zip: not a valid zip file`},
		{"nothing there", "other.txt", good, `set trec: no trec.jsonl, .jsonl.gz or .parquet in `},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, "here", c.file), c.content)
			out := filepath.Join(dir, "run")
			data := filepath.Join(dir, "here")
			status, _, stderr := snapbench("longbench", "--model", model, "--device", "cpu", "--tasks", "trec", "--data", data, "--out", out)
			if status != exitCannotRun || !strings.Contains(stderr, c.want) {
				t.Errorf("exit status %d, %s; want status %d and %q", status, stderr, exitCannotRun, c.want)
			}
			if _, err := os.Stat(out); err == nil {
				t.Error("it began a run")
			}
			status, _, stderr = snapbench("datasets", "list", "--data", data)
			want := c.want
			if strings.HasPrefix(want, "set trec: no") {
				want = "none of LongBench's sets is there"
			}
			if status != exitCannotRun || !strings.Contains(stderr, want) {
				t.Errorf("datasets list: exit status %d, %s; want status %d and %q", status, stderr, exitCannotRun, want)
			}
			if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
				t.Errorf("something was written outside: %v (%v)", entries, err)
			}
		})
	}
}

// --limit takes the file's first rows, null ids become row numbers, a sample too
// long for the model is a row with an error, and the others go on.
func TestLongBenchLimitAndLongSamples(t *testing.T) {
	dir := t.TempDir()
	var b strings.Builder
	b.WriteString(lbRow("trec", "first", nil))
	b.WriteString(lbRow("trec", "", map[string]any{"context": strings.Repeat("long text ", 9000)}))
	b.WriteString(lbRow("trec", "", map[string]any{"context": strings.Repeat("longer text ", 40)}))
	b.WriteString(lbRow("trec", "beyond the limit", nil))
	write(t, filepath.Join(dir, "trec.jsonl"), b.String())
	out := filepath.Join(dir, "run")
	// The limit lets 90,000 tokens through, of which the model can read 65,536: row 2 has no answer.
	args := []string{"longbench", "--model", tinyModel(t), "--device", "cpu", "--tasks", "trec", "--data", dir, "--limit", "3",
		"--max-length", "100000", "--max-new", "3", "--variants", "full;snapkv(cap=64,w=8,k=3,pool=max,gqa=query_head)", "--out", out}
	pass(t, args...)
	set, err := results.Read(out)
	if err != nil {
		t.Fatal(err)
	}
	samples := map[string]int{}
	for _, r := range set.Rows {
		samples[r.Sample]++
		if failed := r.Sample == "2"; failed != (r.Error != "") || failed && (!strings.Contains(r.Error, "context") || r.Score != nil) {
			t.Errorf("sample %s: error %q, score %v", r.Sample, r.Error, r.Score)
		}
	}
	if len(samples) != 3 || samples["first"] != 2 || samples["2"] != 2 || samples["3"] != 2 {
		t.Errorf("rows by sample: %v", samples)
	}
	// Again: nothing is run twice, the same rows stay.
	before, err := os.ReadFile(filepath.Join(out, "results.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	pass(t, args...)
	after, err := os.ReadFile(filepath.Join(out, "results.parquet"))
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("the second run changed the results (%v)", err)
	}
}

// localHub serves repositories as the hub does, as far as the program looks; the
// hub package's tests have one that also fails in every way.
type localHub struct {
	repos    map[string]map[string]string // API path, models/org/name: file: content
	gated    map[string]bool
	requests int
}

const hubCommit = "0123456789abcdef0123456789abcdef01234567"

func (h *localHub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.requests++
	// The benchmark has moved; the hub sends those who ask for its first name on.
	if old, moved := "THUDM/LongBench", "zai-org/LongBench"; strings.Contains(r.URL.Path, old) {
		http.Redirect(w, r, strings.Replace(r.URL.RequestURI(), old, moved, 1), http.StatusTemporaryRedirect)
		return
	}
	refuse := func(status int, code string) {
		w.Header().Set("X-Error-Code", code)
		w.Header().Set("X-Error-Message", code)
		w.WriteHeader(status)
	}
	if path, ok := strings.CutPrefix(r.URL.Path, "/api/"); ok {
		api, revision, ok := strings.Cut(path, "/revision/")
		files := h.repos[api]
		if !ok || files == nil {
			refuse(http.StatusNotFound, "RepoNotFound")
			return
		}
		if revision != "main" && revision != hubCommit {
			refuse(http.StatusNotFound, "RevisionNotFound")
			return
		}
		var siblings []any
		for name, content := range files {
			blob := sha1.Sum([]byte("blob " + strconv.Itoa(len(content)) + "\x00" + content))
			entry := map[string]any{"rfilename": name, "size": len(content), "blobId": hex.EncodeToString(blob[:])}
			if !strings.HasSuffix(name, ".json") {
				sum := sha256.Sum256([]byte(content))
				entry["lfs"] = map[string]any{"sha256": hex.EncodeToString(sum[:]), "size": len(content)}
			}
			siblings = append(siblings, entry)
		}
		if err := json.NewEncoder(w).Encode(map[string]any{"sha": hubCommit, "siblings": siblings}); err != nil {
			panic(err)
		}
		return
	}
	repo, file, ok := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/resolve/"+hubCommit+"/")
	if !strings.HasPrefix(repo, "datasets/") {
		repo = "models/" + repo
	}
	content, found := h.repos[repo][file]
	switch {
	case !ok || !found:
		refuse(http.StatusNotFound, "EntryNotFound")
	case h.gated[repo] && r.Header.Get("Authorization") != "Bearer hf_good":
		refuse(http.StatusUnauthorized, "GatedRepo")
	default:
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(content))
	}
}

// From an empty cache to LongBench's table through a hub, then without it.
func TestHub(t *testing.T) {
	tiny := map[string]string{}
	dir := tinyModel(t)
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		tiny[e.Name()] = string(b)
	}
	tiny["pytorch_model.bin"] = "the same weights in a format that nobody reads here"
	e := lbRow("trec_e", "a", nil)
	archive := zipped(t, "data/trec.jsonl", lbRow("trec", "a", nil)+lbRow("trec", "b", nil), "data/lcc.jsonl", lbRow("lcc", "a", nil), "data/trec_e.jsonl", e)
	h := &localHub{
		repos: map[string]map[string]string{
			"models/org/tiny": tiny, "models/org/closed": tiny,
			"datasets/zai-org/LongBench": {"data.zip": archive, "README.json": "{}"},
		},
		gated: map[string]bool{"models/org/closed": true},
	}
	server := httptest.NewServer(h)
	defer server.Close()
	cache := t.TempDir()
	for name, value := range map[string]string{
		"HF_ENDPOINT": server.URL, "HF_HOME": cache, "HF_HUB_CACHE": "", "HF_TOKEN": "", "HF_TOKEN_PATH": "", "HF_HUB_OFFLINE": "",
	} {
		t.Setenv(name, value)
	}
	t.Chdir(t.TempDir()) // no folder org here
	fails := func(want string, args ...string) {
		t.Helper()
		status, _, stderr := snapbench(args...)
		if status != exitCannotRun || !strings.Contains(stderr, want) {
			t.Errorf("snapbench %s: exit status %d, %q; want status %d and %q", strings.Join(args, " "), status, stderr, exitCannotRun, want)
		}
	}
	prints := func(want string, args ...string) {
		t.Helper()
		if got := pass(t, args...); !strings.Contains(got, want) {
			t.Errorf("snapbench %s prints %q, want %q in it", strings.Join(args, " "), got, want)
		}
	}
	ask := []string{"longbench", "--model", "org/tiny", "--device", "cpu", "--tasks", "trec,lcc", "--max-length", "200", "--max-new", "2",
		"--variants", "full;snapkv(cap=64,w=8,k=3,pool=max,gqa=query_head)"}
	offline := func(args ...string) []string { return append(slices.Clone(ask), args...) }

	prints("none; snapbench models pull org/name brings one", "models", "list")
	fails("snapbench datasets pull longbench brings it", ask...)
	fails("snapbench datasets pull longbench brings it", "datasets", "list")
	prints("3 sets, 4 rows, all checked", "datasets", "pull", "longbench", "--quiet")
	prints("trec_e", "datasets", "list")
	prints("of org/tiny at "+hubCommit, "models", "pull", "org/tiny", "--quiet")
	if _, err := os.Lstat(filepath.Join(cache, "hub", "models--org--tiny", "snapshots", hubCommit, "pytorch_model.bin")); err == nil {
		t.Error("a second copy of the weights was brought")
	}
	prints("org/tiny", "models", "list")
	prints("llama", "models", "show", "org/tiny")
	before := h.requests
	prints("trec", offline("--out", filepath.Join(cache, "run"))...)
	if h.requests != before {
		t.Errorf("%d requests for what the cache has", h.requests-before)
	}
	set, err := results.Read(filepath.Join(cache, "run"))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range set.Rows {
		if r.Model != "org/tiny" || r.Revision != hubCommit {
			t.Errorf("a row of model %q at %q", r.Model, r.Revision)
		}
	}
	fails(`has no revision "v9"`, "models", "pull", "org/tiny@v9")
	fails(`no model "org/nosuch"`, "models", "show", "org/nosuch")
	fails("is gated or private: accept its terms at "+server.URL+"/org/closed", "models", "pull", "org/closed")
	t.Setenv("HF_TOKEN", "hf_good")
	prints("llama", "models", "show", "org/closed") // --model and show bring what is not there

	t.Setenv("HF_HUB_OFFLINE", "1")
	before = h.requests
	prints("trec", offline("--out", filepath.Join(cache, "offline"))...)
	fails("HF_HUB_OFFLINE forbids", "models", "pull", "org/tiny")
	fails("HF_HUB_OFFLINE forbids", "models", "show", "org/nosuch")
	if h.requests != before {
		t.Errorf("%d requests while offline", h.requests-before)
	}
}

// Predictions of another harness: scores, buckets with and without the suffix _e,
// rows that gate reads, paired by their number in the file.
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
	for i := range 60 { // all right against every second one right
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

// The published predictions of Mistral-7B-Instruct-v0.2, by the program.
func TestScorePublished(t *testing.T) {
	if testing.Short() {
		t.Skip("seconds of grading")
	}
	dirs, err := filepath.Glob(filepath.Join(sharedtest.Path(t, "longbench", "predictions"), "FFY0*"))
	if err != nil || len(dirs) == 0 {
		t.Fatalf("no predictions: %v", err)
	}
	for _, dir := range dirs {
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

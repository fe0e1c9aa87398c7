package main

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/snapbench/snapbench/results"
)

// localHub serves repositories as the hub does, as far as the program needs; the tests of
// package hub have a server that also fails in every way.
type localHub struct {
	repos    map[string]map[string]string // by API path, as models/org/name, and file name: content
	gated    map[string]bool
	requests atomic.Int32
}

const hubCommit = "0123456789abcdef0123456789abcdef01234567"

func (h *localHub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.requests.Add(1)
	// The benchmark has moved; the hub redirects requests for its former name.
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

// LongBench and a model are pulled from a hub into an empty cache; then the table is made
// with the hub gone.
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
			"models/org/deep":            {"config.json": `{"model_type": "deepseek_v3"}`, "tokenizer.json": "{}", "model.safetensors": "weights"},
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
	prints("no: snapbench datasets pull longbench", "datasets", "list", "longbench")
	prints("3 sets, 4 rows, all checked", "datasets", "pull", "longbench", "--quiet")
	prints("trec_e", "datasets", "list", "longbench")
	prints("of org/tiny at "+hubCommit, "models", "pull", "org/tiny", "--quiet")
	if _, err := os.Lstat(filepath.Join(cache, "hub", "models--org--tiny", "snapshots", hubCommit, "pytorch_model.bin")); err == nil {
		t.Error("a second copy of the weights was brought")
	}
	prints("org/tiny", "models", "list")
	prints("llama", "models", "show", "org/tiny")
	before := h.requests.Load()
	prints("trec", offline("--out", filepath.Join(cache, "run"))...)
	if h.requests.Load() != before {
		t.Errorf("%d requests for what the cache has", h.requests.Load()-before)
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
	fails("multi-head latent attention", "needle", "--model", "org/deep", "--device", "cpu", "--lengths", "1k")
	if got, _ := filepath.Glob(filepath.Join(cache, "hub", "models--org--deep", "snapshots", "*", "*")); len(got) != 2 {
		t.Errorf("of a family that is not supported %v were brought, want its two small files", got)
	}
	fails(`has no revision "v9"`, "models", "pull", "org/tiny@v9")
	fails(`no model "org/nosuch"`, "models", "show", "org/nosuch")
	fails("is gated or private: accept its terms at "+server.URL+"/org/closed", "models", "pull", "org/closed")
	t.Setenv("HF_TOKEN", "hf_good")
	prints("llama", "models", "show", "org/closed") // --model and show bring what is not there

	t.Setenv("HF_HUB_OFFLINE", "1")
	before = h.requests.Load()
	prints("trec", offline("--out", filepath.Join(cache, "offline"))...)
	fails("HF_HUB_OFFLINE forbids", "models", "pull", "org/tiny")
	fails("HF_HUB_OFFLINE forbids", "models", "show", "org/nosuch")
	if h.requests.Load() != before {
		t.Errorf("%d requests while offline", h.requests.Load()-before)
	}
}

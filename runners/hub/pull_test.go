package hub

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var model = Repo{ID: "org/name"}

func mentions(err error, words ...string) bool {
	if err == nil {
		return false
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			return false
		}
	}
	return true
}

func onCDN(s seen) bool { return s.host == "cdn.hub.test" }

// checkSnapshot compares what Pull returned with the files of the repository.
func checkSnapshot(t *testing.T, s Snapshot, r *fakeRepo, want ...string) {
	t.Helper()
	slices.Sort(want)
	if !slices.Equal(s.Files, want) {
		t.Errorf("files %q, want %q", s.Files, want)
	}
	if s.Commit != r.commit {
		t.Errorf("commit %q, want %q", s.Commit, r.commit)
	}
	for _, name := range want {
		data, err := os.ReadFile(s.Path(name))
		if err != nil {
			t.Error(err)
			continue
		}
		if string(data) != r.files[name] {
			t.Errorf("%s has %d other bytes", name, len(data))
		}
		target, err := os.Readlink(s.Path(name))
		if err != nil {
			t.Error(err)
		}
		up := strings.Repeat("../", 2+strings.Count(name, "/"))
		if target != up+"blobs/"+r.sum(name) {
			t.Errorf("%s links to %s", name, target)
		}
	}
}

// leftovers lists files that must not be in a cache between downloads.
func leftovers(t *testing.T, cache string) []string {
	t.Helper()
	var out []string
	filepath.WalkDir(cache, func(p string, e fs.DirEntry, err error) error {
		if err != nil {
			t.Error(err)
		}
		if strings.HasSuffix(p, ".incomplete") || strings.HasSuffix(p, ".tmp") {
			out = append(out, filepath.Base(p))
		}
		return nil
	})
	return out
}

func TestPull(t *testing.T) {
	h := newFakeHub(t)
	h.Token = goodToken
	r := h.add("models/org/name")
	var last Progress
	calls := 0
	h.Progress = func(p Progress) { last = p; calls++ }

	s, err := h.Pull(context.Background(), model)
	if err != nil {
		t.Fatal(err)
	}
	checkSnapshot(t, s, r, "config.json", "nested/a/b.txt", "model.safetensors", "copy.safetensors", "empty.txt", "pytorch_model.bin")
	if !s.Complete {
		t.Error("a whole pull is not complete")
	}
	ref, err := os.ReadFile(filepath.Join(h.Cache, "models--org--name", "refs", "main"))
	if err != nil || string(ref) != r.commit {
		t.Errorf("refs/main is %q, %v", ref, err)
	}
	if l := leftovers(t, h.Cache); len(l) > 0 {
		t.Errorf("left behind: %q", l)
	}
	total := int64(0)
	for _, c := range r.files {
		total += int64(len(c))
	}
	if last.AllDone != total || last.Total != total || calls < len(r.files)-1 {
		t.Errorf("after %d calls progress is %+v, want %d bytes", calls, last, total)
	}
	if n := h.count(func(s seen) bool { return onCDN(s) && strings.HasSuffix(s.path, r.sum("model.safetensors")) }); n != 1 {
		t.Errorf("equal files were fetched %d times", n)
	}

	// The token: on every request to the hub, on none to the subdomain.
	if n := h.count(func(s seen) bool { return onCDN(s) && s.auth != "" }); n > 0 {
		t.Errorf("%d requests took the token to the other host", n)
	}
	if n := h.count(func(s seen) bool { return !onCDN(s) && s.auth != "Bearer "+goodToken }); n > 0 {
		t.Errorf("%d requests to the hub went without the token", n)
	}

	// A second Pull asks once and downloads nothing.
	before := h.count(func(seen) bool { return true })
	if _, err := h.Pull(context.Background(), model); err != nil {
		t.Fatal(err)
	}
	if n := h.count(func(seen) bool { return true }) - before; n != 1 {
		t.Errorf("pulling again took %d requests, want 1", n)
	}
	// From the cache nothing is asked.
	if s, err = h.Ensure(context.Background(), model); err != nil {
		t.Fatal(err)
	}
	checkSnapshot(t, s, r, "config.json", "nested/a/b.txt", "model.safetensors", "copy.safetensors", "empty.txt", "pytorch_model.bin")
	if n := h.count(func(seen) bool { return true }) - before; n != 1 {
		t.Errorf("Ensure asked the hub")
	}
}

func TestPullPatterns(t *testing.T) {
	h := newFakeHub(t)
	r := h.add("models/org/name")
	s, err := h.Pull(context.Background(), model, ModelFiles...)
	if err != nil {
		t.Fatal(err)
	}
	checkSnapshot(t, s, r, "config.json", "model.safetensors")

	// The rest is known to be missing.
	if _, err := h.Cached(model); !errors.Is(err, ErrNotCached) || !mentions(err, "4 of 6 files are missing", "copy.safetensors") {
		t.Errorf("a part as the whole: %v", err)
	}
	if s, err = h.Ensure(context.Background(), model, "nested/*/*", "config.json"); err != nil {
		t.Fatal(err)
	}
	checkSnapshot(t, s, r, "config.json", "nested/a/b.txt")

	for _, c := range []struct{ pattern, expect string }{
		{"config.yaml", `model org/name has no file "config.yaml": it has config.json, copy.safetensors, empty.txt`},
		{"*.gguf", `no file like ["*.gguf"]: it has config.json`},
		{"[", "syntax error in pattern"},
	} {
		if _, err := h.Pull(context.Background(), model, c.pattern); !mentions(err, c.expect) {
			t.Errorf("%q: %v; want %q", c.pattern, err, c.expect)
		}
	}
	if _, err := h.Pull(context.Background(), model, "config.yaml"); !errors.Is(err, ErrNotFound) {
		t.Errorf("%v is not ErrNotFound", err)
	}
}

func TestPullDatasetAndRevisions(t *testing.T) {
	h := newFakeHub(t)
	r := h.add("datasets/org/name")
	for _, revision := range []string{"v1", "refs/pr/1", testCommit} {
		repo := Repo{Kind: Dataset, ID: "org/name", Revision: revision}
		s, err := h.Pull(context.Background(), repo, "config.json")
		if err != nil {
			t.Fatal(err)
		}
		checkSnapshot(t, s, r, "config.json")
		if s.Dir != filepath.Join(h.Cache, "datasets--org--name", "snapshots", testCommit) {
			t.Errorf("snapshot in %s", s.Dir)
		}
		if _, err := h.Cached(repo, "config.json"); err != nil {
			t.Error(err)
		}
	}
	list, err := h.List()
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != 1 || list[0].Repo != (Repo{Kind: Dataset, ID: "org/name"}) || len(list[0].Snapshots) != 1 ||
		!slices.Equal(list[0].Snapshots[0].Refs, []string{"refs/pr/1", "v1"}) ||
		!slices.Equal(list[0].Snapshots[0].Files, []string{"config.json"}) || list[0].Bytes != int64(len(r.files["config.json"])) {
		t.Errorf("list is %+v", list)
	}
}

// The new commit of a branch shares the blobs that have not changed.
func TestPullNewCommit(t *testing.T) {
	h := newFakeHub(t)
	r := h.add("models/org/name")
	if _, err := h.Pull(context.Background(), model); err != nil {
		t.Fatal(err)
	}
	r.commit = strings.Repeat("f", 40)
	r.files["config.json"] = "new"
	before := h.count(onCDN)
	s, err := h.Pull(context.Background(), model)
	if err != nil {
		t.Fatal(err)
	}
	if h.count(onCDN) != before {
		t.Error("an unchanged blob was downloaded again")
	}
	if data, _ := os.ReadFile(s.Path("config.json")); string(data) != "new" {
		t.Errorf("config.json is %q", data)
	}
	if s, err := h.Cached(model); err != nil || s.Commit != r.commit {
		t.Errorf("cached: %v, %v", s.Commit, err)
	}
	old := Repo{ID: "org/name", Revision: testCommit}
	if s, err := h.Cached(old); err != nil || s.Commit != testCommit {
		t.Errorf("the old commit: %v, %v", s.Commit, err)
	}
	if list, err := h.List(); err != nil || len(list) != 1 || len(list[0].Snapshots) != 2 {
		t.Errorf("list: %+v, %v", list, err)
	}
}

func TestGated(t *testing.T) {
	h := newFakeHub(t)
	r := h.add("models/org/name")
	r.gated = true
	_, err := h.Pull(context.Background(), model)
	if !errors.Is(err, ErrGated) || !mentions(err, "model org/name is gated", "accept its terms at http://hub.test/org/name", "set HF_TOKEN", "401", "must be authenticated") {
		t.Errorf("no token: %v", err)
	}
	h.Token = "hf_other"
	_, err = h.Pull(context.Background(), model)
	if !errors.Is(err, ErrGated) || !mentions(err, "account of the token that was sent", "403", "not in the authorized list") {
		t.Errorf("another's token: %v", err)
	}
	if mentions(err, "hf_other") {
		t.Errorf("the message shows the token: %v", err)
	}
	h.Token = goodToken
	s, err := h.Pull(context.Background(), model, "config.json", "model.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	checkSnapshot(t, s, r, "config.json", "model.safetensors")

	h.fault = func(s seen, w http.ResponseWriter, req *http.Request) bool {
		deny(w, http.StatusUnauthorized, "", "Invalid credentials in Authorization header")
		return true
	}
	if _, err := h.Pull(context.Background(), model); !errors.Is(err, ErrGated) || !mentions(err, "refused the token", "Invalid credentials") {
		t.Errorf("a dead token: %v", err)
	}
}

func TestNotFound(t *testing.T) {
	h := newFakeHub(t)
	h.add("models/org/name")
	h.add("datasets/org/data").private = true
	for _, c := range []struct {
		repo, token string
		expect      []string
	}{
		{"org/none", "", []string{`no model "org/none" at http://hub.test`, "set HF_TOKEN", "401"}},
		{"org/none", goodToken, []string{`no model "org/none"`, "the token that was sent (HF_TOKEN) may not read it", "404"}},
		{"org/data", goodToken, []string{`no model "org/data"`, "there is a dataset of that name"}},
		{"org/name@v7", "", []string{`model org/name has no revision "v7": it has "main", "v1"`}},
	} {
		h.Token = c.token
		repo, err := ParseRepo(Model, c.repo)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := h.Pull(context.Background(), repo); !errors.Is(err, ErrNotFound) || !mentions(err, c.expect...) {
			t.Errorf("%s: %v; want %q", c.repo, err, c.expect)
		}
	}
	if _, err := os.Stat(filepath.Join(h.Cache, "models--org--none")); err == nil {
		t.Error("an unknown repository leaves a folder in the cache")
	}
}

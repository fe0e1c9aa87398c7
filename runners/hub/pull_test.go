package hub

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
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

// checkSnapshot holds what Pull returned to the files of the repository.
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

// leftovers are files that should not be in a cache when nothing goes on.
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

	// Again: one question, no download.
	before := h.count(func(seen) bool { return true })
	if _, err := h.Pull(context.Background(), model); err != nil {
		t.Fatal(err)
	}
	if n := h.count(func(seen) bool { return true }) - before; n != 1 {
		t.Errorf("pulling again took %d requests, want 1", n)
	}
	// And from the cache: none.
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

// A connection that is cut again and again is taken up where it stopped.
func TestCutConnections(t *testing.T) {
	h := newFakeHub(t)
	r := h.add("models/org/name")
	h.Attempts = 2 // stops that get further do not count
	var spans []string
	h.fault = func(s seen, w http.ResponseWriter, req *http.Request) bool {
		if !onCDN(s) {
			return false
		}
		spans = append(spans, s.span)
		if s.nth <= 4 {
			cutAfter(w, req, r.files["model.safetensors"], 100_000)
		}
		return false
	}
	s, err := h.Pull(context.Background(), model, "model.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	checkSnapshot(t, s, r, "model.safetensors")
	if want := []string{"", "bytes=100000-", "bytes=200000-", "bytes=300000-", "bytes=400000-"}; !slices.Equal(spans, want) {
		t.Errorf("ranges %q, want %q", spans, want)
	}
}

// A server that never gets any further is given up.
func TestStuckConnection(t *testing.T) {
	h := newFakeHub(t)
	r := h.add("models/org/name")
	h.Attempts = 3
	h.fault = func(s seen, w http.ResponseWriter, req *http.Request) bool {
		if onCDN(s) {
			n := 0
			if s.nth == 1 {
				n = 1000
			}
			cutAfter(w, req, r.files["model.safetensors"], n)
		}
		return false
	}
	_, err := h.Pull(context.Background(), model, "model.safetensors")
	if !mentions(err, "model org/name: model.safetensors", "3 times at byte 1000 of 524288") {
		t.Errorf("%v", err)
	}
	if _, err := h.Cached(model); !errors.Is(err, ErrNotCached) {
		t.Errorf("a failed pull is found in the cache: %v", err)
	}

	// The next run takes it up.
	h.fault = nil
	if _, err := h.Pull(context.Background(), model, "model.safetensors"); err != nil {
		t.Fatal(err)
	}
	if n := h.count(func(s seen) bool { return s.span == "bytes=1000-" && onCDN(s) }); n == 0 {
		t.Error("the second run started over")
	}
}

// What an earlier run left may be a good start, a bad one, too long, or whole.
func TestResumeEarlierRun(t *testing.T) {
	content := strings.Repeat("0123456789abcdef", 1<<15)
	for _, c := range []struct {
		name, left string
		spans      []string // of the requests for the blob
	}{
		{"good", content[:12345], []string{"bytes=12345-"}},
		{"bad", strings.Repeat("?", 12345), []string{"bytes=12345-", ""}},
		{"long", content + "?", []string{""}},
		{"whole", content, nil},
		{"whole but bad", "?" + content[1:], []string{""}},
		{"empty", "", []string{""}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newFakeHub(t)
			r := h.add("models/org/name")
			blob := filepath.Join(h.Cache, "models--org--name", "blobs", shaSum(content))
			if err := os.MkdirAll(filepath.Dir(blob), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(blob+".incomplete", []byte(c.left), 0o644); err != nil {
				t.Fatal(err)
			}
			s, err := h.Pull(context.Background(), model, "model.safetensors")
			if err != nil {
				t.Fatal(err)
			}
			checkSnapshot(t, s, r, "model.safetensors")
			var spans []string
			for _, s := range h.requests {
				if onCDN(s) {
					spans = append(spans, s.span)
				}
			}
			if !slices.Equal(spans, c.spans) {
				t.Errorf("ranges %q, want %q", spans, c.spans)
			}
		})
	}
}

func TestServersThatAnswerWrong(t *testing.T) {
	content := strings.Repeat("0123456789abcdef", 1<<15)
	send := func(w http.ResponseWriter, body string) { w.Write([]byte(body)) }
	for _, c := range []struct {
		name   string
		answer func(s seen, w http.ResponseWriter, r *http.Request) bool
		expect string // "" if it must come right in the end
	}{
		{"no ranges", func(s seen, w http.ResponseWriter, r *http.Request) bool {
			if s.nth == 1 {
				cutAfter(w, r, content, 1000)
			}
			send(w, content)
			return true
		}, ""},
		{"a flipped byte, once", func(s seen, w http.ResponseWriter, r *http.Request) bool {
			if s.nth == 1 {
				send(w, "?"+content[1:])
			}
			return s.nth == 1
		}, ""},
		{"a flipped byte, always", func(s seen, w http.ResponseWriter, r *http.Request) bool {
			send(w, "?"+content[1:])
			return true
		}, "SHA-256 is " + shaSum("?"+content[1:]) + ", should be " + shaSum(content)},
		{"short, and says so", func(s seen, w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("Content-Length", "10")
			send(w, content[:10])
			return true
		}, "cdn.hub.test sends 10 bytes, should be 524288"},
		{"short, without a length", func(s seen, w http.ResponseWriter, r *http.Request) bool {
			w.(http.Flusher).Flush()
			if s.nth == 1 {
				send(w, content[:10])
			}
			return true
		}, "cdn.hub.test stops at byte"},
		{"long", func(s seen, w http.ResponseWriter, r *http.Request) bool {
			w.(http.Flusher).Flush()
			send(w, content+"more")
			return true
		}, "sends more than 524288 bytes"},
		{"another range", func(s seen, w http.ResponseWriter, r *http.Request) bool {
			if s.nth == 1 {
				cutAfter(w, r, content, 1000)
			}
			if s.span == "" {
				return false
			}
			if s.nth > 2 {
				t.Error("the client went on after another range than it had asked for")
			}
			w.Header().Set("Content-Range", "bytes 0-9/524288")
			w.WriteHeader(http.StatusPartialContent)
			send(w, content[:10])
			return true
		}, ""}, // by starting over
		{"ranges refused", func(s seen, w http.ResponseWriter, r *http.Request) bool {
			if s.nth == 1 {
				cutAfter(w, r, content, 1000)
			}
			if s.span != "" {
				w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
			}
			return s.span != ""
		}, ""},
		{"a page in place of the file", func(s seen, w http.ResponseWriter, r *http.Request) bool {
			send(w, "<html>please log in</html>")
			return true
		}, "sends 26 bytes, should be 524288"},
		{"an expired link", func(s seen, w http.ResponseWriter, r *http.Request) bool {
			http.Error(w, "expired", http.StatusBadRequest)
			return true
		}, `cdn.hub.test answers 400 Bad Request: "expired"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newFakeHub(t)
			r := h.add("models/org/name")
			h.fault = func(s seen, w http.ResponseWriter, req *http.Request) bool {
				return onCDN(s) && c.answer(s, w, req)
			}
			s, err := h.Pull(context.Background(), model, "model.safetensors")
			blob := filepath.Join(h.Cache, "models--org--name", "blobs", shaSum(content))
			if c.expect == "" {
				if err != nil {
					t.Fatal(err)
				}
				checkSnapshot(t, s, r, "model.safetensors")
				return
			}
			if !mentions(err, c.expect, "model.safetensors") {
				t.Errorf("%v; want %q", err, c.expect)
			}
			for _, path := range []string{blob, filepath.Join(h.Cache, "models--org--name", "refs", "main")} {
				if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("%s is there after a failed pull (%v)", path, err)
				}
			}
		})
	}
}

// Cuts at random places and random damage on the way, many times over: what
// arrives is the file.
func TestRandomFaults(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range 12 {
		h := newFakeHub(t)
		r := h.add("models/org/name")
		h.Workers = 1
		damage := 2
		h.fault = func(s seen, w http.ResponseWriter, req *http.Request) bool {
			if !onCDN(s) || !strings.HasSuffix(s.path, r.sum("model.safetensors")) {
				return false
			}
			content := r.files["model.safetensors"]
			switch rng.IntN(4) {
			case 0:
				cutAfter(w, req, content, rng.IntN(200_000)+1)
			case 1:
				if damage--; damage >= 0 {
					at := rng.IntN(len(content))
					content = content[:at] + "?" + content[at+1:]
					cutAfter(w, req, content, rng.IntN(len(content))+1)
				}
			case 2:
				if rng.IntN(2) == 0 {
					w.WriteHeader(http.StatusServiceUnavailable)
					return true
				}
			}
			return false
		}
		s, err := h.Pull(context.Background(), model, "model.safetensors", "config.json")
		if err != nil {
			// Only the rare run of five 503s may give up.
			if !mentions(err, "503") {
				t.Errorf("round %d: %v", i, err)
			}
			continue
		}
		checkSnapshot(t, s, r, "config.json", "model.safetensors")
	}
}

func TestThrottling(t *testing.T) {
	h := newFakeHub(t)
	r := h.add("models/org/name")
	h.fault = func(s seen, w http.ResponseWriter, req *http.Request) bool {
		switch s.nth {
		case 1:
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(http.StatusTooManyRequests)
		case 2:
			w.WriteHeader(http.StatusBadGateway)
		default:
			return false
		}
		return true
	}
	s, err := h.Pull(context.Background(), model, "config.json")
	if err != nil {
		t.Fatal(err)
	}
	checkSnapshot(t, s, r, "config.json")
	// Twice the same: for the list and for the file.
	if len(h.slept) != 4 || h.slept[0] != 7*time.Second || h.slept[2] != 7*time.Second {
		t.Errorf("slept %v", h.slept)
	}
	for _, d := range []time.Duration{h.slept[1], h.slept[3]} {
		if d < time.Second || d > 2*time.Second {
			t.Errorf("second attempt after %v", d)
		}
	}

	h = newFakeHub(t)
	h.add("models/org/name")
	status, header := http.StatusServiceUnavailable, ""
	h.fault = func(s seen, w http.ResponseWriter, req *http.Request) bool {
		w.Header().Set("Retry-After", header)
		w.WriteHeader(status)
		return true
	}
	if _, err := h.Pull(context.Background(), model); !mentions(err, "503 Service Unavailable", "tried 5 times", "model org/name") || len(h.slept) != 4 {
		t.Errorf("%v after sleeping %v", err, h.slept)
	}
	status, header = http.StatusTooManyRequests, "3600"
	if _, err := h.Pull(context.Background(), model); !mentions(err, "429", "come back in 1h0m0s") {
		t.Errorf("%v", err)
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for v, want := range map[string]time.Duration{
		"": 0, "0": 0, "12": 12 * time.Second, "-3": 0, "soon": 0, "99999999999": 0,
		"Fri, 02 Jan 2026 03:04:15 GMT": 10 * time.Second, "Fri, 02 Jan 2026 03:04:00 GMT": 0,
	} {
		if got := retryAfter(http.Header{"Retry-After": {v}}, now); got != want {
			t.Errorf("%q: %v, want %v", v, got, want)
		}
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

func TestOffline(t *testing.T) {
	h := newFakeHub(t)
	r := h.add("models/org/name")
	h.Offline = true
	if _, err := h.Pull(context.Background(), model); !errors.Is(err, ErrOffline) || !mentions(err, "HF_HUB_OFFLINE") {
		t.Errorf("Pull: %v", err)
	}
	if _, err := h.Ensure(context.Background(), model); !errors.Is(err, ErrOffline) || !errors.Is(err, ErrNotCached) || !mentions(err, "org/name is not in the cache "+h.Cache) {
		t.Errorf("Ensure: %v", err)
	}
	if n := h.count(func(seen) bool { return true }); n > 0 {
		t.Errorf("%d requests while offline", n)
	}
	h.Offline = false
	if _, err := h.Pull(context.Background(), model); err != nil {
		t.Fatal(err)
	}
	h.Offline = true
	s, err := h.Ensure(context.Background(), model, ModelFiles...)
	if err != nil {
		t.Fatal(err)
	}
	checkSnapshot(t, s, r, "config.json", "model.safetensors")
	if _, err := h.Cached(Repo{ID: "org/name", Revision: "v1"}); !errors.Is(err, ErrNotCached) || !mentions(err, "it has main, "+testCommit) {
		t.Errorf("another revision: %v", err)
	}
	// A link whose blob is gone is a file that is missing.
	if err := os.Remove(filepath.Join(h.Cache, "models--org--name", "blobs", r.sum("config.json"))); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Ensure(context.Background(), model, ModelFiles...); !errors.Is(err, ErrNotCached) || !mentions(err, "config.json") {
		t.Errorf("a blob is gone: %v", err)
	}
}

// A cache that another program filled without a list of the commit is used,
// but not taken for complete.
func TestCacheOfOthers(t *testing.T) {
	h := newFakeHub(t)
	r := h.add("models/org/name")
	if _, err := h.Pull(context.Background(), model, "config.json"); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(h.Cache, "models--org--name", "trees")); err != nil {
		t.Fatal(err)
	}
	s, err := h.Cached(model, ModelFiles...)
	if err != nil || s.Complete {
		t.Errorf("complete %v, %v", s.Complete, err)
	}
	h.Offline = true
	if s, err := h.Ensure(context.Background(), model, ModelFiles...); err != nil || !slices.Equal(s.Files, []string{"config.json"}) {
		t.Errorf("offline: %v, %v", s.Files, err)
	}
	h.Offline = false
	if s, err = h.Ensure(context.Background(), model, ModelFiles...); err != nil {
		t.Fatal(err)
	}
	checkSnapshot(t, s, r, "config.json", "model.safetensors")
}

// The list of a mirror may lack sizes and checksums; the files' headers have
// them.
func TestBareListing(t *testing.T) {
	h := newFakeHub(t)
	h.Token = goodToken
	r := h.add("models/org/name")
	r.bare = true
	s, err := h.Pull(context.Background(), model, "config.json", "model.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	checkSnapshot(t, s, r, "config.json", "model.safetensors")
	if s.Complete {
		t.Error("complete without a list")
	}
	if n := h.count(func(s seen) bool { return onCDN(s) && (s.method == "HEAD" || s.auth != "") }); n > 0 {
		t.Errorf("%d headers asked of the other host, or with the token", n)
	}
	h.fault = func(s seen, w http.ResponseWriter, req *http.Request) bool {
		if s.method == "HEAD" {
			w.Header().Set("ETag", `"123-abc"`)
		}
		return s.method == "HEAD"
	}
	if _, err := h.Pull(context.Background(), model, "config.json"); !mentions(err, "no checksum for \"config.json\"", "123-abc") {
		t.Errorf("no checksum: %v", err)
	}
}

func TestHostileListings(t *testing.T) {
	sha := func(c string) string { return strings.Repeat(c, 64) }
	for _, c := range []struct {
		name   string
		add    map[string]any
		expect string
	}{
		{"up", map[string]any{"rfilename": "../x"}, `file name "../x"`},
		{"up in the middle", map[string]any{"rfilename": "a/../../x"}, `file name "a/../../x"`},
		{"absolute", map[string]any{"rfilename": "/etc/passwd"}, `file name "/etc/passwd"`},
		{"backslash", map[string]any{"rfilename": `..\x`}, "not a plain path"},
		{"drive", map[string]any{"rfilename": `C:x`}, "not a plain path"},
		{"dot", map[string]any{"rfilename": "./x"}, "not a plain path"},
		{"only a dot", map[string]any{"rfilename": "."}, "not a plain path"},
		{"empty", map[string]any{"rfilename": ""}, "not a plain path"},
		{"zero byte", map[string]any{"rfilename": "a\x00b"}, "not a plain path"},
		{"newline", map[string]any{"rfilename": "a\nb"}, "not a plain path"},
		{"folder", map[string]any{"rfilename": "x/"}, "not a plain path"},
		{"long", map[string]any{"rfilename": strings.Repeat("a", 256)}, "too long"},
		{"twice", map[string]any{"rfilename": "config.json"}, `file "config.json" twice`},
		{"file and folder", map[string]any{"rfilename": "config.json/x"}, `"config.json" is both a file and the folder of "config.json/x"`},
		{"blob id as a path", map[string]any{"rfilename": "x", "size": 1, "blobId": "../../x"}, `blobId "../../x"`},
		{"checksum as a path", map[string]any{"rfilename": "x", "size": 1, "lfs": map[string]any{"sha256": "../x", "size": 1}}, `sha256 "../x"`},
		{"negative", map[string]any{"rfilename": "x", "lfs": map[string]any{"sha256": sha("a"), "size": -1}}, "negative"},
		{"no size", map[string]any{"rfilename": "x", "lfs": map[string]any{"sha256": sha("a")}}, "no size"},
		{"text as a size", map[string]any{"rfilename": "x", "size": "1"}, "cannot unmarshal"},
		{"more than the disk", map[string]any{"rfilename": "x", "lfs": map[string]any{"sha256": sha("a"), "size": int64(1) << 60}}, "bytes free, the download takes"},
	} {
		h := newFakeHub(t)
		h.add("models/org/name").edit = func(s *[]any) { *s = append(*s, c.add) }
		if _, err := h.Pull(context.Background(), model); !mentions(err, c.expect) {
			t.Errorf("%s: %v; want %q", c.name, err, c.expect)
		}
	}
	h := newFakeHub(t)
	h.add("models/org/name").commit = "../../../../x"
	if _, err := h.Pull(context.Background(), model); !mentions(err, "is not a commit") {
		t.Errorf("commit as a path: %v", err)
	}
	h.fault = func(s seen, w http.ResponseWriter, req *http.Request) bool {
		w.Write([]byte("<html>log in</html>"))
		return true
	}
	if _, err := h.Pull(context.Background(), model); !mentions(err, "can't be used", "log in") {
		t.Errorf("a page: %v", err)
	}
}

// Many clients at once, in one process, each write the same links, lists and
// references: all succeed and nothing temporary is left.
func TestManyAtOnce(t *testing.T) {
	h := newFakeHub(t)
	r := h.add("models/org/name")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			s, err := h.Pull(context.Background(), model)
			if err != nil {
				t.Error(err)
				return
			}
			checkSnapshot(t, s, r, "config.json", "nested/a/b.txt", "model.safetensors", "copy.safetensors", "empty.txt", "pytorch_model.bin")
		})
	}
	wg.Wait()
	if l := leftovers(t, h.Cache); len(l) > 0 {
		t.Errorf("left behind: %q", l)
	}
}

// Writers of one file in one process do not get into each other's way.
func TestWriteWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "refs", "main")
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 50 {
				if err := writeWhole(path, bytes.Repeat([]byte{byte('a' + i), byte('0' + j%10)}, 1000)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(data) != 2000 || !bytes.Equal(data, bytes.Repeat(data[:2], 1000)) {
		t.Errorf("%d bytes of several writers: %.20q", len(data), data)
	}
	if l := leftovers(t, filepath.Dir(path)); len(l) > 0 {
		t.Errorf("left behind: %q", l)
	}
}

// Several clients at once download each blob once.
func TestLock(t *testing.T) {
	h := newFakeHub(t)
	r := h.add("models/org/name")
	var once sync.Once
	started := make(chan struct{})
	h.fault = func(s seen, w http.ResponseWriter, req *http.Request) bool {
		if onCDN(s) {
			once.Do(func() { close(started) })
			time.Sleep(300 * time.Millisecond)
		}
		return false
	}
	waiting := false
	second := *h.Client
	second.Progress = func(p Progress) { waiting = waiting || p.Waiting }
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := h.Pull(context.Background(), model, "model.safetensors"); err != nil {
			t.Error(err)
		}
	})
	<-started
	s, err := second.Pull(context.Background(), model, "model.safetensors")
	wg.Wait()
	if err != nil {
		t.Fatal(err)
	}
	checkSnapshot(t, s, r, "model.safetensors")
	if n := h.count(onCDN); n != 1 {
		t.Errorf("%d downloads of one blob", n)
	}
	if !waiting {
		t.Error("the second client did not say that it waits")
	}
}

func TestCancel(t *testing.T) {
	h := newFakeHub(t)
	h.add("models/org/name")
	ctx, cancel := context.WithCancel(context.Background())
	release := make(chan struct{})
	h.fault = func(s seen, w http.ResponseWriter, req *http.Request) bool {
		if onCDN(s) {
			w.Header().Set("Content-Length", "524288")
			w.Write(make([]byte, 1000))
			w.(http.Flusher).Flush()
			cancel()
			<-release
		}
		return false
	}
	defer close(release)
	start := time.Now()
	if _, err := h.Pull(ctx, model, "model.safetensors"); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("stopping took %v", d)
	}
}

// A server that stops talking in the middle counts as a cut connection.
func TestSilence(t *testing.T) {
	h := newFakeHub(t)
	r := h.add("models/org/name")
	h.Stall = 200 * time.Millisecond
	release := make(chan struct{})
	h.fault = func(s seen, w http.ResponseWriter, req *http.Request) bool {
		if onCDN(s) && s.nth == 1 {
			w.Header().Set("Content-Length", "524288")
			w.Write([]byte(r.files["model.safetensors"][:1000]))
			w.(http.Flusher).Flush()
			<-release
		}
		return false
	}
	defer close(release)
	s, err := h.Pull(context.Background(), model, "model.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	checkSnapshot(t, s, r, "model.safetensors")
	if n := h.count(func(s seen) bool { return onCDN(s) && s.span == "bytes=1000-" }); n != 1 {
		t.Errorf("taken up %d times", n)
	}
}

func TestCacheThatCannotBeWritten(t *testing.T) {
	h := newFakeHub(t)
	h.add("models/org/name")
	h.Cache = filepath.Join(h.Cache, "file")
	if err := os.WriteFile(h.Cache, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Pull(context.Background(), model); !mentions(err, h.Cache) {
		t.Errorf("%v", err)
	}
}

func TestListIgnoresOthers(t *testing.T) {
	h := newFakeHub(t)
	if list, err := h.List(); err != nil || len(list) != 0 {
		t.Errorf("empty: %v, %v", list, err)
	}
	for _, dir := range []string{"spaces--a--b", "models----", "version", ".locks"} {
		if err := os.MkdirAll(filepath.Join(h.Cache, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Join(h.Cache, "models--gpt2", "snapshots"), 0o755); err != nil {
		t.Fatal(err)
	}
	list, err := h.List()
	if err != nil || len(list) != 1 || list[0].Repo.ID != "gpt2" {
		t.Errorf("%+v, %v", list, err)
	}
	h.Cache = filepath.Join(h.Cache, "none")
	if list, err := h.List(); err != nil || len(list) != 0 {
		t.Errorf("absent: %v, %v", list, err)
	}
}

func TestParseRepo(t *testing.T) {
	for _, s := range []string{"gpt2", "org/name", "Qwen/Qwen2.5-0.5B_x@main", "a/b@refs/pr/12", "a/b@" + testCommit, "a/b@v1.0+x"} {
		r, err := ParseRepo(Model, s)
		if err != nil || r.String() != s {
			t.Errorf("%q: %v, %v", s, r, err)
		}
	}
	for _, s := range []string{"", "/", "a/", "/a", "a/b/c", "../a", "a/..", "a--b/c", "a b", "a/b@", "a/b@../x", "a/b@/x", "a/b@x/", "a/b@-x", "a/b@x y", "a/b@.x", "a/b.git", "a\\b", "-a/b", "a/b@x..y"} {
		if r, err := ParseRepo(Model, s); err == nil {
			t.Errorf("%q passes as %+v", s, r)
		}
	}
	for _, r := range []Repo{{ID: "a/b"}, {ID: "gpt2"}, {Kind: Dataset, ID: "a/b"}} {
		if got, ok := repoOfFolder(r.folder()); !ok || got != r {
			t.Errorf("%s gives %+v", r.folder(), got)
		}
	}
}

func TestFromEnv(t *testing.T) {
	home := t.TempDir()
	hf := filepath.Join(home, "hf")
	if err := os.MkdirAll(hf, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(hf, "token"), []byte("hf_file\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for i, c := range []struct {
		env  map[string]string
		want Client
		err  string
	}{
		{map[string]string{"HOME": home}, Client{Endpoint: DefaultEndpoint, Cache: home + "/.cache/huggingface/hub"}, ""},
		{map[string]string{"HOME": home, "XDG_CACHE_HOME": "/x"}, Client{Endpoint: DefaultEndpoint, Cache: "/x/huggingface/hub"}, ""},
		{map[string]string{"HOME": home, "HF_HOME": "~/hf"}, Client{Endpoint: DefaultEndpoint, Cache: hf + "/hub", Token: "hf_file"}, ""},
		{map[string]string{"HF_HOME": hf, "HF_TOKEN": " hf_env ", "HF_HUB_OFFLINE": "yes"}, Client{Endpoint: DefaultEndpoint, Cache: hf + "/hub", Token: "hf_env", Offline: true}, ""},
		{map[string]string{"HF_HOME": hf, "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1", "HF_HUB_OFFLINE": "0"}, Client{Endpoint: DefaultEndpoint, Cache: hf + "/hub"}, ""},
		{map[string]string{"HF_HOME": hf, "HF_HUB_CACHE": "$HF_HOME/elsewhere", "HF_TOKEN_PATH": "/none", "HF_ENDPOINT": "http://mirror:8080/"}, Client{Endpoint: "http://mirror:8080", Cache: hf + "/elsewhere"}, ""},
		{map[string]string{"HF_HOME": hf, "HF_HUB_CACHE": "${HF_HOME}/50$/$none/${none}/a[b", "HF_TOKEN_PATH": "/none"}, Client{Endpoint: DefaultEndpoint, Cache: hf + "/50$/$none/${none}/a[b"}, ""},
		{map[string]string{"HF_HOME": hf, "HF_ENDPOINT": "mirror"}, Client{}, `HF_ENDPOINT: "mirror" is not an endpoint`},
		{map[string]string{"HF_HOME": hf, "HF_TOKEN": "two words"}, Client{}, "hub token"},
		{map[string]string{}, Client{}, "HF_HUB_CACHE, HF_HOME"},
	} {
		got, err := FromEnv(func(k string) string { return c.env[k] })
		if c.err != "" {
			if !mentions(err, c.err) {
				t.Errorf("case %d: %v; want %q", i, err, c.err)
			}
			continue
		}
		if err != nil {
			t.Errorf("case %d: %v", i, err)
			continue
		}
		if a, b := fmt.Sprintf("%+v", *got), fmt.Sprintf("%+v", c.want); a != b {
			t.Errorf("case %d: %s\nwant %s", i, a, b)
		}
	}
}

func FuzzListing(f *testing.F) {
	f.Add([]byte(`{"sha":"` + testCommit + `","siblings":[{"rfilename":"a/b","size":3,"blobId":"` + testCommit + `"},{"rfilename":"c","lfs":{"sha256":"` + strings.Repeat("a", 64) + `","size":1}}]}`))
	f.Add([]byte(`{"sha":"` + testCommit + `","siblings":[{"rfilename":"../x"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := parseListing(data)
		if err != nil {
			return
		}
		for _, x := range l.files {
			if p := filepath.Join("/cache/snap", filepath.FromSlash(x.name)); !strings.HasPrefix(p, "/cache/snap/") {
				t.Fatalf("%q leads to %q", x.name, p)
			}
			if x.sum != "" && (strings.ContainsAny(x.sum, "/.") || x.size < 0) {
				t.Fatalf("%+v", x)
			}
		}
		l.match(model, []string{"*"})
	})
}

func FuzzTree(f *testing.F) {
	f.Add([]byte(`{"format_version":1,"files":{"a/b":{"size":3,"blob_id":"x"}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := parseTree(data)
		if err != nil {
			return
		}
		for _, x := range l.files {
			if p := filepath.Join("/cache/snap", filepath.FromSlash(x.name)); !strings.HasPrefix(p, "/cache/snap/") {
				t.Fatalf("%q leads to %q", x.name, p)
			}
		}
	})
}

func FuzzContentRange(f *testing.F) {
	for _, s := range []string{"bytes 5-9/10", "bytes 0-0/*", "bytes */10", "", "bytes 5-9"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if start, total, ok := contentRange(s); ok && !bytes.HasPrefix([]byte(s), []byte("bytes ")) {
			t.Fatalf("%q gives %d, %d", s, start, total)
		}
	})
}

package hub

import (
	"bytes"
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/snapbench/snapbench/runners/wiretest"
)

// A fakeHub behaves like the hub as far as the client uses it: the API, small files from the
// hub itself, large files by redirect to another host, and errors with their codes. The client
// gets a dialer of its own, so that the second host can be a subdomain of the first.
type fakeHub struct {
	*Client
	repos map[string]*fakeRepo // by API path: models/org/name

	mu       sync.Mutex
	requests []seen
	slept    []time.Duration

	// fault may answer in place of the hub; it returns whether it did.
	fault func(s seen, w http.ResponseWriter, r *http.Request) bool
}

type fakeRepo struct {
	commit  string
	files   map[string]string // name: content
	lfs     func(name string) bool
	gated   bool
	private bool
	bare    bool                  // list without sizes and checksums
	edit    func(siblings *[]any) // make the list a lie
}

type seen struct {
	method, host, path, auth, span string
	nth                            int // which request for this method, host and path, from 1
}

const (
	goodToken  = "hf_good"
	testCommit = "0123456789abcdef0123456789abcdef01234567"
)

// newFakeHub is at this machine's network.
func newFakeHub(t *testing.T) *fakeHub {
	t.Helper()
	h := &fakeHub{repos: make(map[string]*fakeRepo)}
	server := httptest.NewServer(http.HandlerFunc(h.serve))
	return h.opened(t, server, func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, server.Listener.Addr().String())
	})
}

// newFakeHubInMemory is for tests of times: with testing/synctest these are exact.
func newFakeHubInMemory(t *testing.T) *fakeHub {
	t.Helper()
	h := &fakeHub{repos: make(map[string]*fakeRepo)}
	wire := wiretest.New("hub.test")
	return h.opened(t, wire.Serve(http.HandlerFunc(h.serve)), wire.Dial)
}

// opened gives a hub that is served its client.
func (h *fakeHub) opened(t *testing.T, server *httptest.Server, dial func(context.Context, string, string) (net.Conn, error)) *fakeHub {
	t.Cleanup(server.Close)
	transport := &http.Transport{DialContext: dial, ResponseHeaderTimeout: time.Minute}
	t.Cleanup(transport.CloseIdleConnections)
	h.Client = &Client{
		Endpoint:  "http://hub.test",
		Cache:     t.TempDir(),
		Transport: transport,
		sleep: func(ctx context.Context, d time.Duration) error {
			h.mu.Lock()
			h.slept = append(h.slept, d)
			h.mu.Unlock()
			return ctx.Err()
		},
	}
	return h
}

// add makes a model of two small files and two large ones, one of them twice.
func (h *fakeHub) add(api string) *fakeRepo {
	r := &fakeRepo{
		commit: testCommit,
		files: map[string]string{
			"config.json":       `{"model_type": "llama"}`,
			"nested/a/b.txt":    "deep",
			"model.safetensors": strings.Repeat("0123456789abcdef", 1<<15), // 512 KiB
			"copy.safetensors":  strings.Repeat("0123456789abcdef", 1<<15),
			"empty.txt":         "",
			"pytorch_model.bin": strings.Repeat("x", 1000),
		},
		lfs: func(name string) bool { return strings.HasSuffix(name, "s") || strings.HasSuffix(name, ".bin") },
	}
	h.repos[api] = r
	return r
}

func gitSum(content string) string {
	sum := sha1.Sum([]byte(fmt.Sprintf("blob %d\x00%s", len(content), content)))
	return hex.EncodeToString(sum[:])
}

func shaSum(content string) string {
	sum := sha256.Sum256([]byte(content))
	return hex.EncodeToString(sum[:])
}

func (r *fakeRepo) sum(name string) string {
	if r.lfs(name) {
		return shaSum(r.files[name])
	}
	return gitSum(r.files[name])
}

// count returns how many requests so far satisfy ok.
func (h *fakeHub) count(ok func(seen) bool) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := 0
	for _, s := range h.requests {
		if ok(s) {
			n++
		}
	}
	return n
}

func (h *fakeHub) serve(w http.ResponseWriter, r *http.Request) {
	s := seen{method: r.Method, host: r.Host, path: r.URL.EscapedPath(), auth: r.Header.Get("Authorization"), span: r.Header.Get("Range"), nth: 1}
	h.mu.Lock()
	for _, o := range h.requests {
		if o.method == s.method && o.host == s.host && o.path == s.path {
			s.nth++
		}
	}
	h.requests = append(h.requests, s)
	h.mu.Unlock()
	if h.fault != nil && h.fault(s, w, r) {
		return
	}
	switch r.Host {
	case "hub.test":
		h.serveHub(w, r)
	case "cdn.hub.test":
		for _, repo := range h.repos {
			for name, content := range repo.files {
				if "/"+shaSum(content) == r.URL.Path {
					http.ServeContent(w, r, name, time.Time{}, strings.NewReader(content))
					return
				}
			}
		}
		http.NotFound(w, r)
	default:
		http.Error(w, "no such host", http.StatusBadGateway)
	}
}

func deny(w http.ResponseWriter, status int, code, message string) {
	if code != "" {
		w.Header().Set("X-Error-Code", code)
	}
	w.Header().Set("X-Error-Message", message)
	w.WriteHeader(status)
}

func (h *fakeHub) serveHub(w http.ResponseWriter, r *http.Request) {
	token := r.Header.Get("Authorization") == "Bearer "+goodToken
	if path, ok := strings.CutPrefix(r.URL.EscapedPath(), "/api/"); ok {
		for api, repo := range h.repos {
			rest, ok := strings.CutPrefix(path, api)
			if !ok || repo.private && !token {
				continue
			}
			switch {
			case rest == "":
				json.NewEncoder(w).Encode(map[string]any{"sha": repo.commit})
				return
			case rest == "/refs":
				json.NewEncoder(w).Encode(map[string]any{"branches": []any{map[string]any{"name": "main"}}, "tags": []any{map[string]any{"name": "v1"}}})
				return
			case rest == "/revision/main", rest == "/revision/v1", rest == "/revision/refs%2Fpr%2F1", rest == "/revision/"+repo.commit:
				h.list(w, r, repo)
				return
			case strings.HasPrefix(rest, "/revision/"):
				deny(w, http.StatusNotFound, "RevisionNotFound", "Invalid rev id")
				return
			}
		}
		if r.Header.Get("Authorization") == "" {
			deny(w, http.StatusUnauthorized, "", "Invalid username or password.")
			return
		}
		deny(w, http.StatusNotFound, "RepoNotFound", "Repository not found")
		return
	}
	id, rest, ok := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/resolve/")
	commit, name, ok2 := strings.Cut(rest, "/")
	api := "models/" + id
	if dataset, ok := strings.CutPrefix(id, "datasets/"); ok {
		api = "datasets/" + dataset
	}
	repo := h.repos[api]
	switch {
	case !ok || !ok2 || repo == nil:
		deny(w, http.StatusNotFound, "RepoNotFound", "Repository not found")
		return
	case repo.gated && !token && r.Header.Get("Authorization") == "":
		deny(w, http.StatusUnauthorized, "GatedRepo", "Access to model is restricted. You must be authenticated to access it.")
		return
	case repo.gated && !token:
		deny(w, http.StatusForbidden, "GatedRepo", "You are not in the authorized list.")
		return
	}
	content, ok := repo.files[name]
	if !ok || commit != repo.commit && commit != "main" {
		deny(w, http.StatusNotFound, "EntryNotFound", "Entry not found")
		return
	}
	w.Header().Set("X-Repo-Commit", repo.commit)
	if repo.lfs(name) {
		w.Header().Set("X-Linked-Size", fmt.Sprint(len(content)))
		w.Header().Set("X-Linked-Etag", `"`+shaSum(content)+`"`)
		w.Header().Set("Location", "http://cdn.hub.test/"+shaSum(content)+"?signed=yes")
		w.WriteHeader(http.StatusFound)
		return
	}
	w.Header().Set("ETag", `"`+gitSum(content)+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader([]byte(content)))
}

func (h *fakeHub) list(w http.ResponseWriter, r *http.Request, repo *fakeRepo) {
	if r.URL.Query().Get("blobs") != "true" {
		http.Error(w, "the client should ask for blobs", http.StatusBadRequest)
		return
	}
	siblings := []any{}
	for name, content := range repo.files {
		s := map[string]any{"rfilename": name}
		if !repo.bare {
			s["size"], s["blobId"] = len(content), gitSum(content)
			if repo.lfs(name) {
				s["blobId"] = gitSum("pointer to " + content)
				s["lfs"] = map[string]any{"sha256": shaSum(content), "size": len(content), "pointerSize": 134}
			}
		}
		siblings = append(siblings, s)
	}
	if repo.edit != nil {
		repo.edit(&siblings)
	}
	json.NewEncoder(w).Encode(map[string]any{"id": "org/name", "sha": repo.commit, "siblings": siblings})
}

// cutAfter sends a correct answer's first n bytes and drops the connection.
func cutAfter(w http.ResponseWriter, r *http.Request, content string, n int) {
	start := 0
	fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &start)
	w.Header().Set("Content-Length", fmt.Sprint(len(content)-start))
	if start > 0 {
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", start, len(content)-1, len(content)))
		w.WriteHeader(http.StatusPartialContent)
	}
	w.Write([]byte(content[start:min(start+n, len(content))]))
	w.(http.Flusher).Flush()
	panic(http.ErrAbortHandler)
}

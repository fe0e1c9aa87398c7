package hub

import (
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// A download that is cut again and again continues where it stopped.
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

// A client gives up on a server that makes no progress.
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

	// The next run continues it.
	h.fault = nil
	if _, err := h.Pull(context.Background(), model, "model.safetensors"); err != nil {
		t.Fatal(err)
	}
	if n := h.count(func(s seen) bool { return s.span == "bytes=1000-" && onCDN(s) }); n == 0 {
		t.Error("the second run started over")
	}
}

// What an earlier run left may be right so far, damaged, too long, or complete.
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

// With random cuts and random damage, many times, the file is still right in the end.
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
	done := make(chan error, 1)
	go func() {
		_, err := h.Pull(ctx, model, "model.safetensors")
		done <- err
	}()
	select { // the hub waits for the client to be gone
	case err := <-done:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
	case <-time.After(2 * time.Minute):
		t.Error("it does not stop")
	}
}

// A server that stops sending in the middle is treated like a cut connection.
func TestSilence(t *testing.T) {
	patiently(t, func(t *testing.T, ctx context.Context) {
		h := newFakeHubInMemory(t)
		r := h.add("models/org/name")
		h.Stall = 200 * time.Millisecond
		h.fault = func(s seen, w http.ResponseWriter, req *http.Request) bool {
			if onCDN(s) && s.nth == 1 {
				w.Header().Set("Content-Length", "524288")
				w.Write([]byte(r.files["model.safetensors"][:1000]))
				w.(http.Flusher).Flush()
				<-req.Context().Done()
				return true
			}
			return false
		}
		s, err := h.Pull(ctx, model, "model.safetensors")
		if err != nil {
			t.Fatal(err)
		}
		checkSnapshot(t, s, r, "model.safetensors")
		if n := h.count(func(s seen) bool { return onCDN(s) && s.span == "bytes=1000-" }); n != 1 {
			t.Errorf("taken up %d times", n)
		}
	})
}

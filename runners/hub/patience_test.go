package hub

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// within fails the test if f takes far too long.
func within(t *testing.T, f func(context.Context)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	f(ctx)
	if ctx.Err() != nil {
		t.Fatal("waited for to the test's own end")
	}
}

// silence and drip are what follows the headers and some of an answer's bytes,
// until the client goes.
func silence(w http.ResponseWriter, r *http.Request) {
	w.Write([]byte(`{"sha":`))
	w.(http.Flusher).Flush()
	<-r.Context().Done()
}

func drip(w http.ResponseWriter, r *http.Request) {
	for {
		w.Write([]byte(" "))
		w.(http.Flusher).Flush()
		select {
		case <-r.Context().Done():
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func TestAnswersThatDoNotCome(t *testing.T) {
	for name, stuck := range map[string]http.HandlerFunc{"silence": silence, "drip": drip} {
		hub := func(t *testing.T, at func(seen) bool, status int) *fakeHub {
			h := newFakeHub(t)
			h.add("models/org/name")
			h.Stall, h.Attempts = 150*time.Millisecond, 2
			h.fault = func(s seen, w http.ResponseWriter, r *http.Request) bool {
				if !at(s) {
					return false
				}
				w.WriteHeader(status)
				stuck(w, r)
				return true
			}
			return h
		}
		t.Run(name+" of a listing", func(t *testing.T) {
			h := hub(t, func(s seen) bool { return strings.Contains(s.path, "/revision/") }, http.StatusOK)
			within(t, func(ctx context.Context) {
				if _, err := h.Pull(ctx, model); !mentions(err, "asking for model org/name", "hub.test sends less than 4096 bytes in 150ms") {
					t.Errorf("%v", err)
				}
			})
		})
		t.Run(name+" of refs", func(t *testing.T) {
			h := hub(t, func(s seen) bool { return strings.HasSuffix(s.path, "/refs") }, http.StatusOK)
			within(t, func(ctx context.Context) {
				if _, err := h.Pull(ctx, Repo{ID: "org/name", Revision: "v9"}); !errors.Is(err, ErrNotFound) || !mentions(err, `no revision "v9"`) {
					t.Errorf("%v", err)
				}
			})
		})
		t.Run(name+" of the other kind", func(t *testing.T) {
			h := hub(t, func(s seen) bool { return s.path == "/api/datasets/org/none" }, http.StatusOK)
			within(t, func(ctx context.Context) {
				if _, err := h.Pull(ctx, Repo{ID: "org/none"}); !errors.Is(err, ErrNotFound) {
					t.Errorf("%v", err)
				}
			})
		})
		t.Run(name+" of an error", func(t *testing.T) {
			h := hub(t, func(s seen) bool { return strings.Contains(s.path, "/revision/") }, http.StatusForbidden)
			within(t, func(ctx context.Context) {
				if _, err := h.Pull(ctx, model); !errors.Is(err, ErrGated) {
					t.Errorf("%v", err)
				}
			})
		})
		t.Run(name+" of a busy server's", func(t *testing.T) {
			h := hub(t, func(s seen) bool { return strings.Contains(s.path, "/revision/") }, http.StatusServiceUnavailable)
			within(t, func(ctx context.Context) {
				if _, err := h.Pull(ctx, model); !mentions(err, "503", "tried 2 times") {
					t.Errorf("%v", err)
				}
			})
		})
		t.Run(name+" of a redirect", func(t *testing.T) {
			h := newFakeHub(t)
			r := h.add("models/org/name")
			h.Stall = 150 * time.Millisecond
			h.fault = func(s seen, w http.ResponseWriter, req *http.Request) bool {
				if s.host != "hub.test" || !strings.HasSuffix(s.path, "model.safetensors") {
					return false
				}
				w.Header().Set("Location", "http://cdn.hub.test/"+r.sum("model.safetensors"))
				w.WriteHeader(http.StatusFound)
				stuck(w, req)
				return true
			}
			within(t, func(ctx context.Context) {
				s, err := h.Pull(ctx, model, "model.safetensors")
				if err != nil {
					t.Fatal(err)
				}
				checkSnapshot(t, s, r, "model.safetensors")
			})
		})
	}
}

// An answer that always makes progress must end all the same.
func TestAnswerThatNeverEnds(t *testing.T) {
	h := newFakeHub(t)
	h.add("models/org/name")
	h.Stall, h.Least, h.Answer = 5*time.Second, 1, 200*time.Millisecond
	h.fault = func(s seen, w http.ResponseWriter, r *http.Request) bool {
		drip(w, r)
		return true
	}
	within(t, func(ctx context.Context) {
		if _, err := h.Pull(ctx, model); !mentions(err, "asking for model org/name", "hub.test takes longer than 200ms over an answer") {
			t.Errorf("%v", err)
		}
	})
}

// A client gives up on a download that advances by a few bytes at a time, whether they drip, or
// silence follows each few.
func TestDownloadOfAFewBytesAtATime(t *testing.T) {
	content := []byte(strings.Repeat("0123456789abcdef", 1<<15))
	for name, pause := range map[string]time.Duration{"drip": 10 * time.Millisecond, "silence": time.Hour} {
		t.Run(name, func(t *testing.T) {
			h := newFakeHub(t)
			h.add("models/org/name")
			h.Stall, h.Attempts = 100*time.Millisecond, 3
			requests := 0
			h.fault = func(s seen, w http.ResponseWriter, r *http.Request) bool {
				if !onCDN(s) {
					return false
				}
				requests++
				if requests > 50 {
					return false // enough to see that it is not given up
				}
				w.Header().Set("Content-Length", "524288")
				if s.span != "" {
					at := strings.TrimSuffix(strings.TrimPrefix(s.span, "bytes="), "-")
					w.Header().Del("Content-Length")
					w.Header().Set("Content-Range", "bytes "+at+"-524287/524288")
					w.WriteHeader(http.StatusPartialContent)
				}
				// The content repeats every 16 bytes, so a multiple of it fits anywhere.
				for {
					w.Write(content[:16])
					w.(http.Flusher).Flush()
					select {
					case <-r.Context().Done():
						return true
					case <-time.After(pause):
					}
				}
			}
			within(t, func(ctx context.Context) {
				if _, err := h.Pull(ctx, model, "model.safetensors"); !mentions(err, "cdn.hub.test sends less than 4096 bytes in 100ms", "3 times at byte") {
					t.Errorf("after %d requests: %v", requests, err)
				}
			})
		})
	}
}

// The time that the client spends on bytes that arrived does not count.
func TestSlowReaderIsNoSlowServer(t *testing.T) {
	h := newFakeHub(t)
	r := h.add("models/org/name")
	h.Stall, h.Attempts = time.Second, 1
	h.fault = func(s seen, w http.ResponseWriter, _ *http.Request) bool {
		if !onCDN(s) {
			return false
		}
		content := r.files["model.safetensors"]
		w.Header().Set("Content-Length", fmt.Sprint(len(content)))
		for _, part := range []string{content[:1000], content[1000:2000], content[2000:]} {
			w.Write([]byte(part))
			w.(http.Flusher).Flush()
			time.Sleep(150 * time.Millisecond) // progress is told every 100
		}
		return true
	}
	slept := false
	h.Progress = func(p Progress) {
		if !slept && p.Done > 0 && p.Done < p.Size {
			slept = true
			time.Sleep(2 * time.Second)
		}
	}
	within(t, func(ctx context.Context) {
		s, err := h.Pull(ctx, model, "model.safetensors")
		if err != nil {
			t.Fatal(err)
		}
		checkSnapshot(t, s, r, "model.safetensors")
	})
	if n := h.count(onCDN); !slept || n != 1 {
		t.Errorf("%d requests, want 1; the reader was slow: %v", n, slept)
	}
}

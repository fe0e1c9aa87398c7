package hub

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// patiently runs a test by a clock that moves only while client and hub wait. The test fails if it takes ten seconds of
// that: far too long.
func patiently(t *testing.T, f func(*testing.T, context.Context)) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		f(t, ctx)
		if ctx.Err() != nil {
			t.Fatal("waited for to the test's own end")
		}
	})
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
		for _, c := range []struct {
			what   string
			at     func(seen) bool // is not answered
			status int
			repo   Repo
			well   func(error) bool
			words  []string
		}{
			{"a listing", func(s seen) bool { return strings.Contains(s.path, "/revision/") }, http.StatusOK, model,
				func(error) bool { return true }, []string{"asking for model org/name", "hub.test sends less than 4096 bytes in 150ms"}},
			{"refs", func(s seen) bool { return strings.HasSuffix(s.path, "/refs") }, http.StatusOK, Repo{ID: "org/name", Revision: "v9"},
				func(err error) bool { return errors.Is(err, ErrNotFound) }, []string{`no revision "v9"`}},
			{"the other kind", func(s seen) bool { return s.path == "/api/datasets/org/none" }, http.StatusOK, Repo{ID: "org/none"},
				func(err error) bool { return errors.Is(err, ErrNotFound) }, nil},
			{"an error", func(s seen) bool { return strings.Contains(s.path, "/revision/") }, http.StatusForbidden, model,
				func(err error) bool { return errors.Is(err, ErrGated) }, nil},
			{"a busy server's", func(s seen) bool { return strings.Contains(s.path, "/revision/") }, http.StatusServiceUnavailable, model,
				func(error) bool { return true }, []string{"503", "tried 2 times"}},
		} {
			t.Run(name+" of "+c.what, func(t *testing.T) {
				patiently(t, func(t *testing.T, ctx context.Context) {
					h := newFakeHubInMemory(t)
					h.add("models/org/name")
					h.Stall, h.Attempts = 150*time.Millisecond, 2
					h.fault = func(s seen, w http.ResponseWriter, r *http.Request) bool {
						if !c.at(s) {
							return false
						}
						w.WriteHeader(c.status)
						stuck(w, r)
						return true
					}
					if _, err := h.Pull(ctx, c.repo); !c.well(err) || !mentions(err, c.words...) {
						t.Errorf("%v", err)
					}
				})
			})
		}
		t.Run(name+" of a redirect", func(t *testing.T) {
			patiently(t, func(t *testing.T, ctx context.Context) {
				h := newFakeHubInMemory(t)
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
	patiently(t, func(t *testing.T, ctx context.Context) {
		h := newFakeHubInMemory(t)
		h.add("models/org/name")
		h.Stall, h.Least, h.Answer = 5*time.Second, 1, 200*time.Millisecond
		h.fault = func(s seen, w http.ResponseWriter, r *http.Request) bool {
			drip(w, r)
			return true
		}
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
			patiently(t, func(t *testing.T, ctx context.Context) {
				h := newFakeHubInMemory(t)
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
				if _, err := h.Pull(ctx, model, "model.safetensors"); !mentions(err, "cdn.hub.test sends less than 4096 bytes in 100ms", "3 times at byte") {
					t.Errorf("after %d requests: %v", requests, err)
				}
			})
		})
	}
}

// The time that the client spends on bytes that arrived does not count.
func TestSlowReaderIsNoSlowServer(t *testing.T) {
	patiently(t, func(t *testing.T, ctx context.Context) {
		h := newFakeHubInMemory(t)
		r := h.add("models/org/name")
		h.Stall, h.Attempts = time.Second, 1
		waited := false
		h.fault = func(s seen, w http.ResponseWriter, _ *http.Request) bool {
			if !onCDN(s) {
				return false
			}
			content := r.files["model.safetensors"]
			w.Header().Set("Content-Length", fmt.Sprint(len(content)))
			for _, part := range []string{content[:1000], content[1000:2000], content[2000:]} {
				time.Sleep(150 * time.Millisecond) // progress is told every 100
				w.Write([]byte(part))
				w.(http.Flusher).Flush()
				if len(part) == 1000 && !waited {
					waited = true
					time.Sleep(2 * time.Second) // as long as the client takes: it waits for the rest alone
				}
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
		s, err := h.Pull(ctx, model, "model.safetensors")
		if err != nil {
			t.Fatal(err)
		}
		checkSnapshot(t, s, r, "model.safetensors")
		if n := h.count(onCDN); !slept || n != 1 {
			t.Errorf("%d requests, want 1; the reader was slow: %v", n, slept)
		}
	})
}

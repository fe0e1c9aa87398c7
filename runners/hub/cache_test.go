package hub

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"
)

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
	// A link whose blob is gone counts as a missing file.
	if err := os.Remove(filepath.Join(h.Cache, "models--org--name", "blobs", r.sum("config.json"))); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Ensure(context.Background(), model, ModelFiles...); !errors.Is(err, ErrNotCached) || !mentions(err, "config.json") {
		t.Errorf("a blob is gone: %v", err)
	}
}

// A cache that another program filled, without a list of the commit, is used but not taken to be
// complete.
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

// Several writers of one file in one process do not disturb each other.
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
	var once, told sync.Once
	started, waits := make(chan struct{}), make(chan struct{})
	h.fault = func(s seen, w http.ResponseWriter, req *http.Request) bool {
		if onCDN(s) {
			once.Do(func() { close(started) })
			<-waits
		}
		return false
	}
	second := *h.Client
	second.Progress = func(p Progress) {
		if p.Waiting {
			told.Do(func() { close(waits) })
		}
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := h.Pull(context.Background(), model, "model.safetensors"); err != nil {
			t.Error(err)
		}
	})
	<-started
	give := time.AfterFunc(2*time.Minute, func() {
		told.Do(func() {
			t.Error("the second client does not say that it waits")
			close(waits)
		})
	})
	defer give.Stop()
	s, err := second.Pull(context.Background(), model, "model.safetensors")
	wg.Wait()
	if err != nil {
		t.Fatal(err)
	}
	checkSnapshot(t, s, r, "model.safetensors")
	if n := h.count(onCDN); n != 1 {
		t.Errorf("%d downloads of one blob", n)
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

// What stands in the way of a file's link is an error, and nothing half made stays beside it.
func TestFolderInPlaceOfALink(t *testing.T) {
	h := newFakeHub(t)
	h.add("models/org/name")
	at := filepath.Join(h.Cache, "models--org--name", "snapshots", testCommit, "config.json")
	if err := os.MkdirAll(filepath.Join(at, "somebody's"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Pull(context.Background(), model, "config.json"); !mentions(err, at) {
		t.Errorf("%v", err)
	}
	if l := leftovers(t, h.Cache); len(l) > 0 {
		t.Errorf("left behind: %q", l)
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

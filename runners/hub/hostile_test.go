package hub

import (
	"bytes"
	"context"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

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

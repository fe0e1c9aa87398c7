package hub

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A blob in the cache is trusted only if its content has the checksum of its name; the right
// size is not enough.
func TestCachedBlobsAreChecked(t *testing.T) {
	for name, damage := range map[string]func(string) string{
		"zeros":     func(s string) string { return strings.Repeat("\x00", len(s)) },
		"one bit":   func(s string) string { return s[:len(s)/2] + string(s[len(s)/2]^1) + s[len(s)/2+1:] },
		"cut short": func(s string) string { return s[:len(s)-1] },
	} {
		t.Run(name, func(t *testing.T) {
			h := newFakeHub(t)
			r := h.add("models/org/name")
			blobs := filepath.Join(h.Cache, "models--org--name", "blobs")
			if err := os.MkdirAll(blobs, 0o755); err != nil {
				t.Fatal(err)
			}
			for _, file := range []string{"model.safetensors", "config.json"} {
				if err := os.WriteFile(filepath.Join(blobs, r.sum(file)), []byte(damage(r.files[file])), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			s, err := h.Pull(context.Background(), model, "config.json", "*.safetensors")
			if err != nil {
				t.Fatal(err)
			}
			checkSnapshot(t, s, r, "config.json", "copy.safetensors", "model.safetensors")
			if want := []string{"config.json", "copy.safetensors", "model.safetensors"}; !slices.Equal(s.Replaced, want) {
				t.Errorf("%q were replaced, want %q", s.Replaced, want)
			}
			// A file that is right now is neither downloaded nor replaced again.
			before := h.count(onCDN)
			if s, err = h.Pull(context.Background(), model, "config.json", "*.safetensors"); err != nil || len(s.Replaced) > 0 || h.count(onCDN) != before {
				t.Errorf("again: %v, %q replaced, %d downloads", err, s.Replaced, h.count(onCDN)-before)
			}
		})
	}
}

// A listing with two sizes for one checksum is refused.
func TestOneBlobOfTwoSizes(t *testing.T) {
	h := newFakeHub(t)
	r := h.add("models/org/name")
	r.edit = func(siblings *[]any) {
		*siblings = append(*siblings, map[string]any{"rfilename": "more.safetensors", "size": 3, "blobId": gitSum("p"),
			"lfs": map[string]any{"sha256": r.sum("model.safetensors"), "size": 3}})
	}
	_, err := h.Pull(context.Background(), model)
	if !mentions(err, `"more.safetensors"`, "the same SHA-256 "+r.sum("model.safetensors"), "3 bytes") {
		t.Errorf("%v", err)
	}
	if n := h.count(onCDN); n > 0 {
		t.Errorf("%d downloads", n)
	}
}

// A link in the place of a blob or its lock is an error, and the file that it leads to stays as
// it is.
func TestPlantedLinks(t *testing.T) {
	for _, c := range []struct{ name, at string }{
		{"blob", filepath.Join("models--org--name", "blobs", "SUM.incomplete")},
		{"lock", filepath.Join(".locks", "models--org--name", "SUM.lock")},
	} {
		for _, dangling := range []bool{false, true} {
			h := newFakeHub(t)
			r := h.add("models/org/name")
			elsewhere := filepath.Join(t.TempDir(), "precious")
			precious := []byte(strings.Repeat("not to be lost ", 100_000))
			if !dangling {
				if err := os.WriteFile(elsewhere, precious, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			at := filepath.Join(h.Cache, strings.ReplaceAll(c.at, "SUM", r.sum("model.safetensors")))
			if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(elsewhere, at); err != nil {
				t.Skipf("no links here: %v", err)
			}
			if _, err := h.Pull(context.Background(), model, "model.safetensors"); !mentions(err, at, "not a plain file", "remove it") {
				t.Errorf("%s, dangling %v: %v", c.name, dangling, err)
			}
			data, err := os.ReadFile(elsewhere)
			if dangling && !os.IsNotExist(err) || !dangling && !bytes.Equal(data, precious) {
				t.Errorf("%s, dangling %v: what the link leads to was changed: %d bytes, %v", c.name, dangling, len(data), err)
			}
			if err := os.Remove(at); err != nil {
				t.Fatal(err)
			}
			s, err := h.Pull(context.Background(), model, "model.safetensors")
			if err != nil {
				t.Fatalf("%s, dangling %v: without the link: %v", c.name, dangling, err)
			}
			checkSnapshot(t, s, r, "model.safetensors")
		}
	}
}

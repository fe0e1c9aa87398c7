//go:build unix

package weights

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TestOpenRefusesPipesAndDevices: a named pipe or a link to a device fails without blocking.
func TestOpenRefusesPipesAndDevices(t *testing.T) {
	for _, name := range []string{"model.safetensors", "model.safetensors.index.json", "one.safetensors", "model.gguf"} {
		for what, place := range map[string]func(string) error{
			"a named pipe": func(path string) error { return syscall.Mkfifo(path, 0o644) },
			"a device":     func(path string) error { return os.Symlink("/dev/zero", path) },
		} {
			dir := t.TempDir()
			path := filepath.Join(dir, name)
			if err := place(path); err != nil {
				t.Fatal(err)
			}
			if name == "one.safetensors" {
				if err := os.WriteFile(filepath.Join(dir, "model.safetensors.index.json"), []byte(`{"weight_map": {"a": "one.safetensors"}}`), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			at := dir
			if name == "model.gguf" {
				at = path
			}
			for which, open := range map[string]func() error{
				"Open":     func() error { _, err := Open(at); return err },
				"OpenGGUF": func() error { _, err := OpenGGUF(path); return err },
				"DirFiles": func() error { _, err := DirFiles(dir); return err },
			} {
				if which == "DirFiles" && (name == "model.gguf" || name == "model.safetensors") {
					continue // DirFiles opens neither of these
				}
				done := make(chan error, 1)
				go func() { done <- open() }()
				select {
				case err := <-done:
					if !mentions(err, path, what+", want a regular file") {
						t.Errorf("%s of %s, %s: %v", which, name, what, err)
					}
				case <-time.After(2 * time.Minute):
					t.Fatalf("%s of %s, %s: still waiting", which, name, what)
				}
			}
		}
	}
}

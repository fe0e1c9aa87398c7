//go:build unix

package inputs

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// What is no regular file, or a link to it, is an error at once.
func TestOnlyRegularFiles(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	if err := errors.Join(
		os.WriteFile(at("file"), []byte("text"), 0o644),
		os.Symlink("file", at("link")),
		syscall.Mkfifo(at("pipe"), 0o644),
		os.Symlink("pipe", at("link-to-pipe")),
		os.Symlink("/dev/zero", at("link-to-device")),
	); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"file", "link"} {
		if data, err := ReadFile(at(name)); err != nil || string(data) != "text" {
			t.Errorf("%s: %q, %v", name, data, err)
		}
	}
	for name, what := range map[string]string{
		"pipe": "a named pipe", "link-to-pipe": "a named pipe", "link-to-device": "a device", ".": "a folder",
	} {
		done := make(chan error, 1)
		go func() {
			_, err := ReadFile(at(name))
			done <- err
		}()
		select {
		case err := <-done:
			if err == nil || !strings.Contains(err.Error(), at(name)+": "+what+", want a regular file") {
				t.Errorf("%s: %v, want %q", name, err, what)
			}
		case <-time.After(2 * time.Minute):
			t.Fatalf("%s: still waiting", name)
		}
	}
	if _, err := Open(at("absent")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("absent: %v", err)
	}
}

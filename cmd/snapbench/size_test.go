package main

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A file holds one idea, so it is short, unless a program wrote it; and this package is flags
// and printing, so it is small: what does more belongs below.
func TestFilesAreShort(t *testing.T) {
	const most, mostHere = 450, 2500
	root, here, files := filepath.Join("..", ".."), 0, 0
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && path != root && strings.HasPrefix(entry.Name(), ".") {
			return fs.SkipDir
		}
		if entry.IsDir() || filepath.Ext(path) != ".go" {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		files++
		n := bytes.Count(text, []byte("\n"))
		if n > most && !bytes.HasPrefix(text, []byte("// Code generated")) {
			t.Errorf("%s has %d lines, more than %d: it holds several ideas", path, n, most)
		}
		if filepath.Dir(path) == filepath.Join(root, "cmd", "snapbench") && !strings.HasSuffix(path, "_test.go") {
			here += n
		}
		return nil
	})
	if err != nil || files == 0 || here == 0 {
		t.Fatalf("%d files, %d lines here: %v", files, here, err)
	}
	if here >= mostHere {
		t.Errorf("cmd/snapbench has %d lines without tests, want fewer than %d", here, mostHere)
	}
}

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/results"
)

// The documentation of the results names every column, with its meaning.
func TestDocsNameEveryColumn(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("..", "..", "docs", "results.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range results.Columns() {
		if !strings.Contains(string(data), "| `"+c.Name+"` | ") || !strings.Contains(string(data), c.Desc) {
			t.Errorf("docs/results.md does not describe the column %s: %s", c.Name, c.Desc)
		}
	}
}

// Every page that a page links to exists.
func TestDocsLinks(t *testing.T) {
	pages, err := filepath.Glob(filepath.Join("..", "..", "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	pages = append(pages, filepath.Join("..", "..", "README.md"))
	links := 0
	for _, page := range pages {
		data, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range strings.Split(string(data), "](")[1:] {
			target, _, ok := strings.Cut(part, ")")
			if !ok || strings.Contains(target, "://") || strings.HasPrefix(target, "#") {
				continue
			}
			links++
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), filepath.FromSlash(strings.Split(target, "#")[0]))); err != nil {
				t.Errorf("%s links to %s: %v", filepath.Base(page), target, err)
			}
		}
	}
	if links == 0 {
		t.Error("no links found")
	}
}

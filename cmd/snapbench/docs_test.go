package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
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
	pages = append(pages, filepath.Join("..", "..", "README.md"), filepath.Join("..", "..", "CONTRIBUTING.md"))
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

// Every test that the page on reliability names is there, and every row names one.
func TestDocsNameTests(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "reliability.md"))
	if err != nil {
		t.Fatal(err)
	}
	have := map[string]bool{}
	err = filepath.WalkDir(filepath.Join("..", ".."), func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, m := range regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`).FindAllSubmatch(text, -1) {
			have[string(m[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	for _, line := range strings.Split(string(page), "\n") {
		cells := strings.Split(line, " | ")
		if len(cells) != 4 || strings.HasPrefix(line, "| promise") {
			continue
		}
		rows++
		names := regexp.MustCompile("`((?:Test|Fuzz)\\w+)`").FindAllStringSubmatch(cells[1], -1)
		if len(names) == 0 {
			t.Errorf("no test: %s", line)
		}
		for _, m := range names {
			if !have[m[1]] {
				t.Errorf("docs/reliability.md names %s, which is nowhere", m[1])
			}
		}
	}
	if rows < 20 {
		t.Errorf("%d rows found", rows)
	}
}

// The design's table of packages is the one that imports are held to.
func TestDesignHasTheArrows(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("..", "..", "docs", "design.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(data), "| package | imports of the project | because |\n|---|---|---|\n")
	table, _, _ = strings.Cut(table, "\n\n")
	have := strings.Split(table, "\n")
	for i, a := range arrows {
		to := "none"
		if a.to != "" {
			to = "`" + strings.Join(strings.Fields(a.to), "`, `") + "`"
		}
		if want := fmt.Sprintf("| `%s` | %s | %s |", a.from, to, a.reason); i >= len(have) || have[i] != want {
			t.Fatalf("docs/design.md: row %d of the table of packages, want\n%s", i+1, want)
		}
	}
	if len(have) != len(arrows) {
		t.Errorf("docs/design.md: the table of packages has %d rows, arrows %d", len(have), len(arrows))
	}
}

// Files and folders that the documentation names are there.
func TestDocsNameFiles(t *testing.T) {
	root := filepath.Join("..", "..")
	named := regexp.MustCompile("`([a-z]+(?:/[A-Za-z0-9_.-]+)+)`")
	files := 0
	for _, page := range []string{"README.md", "CONTRIBUTING.md", "docs/design.md", "docs/policies.md"} {
		data, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(page)))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range named.FindAllStringSubmatch(string(data), -1) {
			if strings.Contains(m[1], "NAME") || strings.HasPrefix(m[1], "org/") {
				continue // stands for the reader's own
			}
			files++
			if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(m[1]))); err != nil {
				t.Errorf("%s names %s: %v", page, m[1], err)
			}
		}
	}
	if files < 30 {
		t.Errorf("%d files are named", files)
	}
}

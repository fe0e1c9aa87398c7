//go:build unix

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// tourBlock is a block of commands on a page, and what the page says they print.
type tourBlock struct {
	line           int
	commands, show string
}

// tourBlocks takes the blocks of commands (```sh) and of what they print (```text) from a page.
func tourBlocks(page string) (blocks []tourBlock, err error) {
	kind, text, began := "", "", 0
	for i, line := range strings.Split(page, "\n") {
		fence, isFence := strings.CutPrefix(line, "```")
		switch {
		case !isFence && kind != "":
			text += line + "\n"
		case !isFence:
		case kind == "":
			if kind, text, began = fence, "", i+1; kind != "sh" && kind != "text" {
				return nil, fmt.Errorf("line %d: a block of %q: want sh or text", i+1, fence)
			}
		case kind == "sh":
			blocks, kind = append(blocks, tourBlock{line: began, commands: text}), ""
		default:
			if len(blocks) == 0 || blocks[len(blocks)-1].show != "" {
				return nil, fmt.Errorf("line %d: a text that no commands print", began)
			}
			blocks[len(blocks)-1].show, kind = text, ""
		}
	}
	if kind != "" {
		return nil, fmt.Errorf("line %d: a block without an end", began)
	}
	return blocks, nil
}

var (
	anyNumber = regexp.MustCompile(`[0-9]+(\.[0-9]+)?`)
	anySpace  = regexp.MustCompile(`\s+`)
)

// shownIn returns the first line of a text that does not stand in what was printed, in order:
// numbers and the width of spaces may differ, and a line of … stands for any lines.
func shownIn(show, printed string) (missing string, ok bool) {
	plain := func(line string) string {
		return strings.TrimSpace(anySpace.ReplaceAllString(anyNumber.ReplaceAllString(line, "0"), " "))
	}
	rest := strings.Split(printed, "\n")
	for line := range strings.SplitSeq(strings.TrimSpace(show), "\n") {
		if line == "…" {
			continue
		}
		at := -1
		for i, p := range rest {
			if strings.HasPrefix(plain(p), plain(line)) {
				at = i
				break
			}
		}
		if at < 0 {
			return line, false
		}
		rest = rest[at+1:]
	}
	return "", true
}

// Every command of the tour runs, in order and in one folder, and prints what the page shows.
func TestTour(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "tour.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks, err := tourBlocks(string(page))
	if err != nil {
		t.Fatal(err)
	}
	bin, work := t.TempDir(), t.TempDir()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(bin, "snapbench"), "#!/bin/sh\n"+asCommand+"=1 exec '"+program+"' \"$@\"\n")
	if err := os.Chmod(filepath.Join(bin, "snapbench"), 0o755); err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, b := range blocks {
		if first, _, _ := strings.Cut(b.commands, " "); first == "duckdb" {
			if _, err := exec.LookPath(first); err != nil {
				t.Logf("docs/tour.md:%d is not run: there is no %s here", b.line, first)
				continue
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
		sh := exec.CommandContext(ctx, "sh", "-eu", "-c", b.commands)
		sh.Dir, sh.Env = work, append(os.Environ(), "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"))
		began := time.Now()
		out, err := sh.CombinedOutput()
		cancel()
		if err != nil {
			t.Fatalf("docs/tour.md:%d: %v\n%s\n%s", b.line, err, b.commands, out)
		}
		t.Logf("docs/tour.md:%d: %v", b.line, time.Since(began).Round(time.Millisecond))
		if line, ok := shownIn(b.show, string(out)); !ok {
			t.Errorf("docs/tour.md:%d shows %q, which its commands did not print after the lines before it:\n%s", b.line, line, out)
		}
		ran++
	}
	if ran < 12 {
		t.Errorf("%d blocks of commands", ran)
	}
	for _, name := range []string{"report.html", "gate.md", "gate.xml", "all.parquet", "sweep.csv", "pictures"} {
		if _, err := os.Stat(filepath.Join(work, name)); err != nil {
			t.Error(err)
		}
	}
}

// What a page shows is held to what was printed: other words, another order, and a block of
// another kind are mistakes; other numbers and spaces are not.
func TestTourIsHeldToWhatIsPrinted(t *testing.T) {
	const printed = "full   100.00 [72.2, 100.0]   1.00\n64, k 1     0.00\nPASS: all of 2\n"
	for show, want := range map[string]string{
		"full 90 [1, 2] 0.5\n…\nPASS": "", "PASS\nfull 1": "full 1", "FAIL": "FAIL", "none 1.0": "none 1.0", "": "",
	} {
		if missing, ok := shownIn(show, printed); missing != want || ok != (want == "") {
			t.Errorf("%q: %q is missing, want %q", show, missing, want)
		}
	}
	for page, want := range map[string]string{
		"```sh\na\n```\n\n```text\nb\n```\n": "", "```\na\n```\n": "want sh or text", "```text\na\n```\n": "that no commands print", "```sh\na\n": "without an end",
	} {
		blocks, err := tourBlocks(page)
		if want == "" && (err != nil || len(blocks) != 1 || blocks[0].commands != "a\n" || blocks[0].show != "b\n") {
			t.Errorf("%q: %+v, %v", page, blocks, err)
		}
		if want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v, want %q", page, err, want)
		}
	}
}

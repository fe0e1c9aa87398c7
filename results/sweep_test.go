package results

import (
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestOpenSweeps: Open removes the half-written files of killed processes and no
// others. It removes nothing if another process has the folder or the run is refused.
func TestOpenSweeps(t *testing.T) {
	dir := t.TempDir()
	ours := []string{"run.json.tmp-1", "journal.jsonl.tmp-4194304", "results.parquet.tmp-77", "summary.json.tmp-77", "summary.md.tmp-77", "run.json.tmp-" + Host() + "-77-0a1b2c3d"}
	others := []string{
		"run.json.tmp-", "run.json.tmp-7x", "run.json.tmp--7", "run.json.tmp", "my.results.parquet.tmp-7", "mine.tmp-7", "report.html.tmp-7", "run.json.tmp-host-7", "run.json.tmp-host-7-0a1b", "run.json.tmp-host-x-0a1b2c3d", "summary.md.tmp-7.txt",
	}
	if runtime.GOOS == "windows" {
		others = slices.DeleteFunc(others, func(s string) bool { return s == "run.json.tmp-" })
	}
	leave := func() {
		t.Helper()
		for _, name := range append(slices.Clone(ours), others...) {
			if err := os.WriteFile(filepath.Join(dir, name), []byte("half"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	check := func(when string, oursToo bool) {
		t.Helper()
		for _, name := range append(slices.Clone(ours), others...) {
			_, err := os.Lstat(filepath.Join(dir, name))
			if want := oursToo || slices.Contains(others, name); (err == nil) != want {
				t.Errorf("%s: %s is there: %v, want %v", when, name, err == nil, want)
			}
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "summary.json.tmp-8"), 0o755); err != nil {
		t.Fatal(err)
	}
	leave()
	j := mustOpen(t, dir)
	check("a new run", false)

	leave()
	if _, err := Open(dir, someRun()); err == nil {
		t.Fatal("opened twice")
	}
	check("locked by another", true)
	j.Close()
	other := someRun()
	other.Question = []byte(`{"model":"other"}`)
	if _, err := Open(dir, other); err == nil {
		t.Fatal("another question")
	}
	check("refused", true)

	j = mustOpen(t, dir)
	check("a run that goes on", false)
	if err := j.Append(someRows(2)...); err != nil {
		t.Fatal(err)
	}
	if err := j.Finish(); err != nil {
		t.Fatal(err)
	}
	j.Close()
	leave()
	mustOpen(t, dir)
	check("a finished run", false)
	if _, err := os.Stat(filepath.Join(dir, "summary.json.tmp-8")); err != nil {
		t.Errorf("a folder: %v", err)
	}
}

// While a file is written, its new form lies beside it under a name that sweep knows,
// with this machine's name in it; another machine's is left until it is old.
func TestHalfWrittenNames(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "run.json")
	half := func() []string {
		t.Helper()
		names, err := filepath.Glob(path + tmpMark + "*")
		if err != nil {
			t.Fatal(err)
		}
		return names
	}
	err := WriteAtomic(path, func(w io.Writer) error {
		names := half()
		if len(names) != 1 {
			t.Fatalf("while it is written there are %q", names)
		}
		_, writer, _ := strings.Cut(names[0], tmpMark)
		if host, ok := writerHost(writer); !ok || host != Host() {
			t.Errorf("%s: of machine %q, %v, want %q", names[0], host, ok, Host())
		}
		return os.Link(names[0], path+tmpMark+"other.machine-1-0a1b2c3d")
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := sweep(dir); err != nil || len(half()) != 1 {
		t.Errorf("another machine's is gone: %q, %v", half(), err)
	}
	old := time.Now().Add(-2 * abandoned)
	if err := os.Chtimes(half()[0], old, old); err != nil {
		t.Fatal(err)
	}
	if err := sweep(dir); err != nil || len(half()) != 0 {
		t.Errorf("an old one is left: %q, %v", half(), err)
	}
}

package results

import (
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"testing"
)

// TestOpenSweeps: Open removes the half-written files of killed processes and no
// others. It removes nothing if another process has the folder or the run is refused.
func TestOpenSweeps(t *testing.T) {
	dir := t.TempDir()
	ours := []string{"run.json.tmp-1", "journal.jsonl.tmp-4194304", "results.parquet.tmp-77", "summary.json.tmp-77", "summary.md.tmp-77"}
	others := []string{
		"run.json.tmp-", "run.json.tmp-7x", "run.json.tmp--7", "run.json.tmp", "my.results.parquet.tmp-7", "mine.tmp-7", "report.html.tmp-7", "summary.md.tmp-7.txt",
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

// TestWriteAtomicOverLeftovers: a link in the place of the temporary file is not
// followed, and a file of a killed process with the same number is replaced.
func TestWriteAtomicOverLeftovers(t *testing.T) {
	dir := t.TempDir()
	path, precious := filepath.Join(dir, "file"), filepath.Join(dir, "precious")
	tmp := path + tmpMark + strconv.Itoa(os.Getpid())
	for name, leave := range map[string]func() error{
		"a link": func() error { return os.Symlink(precious, tmp) },
		"a file": func() error { return os.WriteFile(tmp, []byte("half of what was written"), 0o644) },
	} {
		if err := os.WriteFile(precious, []byte("precious"), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := leave(); err != nil {
			t.Fatal(err)
		}
		err := WriteAtomic(path, func(w io.Writer) error { _, err := io.WriteString(w, "new"); return err })
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != "new" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() {
			t.Errorf("%s: %v, %v", name, info, err)
		}
		if got, err := os.ReadFile(precious); err != nil || string(got) != "precious" {
			t.Errorf("%s: what it leads to is %q, %v", name, got, err)
		}
	}
}

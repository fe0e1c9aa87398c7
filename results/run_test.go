package results

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// started makes a folder with an unfinished run of three rows.
func started(t *testing.T, run Run) string {
	t.Helper()
	dir := t.TempDir()
	j, err := Open(dir, run)
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Append(someRows(3)...); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestRunFlippedBits: a flipped bit in run.json is refused or makes no difference.
func TestRunFlippedBits(t *testing.T) {
	run := someRun()
	run.Question = json.RawMessage(`{"model":"m","sha256":"-","seed":3}`)
	run.Machine = Machine{OS: "linux", Threads: 2}
	dir := started(t, run)
	path := filepath.Join(dir, runFile)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want, err := ReadRun(dir)
	if err != nil || want.SHA256 == "" {
		t.Fatalf("%+v, %v", want, err)
	}
	for bit := range 8 * len(whole) {
		b := bytes.Clone(whole)
		b[bit/8] ^= 1 << (bit % 8)
		got, err := parseRun(b)
		if err != nil {
			if !strings.HasPrefix(err.Error(), ":") {
				t.Fatalf("bit %d: error %v does not follow a file's name", bit, err)
			}
			continue
		}
		// One kind of white space may have become another.
		if !slices.Equal(got.Variants, want.Variants) || got.SHA256 != want.SHA256 || got.Name != want.Name || got.Machine.Threads != want.Machine.Threads {
			t.Fatalf("bit %d: read as %+v", bit, got)
		}
	}
	// Another variant name would change the order of the rows.
	b := bytes.Replace(whole, []byte(`"full"`), []byte(`"gull"`), 1)
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	for name, read := range map[string]func() error{
		"reading":    func() error { _, err := Read(dir); return err },
		"continuing": func() error { _, err := Open(dir, run); return err },
	} {
		if err := read(); err == nil || !strings.HasPrefix(err.Error(), path+": damaged: its sha256 is ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestRunWithoutChecksum: an old run.json without a checksum is read. When its run is continued, the fields that follow
// from the question are set anew, and the file gets a checksum.
func TestRunWithoutChecksum(t *testing.T) {
	dir := started(t, someRun())
	path := filepath.Join(dir, runFile)
	run, err := ReadRun(dir)
	if err != nil {
		t.Fatal(err)
	}
	run.SHA256, run.Version = "", "an old one"
	slices.Reverse(run.Variants)
	b, err := json.Marshal(run)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(b, []byte("sha256")) {
		t.Fatalf("%s", b)
	}
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	if s, err := Read(dir); err != nil || len(s.Rows) != 3 {
		t.Errorf("reading: %d rows, %v", len(s.Rows), err)
	}
	j, err := Open(dir, someRun())
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := ReadRun(dir)
	if err != nil || got.SHA256 == "" || !slices.Equal(got.Variants, someRun().Variants) || got.Version != "an old one" {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestJournalRefusesRowsOfAnotherRun: an undamaged line of another run is refused.
func TestJournalRefusesRowsOfAnotherRun(t *testing.T) {
	dir := started(t, someRun())
	path := filepath.Join(dir, journalFile)
	foreign := someRows(4)[3]
	foreign.Run = "another"
	line, err := appendLine(nil, &foreign)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(line); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	want := `is of the run "another", not of this one, "r"`
	for name, read := range map[string]func() error{
		"reading":    func() error { _, err := Read(dir); return err },
		"continuing": func() error { _, err := Open(dir, someRun()); return err },
	} {
		if err := read(); err == nil || !strings.HasPrefix(err.Error(), path+":4: row ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// It is not appended either, nor taken from the parquet of a finished run.
	dir = started(t, someRun())
	j, err := Open(dir, someRun())
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Append(foreign); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("appending: %v", err)
	}
	if err := j.Finish(); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(dir, parquetFile)
	if err := WriteFile(path, append(someRows(3), foreign)); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, someRun()); err == nil || !strings.HasPrefix(err.Error(), path+": row ") || !strings.Contains(err.Error(), want) {
		t.Errorf("continuing from the parquet: %v", err)
	}
}

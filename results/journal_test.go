package results

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func someRun() Run {
	return Run{
		Name:     "r",
		Question: json.RawMessage(`{"model":"m","budgets":["full","64"],"needle":{"seed":9007199254740993,"depths":[0,50]}}`),
		Tasks:    []string{"trec", "niah"}, Variants: []string{"snapkv(cap=64,w=32,k=7,pool=max,gqa=query_head)", "full"},
	}
}

func mustOpen(t *testing.T, dir string) *Journal {
	t.Helper()
	j, err := Open(dir, someRun())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	return j
}

// TestJournalTornAtEveryByte: a kill may stop a write at any byte. Open continues with the complete rows, and the
// journal becomes that of an undisturbed run.
func TestJournalTornAtEveryByte(t *testing.T) {
	dir := t.TempDir()
	rows := someRows(3)
	j := mustOpen(t, dir)
	if err := j.Append(rows[0], rows[1]); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, journalFile)
	before, _ := os.ReadFile(path)
	if err := j.Append(rows[2]); err != nil {
		t.Fatal(err)
	}
	whole, _ := os.ReadFile(path)
	j.Close()
	first := bytes.IndexByte(before, '\n') + 1
	step := 5
	if testing.Short() {
		step = 17
	}
	for n := 0; n <= len(whole); n += step {
		if err := os.WriteFile(path, whole[:n], 0o644); err != nil {
			t.Fatal(err)
		}
		want := 0
		for _, end := range []int{first, len(before), len(whole)} {
			if n >= end {
				want++
			}
		}
		j, err := Open(dir, someRun())
		if err != nil {
			t.Fatalf("cut at byte %d: %v", n, err)
		}
		if len(j.Rows()) != want {
			t.Fatalf("cut at byte %d: %d rows, want %d", n, len(j.Rows()), want)
		}
		for _, r := range rows {
			if !j.Finished(r.ID) {
				if err := j.Append(r); err != nil {
					t.Fatalf("cut at byte %d: %v", n, err)
				}
			}
		}
		j.Close()
		got, err := os.ReadFile(path)
		if err != nil || !bytes.Equal(got, whole) {
			t.Fatalf("cut at byte %d and continued: another journal (error %v)", n, err)
		}
	}
}

func TestJournalRefusesDamageInTheMiddle(t *testing.T) {
	dir := t.TempDir()
	j := mustOpen(t, dir)
	if err := j.Append(someRows(3)...); err != nil {
		t.Fatal(err)
	}
	j.Close()
	path := filepath.Join(dir, journalFile)
	whole, _ := os.ReadFile(path)
	lines := bytes.SplitAfter(whole, []byte("\n"))
	flip := func(line int, old, new string) []byte {
		c := append([][]byte(nil), lines...)
		c[line] = bytes.Replace(c[line], []byte(old), []byte(new), 1)
		if bytes.Equal(c[line], lines[line]) {
			t.Fatalf("line %d has no %q", line, old)
		}
		return bytes.Join(c, nil)
	}
	for name, c := range map[string]struct {
		text []byte
		want string
	}{
		"another digit": {flip(1, `"score":0.25`, `"score":0.75`), "journal.jsonl:2: damaged"},
		"no JSON":       {flip(0, `{`, `x`), "journal.jsonl:1: not a line of a journal"},
		"empty line":    {flip(2, "{", "\n{"), "journal.jsonl:3: not a line of a journal"},
		"a row twice":   {bytes.Join([][]byte{lines[0], lines[0]}, nil), "journal.jsonl:2: row"},
	} {
		if err := os.WriteFile(path, c.text, 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := Open(dir, someRun())
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
		if after, _ := os.ReadFile(path); !bytes.Equal(after, c.text) {
			t.Errorf("%s: the damaged journal was changed", name)
		}
	}
}

func TestJournalContinuesFinishesAndContinues(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	rows := someRows(24)
	j := mustOpen(t, dir)
	for _, r := range rows {
		if err := j.Append(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Append(rows[3]); err == nil || !strings.Contains(err.Error(), "finished already") {
		t.Errorf("the same row again: error %v", err)
	}
	if err := j.Finish(); err != nil {
		t.Fatal(err)
	}
	j.Close()
	if _, err := os.Stat(filepath.Join(dir, journalFile)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the journal is still there: %v", err)
	}
	want, err := os.ReadFile(filepath.Join(dir, parquetFile))
	if err != nil {
		t.Fatal(err)
	}

	// A finished run that is continued has every row and gives the same file.
	j = mustOpen(t, dir)
	for _, r := range rows {
		if !j.Finished(r.ID) {
			t.Fatalf("row %s is not finished", r.ID)
		}
	}
	if err := j.Finish(); err != nil {
		t.Fatal(err)
	}
	j.Close()
	if got, _ := os.ReadFile(filepath.Join(dir, parquetFile)); !bytes.Equal(got, want) {
		t.Error("finishing again gave another parquet file")
	}

	// A failed row may be tried again; the others stay.
	j = mustOpen(t, dir)
	failed := rows[6]
	if !j.Failed(failed.ID) {
		t.Fatal("row 6 did not fail")
	}
	failed.Error, failed.Score = "", new(1.0)
	if err := j.Append(failed); err != nil {
		t.Fatal(err)
	}
	j.Close()
	set, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	if !set.Partial || len(set.Rows) != len(rows) {
		t.Errorf("partial %v, %d rows: want the %d of the new journal", set.Partial, len(set.Rows), len(rows))
	}
	j = mustOpen(t, dir)
	if j.Failed(failed.ID) || len(j.Rows()) != len(rows) {
		t.Error("the second attempt did not replace the failed row")
	}
	if err := j.Finish(); err != nil {
		t.Fatal(err)
	}
	set, err = Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	if set.Partial || set.Run.Name == "" || set.Rows[0].Task != "trec" || !strings.HasPrefix(set.Rows[0].Variant, "snapkv") {
		t.Errorf("partial %v, run %q, first row %s %s: want the order that was asked", set.Partial, set.Run.Name, set.Rows[0].Task, set.Rows[0].Variant)
	}
}

func TestJournalOrderOfWorkPlaysNoPart(t *testing.T) {
	rows := someRows(40)
	var files [][]byte
	for seed := range uint64(3) {
		dir := t.TempDir()
		j := mustOpen(t, dir)
		for _, i := range rand.New(rand.NewPCG(seed, 1)).Perm(len(rows)) {
			if err := j.Append(rows[i]); err != nil {
				t.Fatal(err)
			}
		}
		if err := j.Finish(); err != nil {
			t.Fatal(err)
		}
		var all []byte
		for _, name := range []string{parquetFile, "summary.json", "summary.md"} {
			b, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, b...)
		}
		files = append(files, all)
	}
	for i := range files {
		if !bytes.Equal(files[i], files[0]) {
			t.Errorf("order of work %d gave other files", i)
		}
	}
}

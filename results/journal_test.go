package results

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
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

// A kill may stop a write at any byte: whatever is left, Open continues with the complete rows, and the finished
// files are those of a run that nobody disturbed.
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

	// Finished: continuing finds every row and makes the same file.
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

func TestOpenRefusesAnotherQuestion(t *testing.T) {
	dir := t.TempDir()
	mustOpen(t, dir).Close()
	other := someRun()
	other.Question = json.RawMessage(`{"budgets":["full","128"],"model":"m","needle":{"depths":[0,50],"seed":9007199254740992},"limit":3}`)
	_, err := Open(dir, other)
	var oq *OtherQuestionError
	if !errors.As(err, &oq) {
		t.Fatalf("error %v", err)
	}
	want := []string{
		`budgets: had ["full","64"], now ["full","128"]`,
		`limit: had nothing, now 3`,
		`needle.seed: had 9007199254740993, now 9007199254740992`,
	}
	if !reflect.DeepEqual(oq.Fields, want) {
		t.Errorf("fields %q, want %q", oq.Fields, want)
	}
	same := someRun()
	same.Question = json.RawMessage(`{ "needle": {"depths":[0, 50], "seed":9007199254740993}, "budgets":["full","64"], "model":"m" }`)
	j, err := Open(dir, same)
	if err != nil {
		t.Fatalf("the same question, written otherwise: %v", err)
	}
	j.Close()
}

func TestOpenRefuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	foreign := t.TempDir()
	if err := WriteFile(filepath.Join(foreign, parquetFile), someRows(1)); err != nil {
		t.Fatal(err)
	}
	broken := t.TempDir()
	if err := os.WriteFile(filepath.Join(broken, runFile), []byte("{\n  \"schema\": 1,\n  x"), 0o644); err != nil {
		t.Fatal(err)
	}
	newer := t.TempDir()
	if err := os.WriteFile(filepath.Join(newer, runFile), []byte(`{"schema": 9, "question": {}}`), 0o644); err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct{ dir, want string }{
		"a path under a file": {filepath.Join(file, "sub"), "file"},
		"a file":              {file, "file"},
		"rows of nobody":      {foreign, "no run.json"},
		"a broken run.json":   {broken, "run.json:3: "},
		"a newer run.json":    {newer, "schema 9"},
	}
	if os.Geteuid() != 0 {
		ro := t.TempDir()
		if err := os.Chmod(ro, 0o500); err != nil {
			t.Fatal(err)
		}
		cases["unwritable"] = struct{ dir, want string }{ro, "cannot be written"}
	}
	for name, c := range cases {
		if _, err := Open(c.dir, someRun()); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.dir) {
			t.Errorf("%s: error %v, want %q and the path", name, err, c.want)
		}
	}
	if _, err := Open(t.TempDir(), Run{}); err == nil || !strings.Contains(err.Error(), "no question") {
		t.Errorf("no question: %v", err)
	}
}

func TestOpenTwice(t *testing.T) {
	dir := t.TempDir()
	j := mustOpen(t, dir)
	if _, err := Open(dir, someRun()); err == nil || !strings.Contains(err.Error(), "another snapbench is writing") {
		t.Errorf("error %v", err)
	}
	j.Close()
	mustOpen(t, dir).Close()
}

func TestAppendRefusesRowsThatBreakTheRules(t *testing.T) {
	j := mustOpen(t, t.TempDir())
	nan := 0.0
	nan /= nan
	for name, change := range map[string]func(r *Row){
		"no id":           func(r *Row) { r.ID = "" },
		"neither":         func(r *Row) { r.Score = nil },
		"both":            func(r *Row) { r.Error = "x" },
		"score NaN":       func(r *Row) { r.Score = &nan },
		"score above 1":   func(r *Row) { r.Score = new(1.01) },
		"kl NaN":          func(r *Row) { r.KLMean = &nan },
		"without variant": func(r *Row) { r.Variant = "" },
	} {
		r := someRows(1)[0]
		change(&r)
		if err := j.Append(r); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if len(j.Rows()) != 0 {
		t.Errorf("%d rows", len(j.Rows()))
	}
	r := someRows(1)[0]
	r.Prediction = "a\xffb"
	if err := j.Append(r); err != nil {
		t.Fatal(err)
	}
	if p := j.Rows()[0].Prediction; p != "a\uFFFDb" {
		t.Errorf("prediction %q", p)
	}
}

func TestAppendOnAFullDisk(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_RDWR, 0)
	if err != nil {
		t.Skip("no /dev/full here")
	}
	dir := t.TempDir()
	j := mustOpen(t, dir)
	rows := someRows(3)
	if err := j.Append(rows[0]); err != nil {
		t.Fatal(err)
	}
	real := j.file
	j.file = full
	err = j.Append(rows[1])
	if err == nil || !strings.Contains(err.Error(), "the disk is full") || !strings.Contains(err.Error(), "the 1 rows before it are safe") {
		t.Errorf("error %v", err)
	}
	if j.Finished(rows[1].ID) {
		t.Error("a row that was not written counts as finished")
	}
	j.file = real
	if err := j.Append(rows[1:]...); err != nil {
		t.Fatal(err)
	}
	if err := j.Finish(); err != nil {
		t.Fatal(err)
	}
	if set, err := Read(dir); err != nil || len(set.Rows) != 3 {
		t.Errorf("%d rows, error %v", len(set.Rows), err)
	}
}

// TestKilled kills a process that writes a run, at random moments, and continues it, until it is done: the parquet
// file must be that of an undisturbed run.
func TestKilled(t *testing.T) {
	rows := someRows(120)
	if dir := os.Getenv("SNAPBENCH_TEST_RUN_DIR"); dir != "" { // the process to be killed
		j := mustOpen(t, dir)
		for i := 0; i < len(rows); i += 4 {
			if !j.Finished(rows[i].ID) {
				if err := j.Append(rows[i : i+4]...); err != nil {
					t.Fatal(err)
				}
				time.Sleep(2 * time.Millisecond)
			}
		}
		if err := j.Finish(); err != nil {
			t.Fatal(err)
		}
		return
	}
	if testing.Short() {
		t.Skip("starts processes")
	}
	quiet := t.TempDir()
	j := mustOpen(t, quiet)
	if err := j.Append(rows...); err != nil {
		t.Fatal(err)
	}
	if err := j.Finish(); err != nil {
		t.Fatal(err)
	}
	j.Close()
	want, err := os.ReadFile(filepath.Join(quiet, parquetFile))
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	kills := 0
	for kills < 20 {
		dir := t.TempDir()
		for {
			cmd := exec.Command(os.Args[0], "-test.run=^TestKilled$")
			cmd.Env = append(os.Environ(), "SNAPBENCH_TEST_RUN_DIR="+dir)
			var out bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &out
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			timer := time.AfterFunc(time.Duration(10+rng.IntN(120))*time.Millisecond, func() { cmd.Process.Kill() })
			err := cmd.Wait()
			timer.Stop()
			if err == nil {
				break
			}
			if s := fmt.Sprint(err); s != "signal: killed" {
				t.Fatalf("%s\n%s", s, out.String())
			}
			kills++
		}
		got, err := os.ReadFile(filepath.Join(dir, parquetFile))
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("after %d kills: another parquet file (error %v)", kills, err)
		}
	}
	t.Logf("%d kills", kills)
}

func TestMerge(t *testing.T) {
	rows := someRows(8)
	a := Set{Name: "a", Rows: rows[:5]}
	again := rows[4]
	again.Run, again.DecodeSeconds = "other", new(9.0)
	b := Set{Name: "b", Rows: append([]Row{again}, rows[5:]...)}
	m, err := Merge(a, b)
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Rows) != 8 {
		t.Errorf("%d rows, want 8", len(m.Rows))
	}
	b.Rows[0].Device += ":1" // another card of the kind
	if m, err = Merge(a, b); err != nil || len(m.Rows) != 8 {
		t.Errorf("%d rows of two cards, %v", len(m.Rows), err)
	}
	again.Prediction = "another"
	b.Rows[0] = again
	if _, err := Merge(a, b); err == nil || !strings.Contains(err.Error(), "different prediction") {
		t.Errorf("error %v", err)
	}
}

func TestReadRefuses(t *testing.T) {
	for dir, want := range map[string]string{
		t.TempDir():                           "not a run",
		filepath.Join(t.TempDir(), "nothing"): "no such file",
	} {
		if _, err := Read(dir); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: error %v, want %q", dir, err, want)
		}
	}
}

func FuzzJournal(f *testing.F) {
	var b []byte
	for _, r := range someRows(3) {
		b, _ = appendLine(b, &r)
	}
	f.Add(b)
	f.Add(b[:len(b)-5])
	other := someRows(1)[0]
	other.Run, other.Error, other.Score = "another", "no memory", nil
	failed, _ := appendLine(nil, &other)
	f.Add(append(failed, failed...)) // a later attempt
	f.Add(append(b[:len(b):len(b)], failed...))
	f.Add([]byte("{\"crc32\":\"00000000\",\"row\":null}\n"))
	f.Add([]byte("\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		j := Journal{at: map[string]int{}}
		n, err := parseJournal(b, j.take)
		if err != nil {
			if !strings.HasPrefix(err.Error(), ":") {
				t.Fatalf("error without a line: %v", err)
			}
			return
		}
		if n < len(b) && bytes.IndexByte(b[n:], '\n') >= 0 {
			t.Fatal("a complete line was taken for a torn one")
		}
		// What was read can be written and read again.
		var out []byte
		for i := range j.rows {
			if out, err = appendLine(out, &j.rows[i]); err != nil {
				t.Fatal(err)
			}
		}
		k := Journal{at: map[string]int{}}
		if _, err := parseJournal(out, k.take); err != nil || !reflect.DeepEqual(j.rows, k.rows) {
			t.Fatalf("rows do not come back the same: %v", err)
		}
	})
}

func FuzzRun(f *testing.F) {
	run := someRun()
	if err := run.fill(); err != nil {
		f.Fatal(err)
	}
	var b bytes.Buffer
	if err := run.write(&b); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add([]byte(`{"schema":1,"question":[[{"a":1}],{}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		run, err := parseRun(b)
		if err != nil {
			if !strings.HasPrefix(err.Error(), ":") {
				t.Fatalf("error %v does not follow a file name", err)
			}
			return
		}
		var out bytes.Buffer
		if err := run.write(&out); err != nil {
			t.Fatal(err)
		}
		again, err := parseRun(out.Bytes())
		if err != nil {
			t.Fatalf("%v in %s", err, out.Bytes())
		}
		if diff, err := Differs(run.Question, again.Question); err != nil || len(diff) > 0 {
			t.Fatalf("another question: %q %v", diff, err)
		}
	})
}

package parts

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/snapbench/snapbench/results"
)

// question is a run of 60 samples under 3 variants.
func question() results.Run {
	return results.Run{
		Question: json.RawMessage(`{"model":"m","budgets":["full","64","32"]}`), Started: time.Unix(1e9, 0).UTC(),
		Tasks: []string{"niah", "trec"}, Variants: []string{"full", "b", "a"}, Samples: []int{40, 20},
		Machine: results.Machine{OS: "linux", Devices: []string{"cuda:0: card A"}},
	}
}

// rows are the answers to a sample, as any process gives them but for times.
func rows(n int, seconds float64) []results.Row {
	task, sample := "niah", n
	if n >= 40 {
		task, sample = "trec", n-40
	}
	var list []results.Row
	for _, v := range question().Variants {
		r := results.Row{
			Model: "m", Task: task, Sample: fmt.Sprintf("s%d", sample), Variant: v, Policy: "p", Budget: v, Device: "cuda:0", DType: "float32",
			Prediction: fmt.Sprint("answer ", n, v), Metric: "exact", Score: new(float64(n % 2)), PrefillSeconds: new(seconds),
		}
		r.ID = r.Key()
		list = append(list, r)
	}
	return list
}

// part is a process that makes a part: until it is stopped, or to its end, which may be
// the run's.
type part struct {
	dir     string
	p       Part
	attempt string
	run     results.Run
	change  func(*results.Row)
	retry   bool
}

// make answers at most a number of samples; the part ends where that is enough.
func (w part) make(t *testing.T, most int) (joined bool) {
	t.Helper()
	j, err := Begin(w.dir, w.p, w.attempt, w.run)
	if err != nil {
		t.Error(err)
		return false
	}
	defer j.Close()
	for n := range 60 {
		if !w.p.Takes(n) {
			continue
		}
		var open []results.Row
		for _, r := range rows(n, rand.Float64()) {
			if j.Finished(r.ID) && !(w.retry && j.Failed(r.ID)) {
				continue
			}
			if w.change != nil {
				w.change(&r)
			}
			open = append(open, r)
		}
		if len(open) == 0 {
			continue
		}
		if most--; most < 0 {
			return false
		}
		if err := j.Append(open...); err != nil {
			t.Error(err)
			return false
		}
	}
	if err := j.FinishPart(); err != nil {
		t.Error(err)
		return false
	}
	f, err := Look(w.dir)
	if err != nil {
		t.Error(err)
		return false
	}
	if len(f.Unfinished(w.p.Count)) > 0 {
		return false
	}
	if _, err := Join(w.dir, false); err != nil {
		t.Error(err)
	}
	return true
}

const all = 1000 // samples: more than there are

// alone is the run that one process makes.
func alone(t *testing.T) results.Set {
	t.Helper()
	dir := t.TempDir()
	j, err := results.Open(dir, question())
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	for n := range 60 {
		if err := j.Append(rows(n, 1)...); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Finish(); err != nil {
		t.Fatal(err)
	}
	return read(t, dir)
}

func read(t *testing.T, dir string) results.Set {
	t.Helper()
	set, err := results.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// equal holds a joined run against the one that one process makes, and says how many
// rows were compared.
func equal(t *testing.T, dir string) {
	t.Helper()
	got, want := read(t, dir), alone(t)
	if len(got.Rows) != 180 || len(want.Rows) != 180 || got.Partial {
		t.Fatalf("%d rows, alone %d, partial %v", len(got.Rows), len(want.Rows), got.Partial)
	}
	for i := range got.Rows {
		g, w := got.Rows[i], want.Rows[i]
		g.PrefillSeconds, w.PrefillSeconds = nil, nil
		a, _ := json.Marshal(g)
		b, _ := json.Marshal(w)
		if string(a) != string(b) {
			t.Fatalf("row %d:\n%s\nalone:\n%s", i, a, b)
		}
	}
	if got.Run.Name != want.Run.Name || string(got.Run.Question) == "" {
		t.Errorf("run %q, alone %q", got.Run.Name, want.Run.Name)
	}
}

// A run in any number of parts, more than samples too, is the run of one process, and
// the part that ends last joins it.
func TestJoinIsOneProcess(t *testing.T) {
	for _, n := range []int{1, 3, 7, 80} {
		dir := t.TempDir()
		order := rand.Perm(n)
		for k, i := range order {
			w := part{dir: dir, p: Part{i, n}, attempt: "a", run: question()}
			if joined := w.make(t, all); joined != (k == n-1) {
				t.Fatalf("%d parts: part %d as number %d joined: %v", n, i, k+1, joined)
			}
			if k < n-1 {
				if _, err := results.Read(dir); err == nil || !strings.Contains(err.Error(), "results join") {
					t.Fatalf("read before it is joined: %v", err)
				}
			}
		}
		equal(t, dir)
		if f, err := Look(dir); err != nil {
			t.Error(err)
		} else if ok, err := IsJoined(f); !ok || err != nil {
			t.Errorf("joined: %v, %v", ok, err)
		}
	}
}

// An attempt skips what others have finished: of its part, of another number of parts,
// and of the folder before it was in parts.
func TestRowsCountNotParts(t *testing.T) {
	dir := t.TempDir()
	j, err := results.Open(dir, question())
	if err != nil {
		t.Fatal(err)
	}
	for n := range 10 {
		if err := j.Append(rows(n, 1)...); err != nil {
			t.Fatal(err)
		}
	}
	j.Close()
	part{dir: dir, p: Part{0, 3}, attempt: "killed", run: question()}.make(t, 4)
	part{dir: dir, p: Part{0, 3}, attempt: "again", run: question()}.make(t, 2)
	part{dir: dir, p: Part{2, 3}, attempt: "whole", run: question()}.make(t, all)
	for i := range 7 {
		part{dir: dir, p: Part{i, 7}, attempt: "a", run: question()}.make(t, all)
	}
	equal(t, dir)
	total := 0
	for _, a := range read(t, dir).Run.Attempts {
		total += a.Rows
	}
	joined, err := Join(dir, false)
	if err != nil || total != 180 || joined.Twice != 0 {
		t.Errorf("%d rows by attempts, %d made twice, %v", total, joined.Twice, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "journal.jsonl")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the journal of before: %v", err)
	}
}

// A row without an error beats one with, wherever it stands; of two with errors the first
// stays.
func TestErrorsAreBeaten(t *testing.T) {
	for _, c := range []struct {
		names [2]string
		fail  func(r *results.Row)
	}{
		{[2]string{"a", "b"}, noMemory}, {[2]string{"b", "a"}, noMemory},
		{[2]string{"a", "b"}, noPrompt}, {[2]string{"b", "a"}, noPrompt},
	} {
		names, fail := c.names, c.fail
		dir := t.TempDir()
		for i := range 2 {
			part{dir: dir, p: Part{i, 2}, attempt: names[0], run: question(), change: fail}.make(t, all)
		}
		if set := read(t, dir); set.Rows[0].Error == "" {
			t.Fatal("no error")
		}
		for i := range 2 {
			part{dir: dir, p: Part{i, 2}, attempt: names[1], run: question(), retry: true}.make(t, all)
		}
		equal(t, dir)
	}
}

func noMemory(r *results.Row) { r.Score, r.Error = nil, "no memory" }

// noPrompt fails before there is a prompt, so that the row has another identity than once it is answered.
func noPrompt(r *results.Row) {
	r.Score, r.Error = nil, "no tokenizer"
	r.ID = r.Key("no prompt")
}

// What would not be one run is refused, with its name, and nothing is changed.
func TestJoinRefuses(t *testing.T) {
	whole := func(dir string, change func(*part)) {
		for i := range 3 {
			w := part{dir: dir, p: Part{i, 3}, attempt: "a", run: question()}
			if i == 2 {
				change(&w)
			}
			w.make(t, all)
		}
	}
	for name, c := range map[string]struct {
		prepare func(dir string)
		want    []string
	}{
		"a part that never began": {func(dir string) {
			part{dir: dir, p: Part{0, 3}, attempt: "a", run: question()}.make(t, all)
			part{dir: dir, p: Part{2, 3}, attempt: "n", run: question()}.make(t, 5)
		}, []string{"75 of 180 rows", "1/3: never begun", "2/3: n on ", "with 15 rows", "--allow-missing"}},
		"rows that were lost": {func(dir string) {
			whole(dir, func(*part) {})
			os.Remove(filepath.Join(dir, "results.parquet"))
			os.RemoveAll(filepath.Join(dir, "parts", "1-of-3", "a"))
			part{dir: dir, p: Part{1, 3}, attempt: "b", run: question()}.make(t, all)
			os.Remove(filepath.Join(dir, "results.parquet"))
			os.RemoveAll(filepath.Join(dir, "parts", "1-of-3", "b"))
		}, []string{"120 of 180 rows", "1/3: never begun"}},
		"another answer": {func(dir string) {
			whole(dir, func(*part) {})
			part{dir: dir, p: Part{0, 1}, attempt: "x", run: question()}.make(t, all)
			os.Remove(filepath.Join(dir, "results.parquet"))
			os.RemoveAll(filepath.Join(dir, "parts", "0-of-1"))
			other, err := results.Open(filepath.Join(dir, "parts", "0-of-3", "b"), question())
			if err != nil {
				t.Fatal(err)
			}
			defer other.Close()
			r := rows(0, 1)[0]
			r.Prediction = "something else"
			if err := other.Append(r); err != nil {
				t.Fatal(err)
			}
		}, []string{"0-of-3/a", "0-of-3/b", "prediction", "something else"}},
		"another prompt": {func(dir string) {
			whole(dir, func(*part) {})
			os.Remove(filepath.Join(dir, "results.parquet"))
			other, err := results.Open(filepath.Join(dir, "parts", "0-of-3", "b"), question())
			if err != nil {
				t.Fatal(err)
			}
			defer other.Close()
			r := rows(0, 1)[0]
			r.PromptSHA256 = "00ff"
			r.ID = r.Key()
			if err := other.Append(r); err != nil {
				t.Fatal(err)
			}
		}, []string{"different prompts or settings", "0-of-3/a", "0-of-3/b", `sample "s0"`}},
		"another question": {func(dir string) {
			whole(dir, func(*part) {})
			os.Remove(filepath.Join(dir, "results.parquet"))
			run := question()
			run.Question = json.RawMessage(`{"model":"other","budgets":["full","64","32"]}`)
			j, err := results.Open(filepath.Join(dir, "parts", "0-of-3", "b"), run)
			if err != nil {
				t.Fatal(err)
			}
			j.Close()
		}, []string{"0-of-3/b", `model: had "other", now "m"`}},
		"nothing": {func(string) {}, []string{"no parts"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			c.prepare(dir)
			before := list(t, dir)
			_, err := Join(dir, false)
			if err == nil {
				t.Fatal("joined")
			}
			for _, want := range c.want {
				if !strings.Contains(filepath.ToSlash(err.Error()), want) {
					t.Errorf("%v\nwant %q in it", err, want)
				}
			}
			if after := list(t, dir); !slices.Equal(after, before) {
				t.Errorf("changed: %q, before %q", after, before)
			}
		})
	}
}

func list(t *testing.T, dir string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			info, _ := d.Info()
			names = append(names, fmt.Sprint(path, info.ModTime(), info.Size()))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// What is joined without some parts says so wherever it is read, and is whole when they
// are there.
func TestAllowMissing(t *testing.T) {
	dir := t.TempDir()
	part{dir: dir, p: Part{0, 3}, attempt: "a", run: question()}.make(t, all)
	joined, err := Join(dir, true)
	if err != nil || joined.Missing != 120 || !slices.Contains(joined.Warnings, "120 of 180 rows are missing") {
		t.Fatalf("%+v, %v", joined, err)
	}
	set := read(t, dir)
	if !set.Partial || set.Run.Missing != 120 {
		t.Errorf("partial %v, missing %d", set.Partial, set.Run.Missing)
	}
	for _, s := range results.Sections(set) {
		if !strings.Contains(s.Heading, "120 of 180 rows are missing") {
			t.Errorf("%q does not say it", s.Heading)
		}
	}
	if n := results.Summarize(set).Missing; n != 120 {
		t.Errorf("the summary in JSON says %d", n)
	}
	if f, err := Look(dir); err != nil {
		t.Error(err)
	} else if ok, _ := IsJoined(f); ok {
		t.Error("counts as joined")
	}
	for i := 1; i < 3; i++ {
		part{dir: dir, p: Part{i, 3}, attempt: "a", run: question()}.make(t, all)
	}
	equal(t, dir)
}

// A warning says where the parts' cards differ; which of several a card was does not
// count.
func TestCardsThatDiffer(t *testing.T) {
	for _, c := range []struct{ a, b, want string }{
		{"cuda:0: card A", "cuda:1: card A", ""},
		{"cuda:0: card A", "cuda:0: card B", "card A ("},
	} {
		dir := t.TempDir()
		for i, device := range []string{c.a, c.b} {
			run := question()
			run.Machine.Devices = []string{device}
			part{dir: dir, p: Part{i, 2}, attempt: "a", run: run}.make(t, all)
		}
		joined, err := Join(dir, false)
		if err != nil {
			t.Fatal(err)
		}
		if said := strings.Join(joined.Warnings, "\n"); (said == "") != (c.want == "") || !strings.Contains(said, c.want) {
			t.Errorf("%s and %s: %q", c.a, c.b, said)
		}
		if n := len(read(t, dir).Run.Attempts); n != 2 {
			t.Errorf("run.json names %d attempts", n)
		}
	}
}

package results

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestOpenRefusesAnotherQuestion(t *testing.T) {
	dir := t.TempDir()
	begun := mustOpen(t, dir)
	if err := begun.Append(someRows(1)[0]); err != nil {
		t.Fatal(err)
	}
	begun.Close()
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

// A folder in which nothing was answered is no loss: a corrected command begins in it. Whatever else lies
// there, as the positions that are written before rows, keeps it.
func TestOpenTakesAnUntouchedFolder(t *testing.T) {
	dir := t.TempDir()
	mustOpen(t, dir).Close()
	if err := os.WriteFile(filepath.Join(dir, "server.log"), []byte("no such option"), 0o600); err != nil {
		t.Fatal(err)
	}
	other := someRun()
	other.Question = json.RawMessage(`{"budgets":["full"]}`)
	j, err := Open(dir, other)
	if err != nil {
		t.Fatal(err)
	}
	j.Close()
	run, err := ReadRun(dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff, err := Differs(run.Question, other.Question); err != nil || len(diff) > 0 {
		t.Errorf("%q, %v", diff, err)
	}
	for _, name := range []string{"positions.jsonl", "cluster.json", PartsDir} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		var oq *OtherQuestionError
		if _, err := Open(dir, someRun()); !errors.As(err, &oq) {
			t.Errorf("%s: error %v", name, err)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
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
		cases["unwritable"] = struct{ dir, want string }{ro, "not allowed to this user"}
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

// Several joins at the same time make a folder's rows, where a journal is left of before, too; none does while that is written.
func TestReplaceAtOnce(t *testing.T) {
	dir := t.TempDir()
	j := mustOpen(t, dir)
	rows := someRows(3)
	if err := j.Append(rows[0]); err != nil {
		t.Fatal(err)
	}
	if err := Replace(dir, someRun(), rows); err == nil || !strings.Contains(err.Error(), "another snapbench is writing") {
		t.Errorf("while the journal is written: %v", err)
	}
	j.Close()
	other, err := lockDir(dir, true)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, someRun()); err == nil || !strings.Contains(err.Error(), "another snapbench is writing") {
		t.Errorf("opened beside a join: %v", err)
	}
	if err := errors.Join(Replace(dir, someRun(), rows), other.Close()); err != nil {
		t.Errorf("beside another: %v", err)
	}
	if set, err := Read(dir); err != nil || set.Partial || len(set.Rows) != len(rows) {
		t.Errorf("%d rows, partial %v, %v", len(set.Rows), set.Partial, err)
	}
}

package main

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"github.com/snapbench/snapbench/results"
)

// lbRow is a row in the benchmark's schema. A field changed to nil is left out; an empty id
// is null.
func lbRow(set, id string, change map[string]any) string {
	row := map[string]any{
		"input": "Question: what is it?", "context": "Some text that was written for a test. It says nothing.", "answers": []string{"Other"},
		"length": 12, "dataset": set, "language": "en", "all_classes": []string{"Other", "Food"}, "_id": id,
	}
	for name, value := range change {
		if row[name] = value; value == nil {
			delete(row, name)
		}
	}
	if id == "" {
		row["_id"] = nil
	}
	b, err := json.Marshal(row)
	if err != nil {
		panic(err)
	}
	return string(b) + "\n"
}

// zipped makes an archive; entries are name, content, name, content and so on.
func zipped(t *testing.T, entries ...string) string {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i < len(entries); i += 2 {
		w, err := z.CreateHeader(&zip.FileHeader{Name: entries[i], Method: zip.Deflate})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(entries[i+1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// Data that break the schema end the run before the first prompt, with an error that names
// file and line; datasets list gives the same error.
func TestLongBenchBadData(t *testing.T) {
	good := lbRow("trec", "a", nil)
	type otherTypes struct {
		Input   string `parquet:"input"`
		Context int64  `parquet:"context"`
	}
	var columns bytes.Buffer
	if err := parquet.Write(&columns, []otherTypes{{"a", 1}}); err != nil {
		t.Fatal(err)
	}
	model := tinyModel(t)
	for _, c := range []struct{ name, file, content, want string }{
		{"missing field", "trec.jsonl", good + lbRow("trec", "b", map[string]any{"answers": nil}), `trec.jsonl:2: field "answers" is missing: have _id, all_classes, context`},
		{"wrong type", "trec.jsonl", good + lbRow("trec", "b", map[string]any{"length": "12"}), `trec.jsonl:2: field "length": want a whole number from 0, got "12"`},
		{"answers no list", "trec.jsonl", lbRow("trec", "b", map[string]any{"answers": "Other"}), `trec.jsonl:1: field "answers": want a list of strings, got a string`},
		{"null context", "trec.jsonl", strings.Replace(good, `"context":"`, `"context":null,"x":"`, 1), `trec.jsonl:1: field "context": want a string, got null`},
		{"invalid UTF-8", "trec.jsonl", good + strings.Replace(lbRow("trec", "b", nil), "Some", "\xff", 1), `trec.jsonl:2: invalid UTF-8 at byte `},
		{"duplicate id", "trec.jsonl", good + lbRow("trec", "b", nil) + good, `trec.jsonl:3: id "a" was already used in line 1`},
		{"not JSON", "trec.jsonl", good + "{\"input\": \n", `trec.jsonl:2: field "input": not JSON`},
		{"another set's rows", "trec.jsonl", lbRow("lcc", "a", nil), `trec.jsonl:1: field "dataset" is "lcc", want "trec"`},
		{"no classes", "trec.jsonl", lbRow("trec", "a", map[string]any{"all_classes": []string{}}), `trec.jsonl:1: field "all_classes" names no classes`},
		{"empty file", "trec.jsonl", "", `trec.jsonl: no rows in it`},
		{"not gzip", "trec.jsonl.gz", good, `trec.jsonl.gz: gzip`},
		{"other columns", "trec.parquet", columns.String(), `trec.parquet: `},
		{"not parquet", "trec.parquet", good, `trec.parquet: `},
		{"zip outwards", "data.zip", zipped(t, "data/trec.jsonl", good, "../../evil.jsonl", good), `data.zip: entry "../../evil.jsonl" points out of the archive`},
		{"bad row in a zip", "data.zip", zipped(t, "data/trec.jsonl", good+"[]\n"), `data.zip:data/trec.jsonl:2: want a JSON object`},
		{"not a zip", "data.zip", good, `data.zip: zip: not a valid zip file`},
		{"nothing there", "other.txt", good, `set trec: no trec.jsonl, .jsonl.gz or .parquet in `},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, "here", c.file), c.content)
			out := filepath.Join(dir, "run")
			data := filepath.Join(dir, "here")
			status, _, stderr := snapbench("longbench", "--model", model, "--device", "cpu", "--tasks", "trec", "--data", data, "--out", out)
			if status != exitCannotRun || !strings.Contains(stderr, c.want) {
				t.Errorf("exit status %d, %s; want status %d and %q", status, stderr, exitCannotRun, c.want)
			}
			if _, err := os.Stat(out); err == nil {
				t.Error("it began a run")
			}
			status, _, stderr = snapbench("datasets", "list", "--data", data)
			want := c.want
			if strings.HasPrefix(want, "set trec: no") {
				want = "none of longbench's sets is there"
			}
			if status != exitCannotRun || !strings.Contains(stderr, want) {
				t.Errorf("datasets list: exit status %d, %s; want status %d and %q", status, stderr, exitCannotRun, want)
			}
			if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
				t.Errorf("something was written outside: %v (%v)", entries, err)
			}
		})
	}
}

// --limit takes the file's first rows; null ids become row numbers; a sample that is too
// long for the model is a row with an error, and the others are answered.
func TestLongBenchLimitAndLongSamples(t *testing.T) {
	dir := t.TempDir()
	var b strings.Builder
	b.WriteString(lbRow("trec", "first", nil))
	b.WriteString(lbRow("trec", "", map[string]any{"context": strings.Repeat("long text ", 9000)}))
	b.WriteString(lbRow("trec", "", map[string]any{"context": strings.Repeat("longer text ", 40)}))
	b.WriteString(lbRow("trec", "beyond the limit", nil))
	write(t, filepath.Join(dir, "trec.jsonl"), b.String())
	out := filepath.Join(dir, "run")
	// The limit lets 90,000 tokens through, of which the model can read 65,536: row 2 has no answer.
	args := []string{"longbench", "--model", tinyModel(t), "--device", "cpu", "--tasks", "trec", "--data", dir, "--limit", "3",
		"--max-length", "100000", "--max-new", "3", "--variants", "full;snapkv(cap=64,w=8,k=3,pool=max,gqa=query_head)", "--out", out}
	pass(t, args...)
	set, err := results.Read(out)
	if err != nil {
		t.Fatal(err)
	}
	samples := map[string]int{}
	for _, r := range set.Rows {
		samples[r.Sample]++
		if failed := r.Sample == "2"; failed != (r.Error != "") || failed && (!strings.Contains(r.Error, "context") || r.Score != nil) {
			t.Errorf("sample %s: error %q, score %v", r.Sample, r.Error, r.Score)
		}
	}
	if len(samples) != 3 || samples["first"] != 2 || samples["2"] != 2 || samples["3"] != 2 {
		t.Errorf("rows by sample: %v", samples)
	}
	// The same command again runs nothing and keeps the rows.
	before, err := os.ReadFile(filepath.Join(out, "results.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	pass(t, args...)
	after, err := os.ReadFile(filepath.Join(out, "results.parquet"))
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("the second run changed the results (%v)", err)
	}
}

package datasets

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// qasperRow is a row in the benchmark's schema. fields replace its own, or remove them where
// nil.
func qasperRow(id any, fields map[string]any) string {
	row := map[string]any{
		"input": "Who kept the books?", "context": "His daughter kept the books. {input} stays {context}.", "answers": []string{"his daughter"},
		"length": 9, "dataset": "qasper", "language": "en", "all_classes": nil, "_id": id,
	}
	for k, v := range fields {
		if v == "absent" {
			delete(row, k)
		} else {
			row[k] = v
		}
	}
	b, err := json.Marshal(row)
	if err != nil {
		panic(err)
	}
	return string(b) + "\n"
}

func writeFile(t testing.TB, path, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func gzipped(t testing.TB, text string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write([]byte(text))
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// archive writes a zip of names and texts, in order.
func archive(t testing.TB, path string, entries ...string) string {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i < len(entries); i += 2 {
		w, err := z.Create(entries[i])
		if err != nil {
			t.Fatal(err)
		}
		w.Write([]byte(entries[i+1]))
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return writeFile(t, path, b.String())
}

func TestLongBenchBadRows(t *testing.T) {
	good := qasperRow("a", nil)
	for want, text := range map[string]string{
		`:2: field "context" is missing: have _id, all_classes, `:     good + qasperRow("b", map[string]any{"context": "absent"}),
		`:1: field "length" is missing`:                               qasperRow("b", map[string]any{"length": "absent"}),
		`:2: field "input": want a string, got a number`:              good + qasperRow("b", map[string]any{"input": 3}),
		`:1: field "context": want a string, got null`:                qasperRow("b", map[string]any{"context": nil}),
		`:1: field "answers": want a list of strings, got a string`:   qasperRow("b", map[string]any{"answers": "x"}),
		`:1: field "answers": element 2: want a string, got a number`: qasperRow("b", map[string]any{"answers": []any{"x", 1}}),
		`:1: field "answers" is an empty list`:                        qasperRow("b", map[string]any{"answers": []any{}}),
		`:1: field "length": want a whole number from 0, got 1.5`:     qasperRow("b", map[string]any{"length": 1.5}),
		`:1: field "length": want a whole number from 0, got -1`:      qasperRow("b", map[string]any{"length": -1}),
		`:1: field "all_classes": want a list of strings, got an obj`: qasperRow("b", map[string]any{"all_classes": map[string]int{}}),
		`:1: field "_id": want a string, got a number`:                qasperRow(7, nil),
		`:1: field "dataset" is "trec", want "qasper"`:                qasperRow("b", map[string]any{"dataset": "trec"}),
		`:3: id "a" was already used in line 1`:                       good + qasperRow(nil, nil) + good,
		`:2: id "2" was already used in line 1`:                       qasperRow("2", nil) + qasperRow(nil, nil),
		`:1: invalid UTF-8 at byte 12 of the line`:                    "{\"input\": \"\xff\"}\n",
		`:1: field "input": not JSON: it ends too early`:              `{"input": "x`,
		`:1: field "input" comes twice`:                               `{"input": "x", "input": "y"}`,
		`:1: want a JSON object, got "[1]"`:                           `[1]`,
		`:1: text after the JSON object: "{}"`:                        strings.TrimSpace(good) + "{}",
		`:2: empty line`:                                              good + "\n" + qasperRow("b", nil),
		`: no rows in it`:                                             "\n\n",
	} {
		path := writeFile(t, filepath.Join(t.TempDir(), "qasper.jsonl"), text)
		_, err := Open("qasper", Options{Own: &LongBenchOptions{Data: filepath.Dir(path)}})
		if err == nil || !strings.Contains(err.Error(), path+want) {
			t.Errorf("want %s%s\n got %v", path, want, err)
		}
	}
}

func TestLongBenchSources(t *testing.T) {
	rows := qasperRow("a", nil) + qasperRow(nil, nil) + "\n"
	dir := t.TempDir()
	plainFile := filepath.Dir(writeFile(t, filepath.Join(dir, "1", "qasper.jsonl"), rows))
	packed := filepath.Dir(writeFile(t, filepath.Join(dir, "2", "data", "qasper.jsonl.gz"), gzipped(t, rows)))
	zipped := archive(t, filepath.Join(dir, "3", "data.zip"), "data/", "", "data/qasper_e.jsonl", "", "data/qasper.jsonl", rows)
	table := filepath.Join(dir, "4")
	writeParquet(t, filepath.Join(table, "qasper.parquet"), []modernRow{
		{"Who kept the books?", "His daughter kept the books. {input} stays {context}.", []string{"his daughter"}, 9, "qasper", "en", nil, new("a")},
		{"Who kept the books?", "His daughter kept the books. {input} stays {context}.", []string{"his daughter"}, 9, "qasper", "en", nil, nil},
	})
	m := Model{Tokenizer: wordwise()}
	for _, data := range []string{plainFile, packed, zipped, filepath.Dir(zipped), table} {
		k, err := Open("qasper", Options{Own: &LongBenchOptions{Data: data}})
		if err != nil {
			t.Error(err)
			continue
		}
		if k.Len() != 2 || k.ID(0) != "a" || k.ID(1) != "2" {
			t.Errorf("%s: %d rows, ids %q %q", data, k.Len(), k.ID(0), k.ID(k.Len()-1))
			continue
		}
		s := k.Sample(0, m)
		if s.Err != nil || !strings.Contains(s.Prompt, "Article: His daughter kept the books. {input} stays {context}.\n") || s.Length != 9 || s.Answers[0] != "his daughter" {
			t.Errorf("%s: %+v", data, s)
		}
	}
	for want, data := range map[string]string{
		"no data: want a folder with qasper.jsonl": "",
		"no such file":                               filepath.Join(dir, "nowhere"),
		"is neither a folder nor a .zip":             filepath.Join(plainFile, "qasper.jsonl"),
		"no qasper.jsonl, .jsonl.gz or .parquet in ": filepath.Dir(writeFile(t, filepath.Join(dir, "5", "x.jsonl"), "")),
		"is there twice: ":                           filepath.Dir(writeFile(t, filepath.Join(filepath.Dir(writeFile(t, filepath.Join(dir, "6", "qasper.jsonl"), rows)), "qasper.parquet"), "")),
		"gzip: invalid header":                       filepath.Dir(writeFile(t, filepath.Join(dir, "7", "qasper.jsonl.gz"), rows)),
		"unexpected EOF":                             filepath.Dir(writeFile(t, filepath.Join(dir, "8", "qasper.jsonl.gz"), gzipped(t, rows)[:60])),
		"zip: not a valid zip file":                  writeFile(t, filepath.Join(dir, "9", "data.zip"), "PK nothing"),
		`entry "../../evil" points out of the`:       archive(t, filepath.Join(dir, "10", "data.zip"), "data/qasper.jsonl", rows, "../../evil", "x"),
		`entry "/etc/x" points out of the`:           archive(t, filepath.Join(dir, "11", "data.zip"), "data/qasper.jsonl", rows, "/etc/x", "x"),
		`entry "a\\..\\x" points out of the`:         archive(t, filepath.Join(dir, "12", "data.zip"), "data/qasper.jsonl", rows, `a\..\x`, "x"),
		"qasper is there twice: ":                    archive(t, filepath.Join(dir, "13", "data.zip"), "a/qasper.jsonl", rows, "b/qasper.jsonl", rows),
		"data/qasper.jsonl:1: not JSON":              archive(t, filepath.Join(dir, "14", "data.zip"), "data/qasper.jsonl", "{"),
	} {
		if _, err := Open("qasper", Options{Own: &LongBenchOptions{Data: data}}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

func TestList(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "qasper.jsonl"), qasperRow("a", nil))
	writeFile(t, filepath.Join(dir, "qasper_e.jsonl.gz"), gzipped(t, qasperRow("a", map[string]any{"dataset": "qasper_e"})))
	writeFile(t, filepath.Join(dir, "trec.jsonl"), "{}")
	list, err := List(dir)
	if err != nil || len(list) != 3 {
		t.Fatalf("%v %v", list, err)
	}
	if l := list[0]; l.Set != "qasper" || l.Rows != 1 || l.Bytes != int64(len(qasperRow("a", nil))) || len(l.SHA256) != 64 || l.Err != nil {
		t.Errorf("%+v", l)
	}
	if l := list[1]; l.Set != "trec" || l.Err == nil {
		t.Errorf("%+v", l)
	}
	if l := list[2]; l.Set != "qasper_e" || l.Rows != 1 || l.Bytes != int64(len(gzipped(t, qasperRow("a", map[string]any{"dataset": "qasper_e"})))) {
		t.Errorf("%+v", l)
	}
	if _, err := List(filepath.Join(dir, "nowhere")); err == nil {
		t.Error("a folder that is not there has no list")
	}
}

func FuzzRows(f *testing.F) {
	f.Add([]byte(qasperRow("a", nil) + qasperRow(nil, map[string]any{"all_classes": []string{"x"}})))
	f.Add([]byte(`{"input":"\ud800","context":"","answers":[""],"length":1e1,"dataset":"qasper"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		rows := 0
		check := rowChecker{name: "qasper"}
		err := readJSONL("f", bytes.NewReader(text), nil, func(line int, row longbenchRow) error {
			if rows++; line < rows || row.answers == nil {
				t.Fatalf("line %d, row %d: %+v", line, rows, row)
			}
			return check.check(&row, line)
		})
		if err != nil && !strings.HasPrefix(err.Error(), "f:") {
			t.Fatalf("an error without file and line: %v", err)
		}
	})
}

func FuzzZip(f *testing.F) {
	dir := f.TempDir()
	for i, entries := range [][]string{
		{"data/qasper.jsonl", qasperRow("a", nil)}, {"../x", "", "qasper.jsonl.gz", gzipped(f, qasperRow("a", nil))},
	} {
		b, err := os.ReadFile(archive(f, filepath.Join(dir, fmt.Sprint(i, ".zip")), entries...))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		dir := t.TempDir()
		path := writeFile(t, filepath.Join(dir, "data.zip"), string(b))
		if rows, err := readSet(path, "qasper"); err == nil && len(rows) == 0 {
			t.Fatal("no rows and no error")
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
			t.Fatalf("files written: %v (%v)", left, err)
		}
	})
}

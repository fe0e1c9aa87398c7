package datasets

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
)

// qasperRow is a row of the test's own in the upstream schema; fields replace
// or, where nil, remove its own.
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

// modernRow has the columns as pyarrow writes them today.
type modernRow struct {
	Input      string   `parquet:"input"`
	Context    string   `parquet:"context"`
	Answers    []string `parquet:"answers,list"`
	Length     int64    `parquet:"length"`
	Dataset    string   `parquet:"dataset"`
	Language   string   `parquet:"language"`
	AllClasses []string `parquet:"all_classes,optional,list"`
	ID         *string  `parquet:"_id"`
}

func writeParquet[T any](t testing.TB, path string, rows []T, options ...parquet.WriterOption) string {
	t.Helper()
	var b bytes.Buffer
	w := parquet.NewGenericWriter[T](&b, options...)
	if _, err := w.Write(rows); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return writeFile(t, path, b.String())
}

func TestParquetColumns(t *testing.T) {
	type noContext struct {
		Input string `parquet:"input"`
	}
	type binaryContext struct {
		Input   string   `parquet:"input"`
		Context []byte   `parquet:"context"`
		Answers []string `parquet:"answers,list"`
	}
	type floatLength struct {
		Input   string   `parquet:"input"`
		Context string   `parquet:"context"`
		Answers []string `parquet:"answers,list"`
		Length  float64  `parquet:"length"`
	}
	type oneAnswer struct {
		Input   string `parquet:"input"`
		Context string `parquet:"context"`
		Answers string `parquet:"answers"`
	}
	type pair struct{ A, B string }
	type pairs struct {
		Input   string `parquet:"input"`
		Context pair   `parquet:"context"`
	}
	dir := t.TempDir()
	for want, file := range map[string]string{
		`column "context" is missing: have input`:                       writeParquet(t, filepath.Join(dir, "1", "qasper.parquet"), []noContext{{}}),
		`column "context": want a string, is BYTE_ARRAY`:                writeParquet(t, filepath.Join(dir, "2", "qasper.parquet"), []binaryContext{{}}),
		`column "length": want a whole number, is DOUBLE`:               writeParquet(t, filepath.Join(dir, "3", "qasper.parquet"), []floatLength{{}}),
		`column "answers": want a list of strings, is STRING in lists `: writeParquet(t, filepath.Join(dir, "4", "qasper.parquet"), []oneAnswer{{}}),
		`column "context": want a string, is a group of 2 columns`:      writeParquet(t, filepath.Join(dir, "5", "qasper.parquet"), []pairs{{}}),
		`qasper.parquet:2: field "dataset" is "trec", want "qasper"`: writeParquet(t, filepath.Join(dir, "6", "qasper.parquet"), []modernRow{
			{"q", "c", []string{"a"}, 1, "qasper", "en", nil, nil}, {"q", "c", []string{"a"}, 1, "trec", "en", nil, nil}}),
		`qasper.parquet:1: field "answers" is an empty list`: writeParquet(t, filepath.Join(dir, "7", "qasper.parquet"), []modernRow{{"q", "c", nil, 1, "qasper", "en", nil, nil}}),
		`qasper.parquet:1: field "context": invalid UTF-8 at byte 1`: writeParquet(t, filepath.Join(dir, "8", "qasper.parquet"), []modernRow{
			{"q", "c\xff", []string{"a"}, 1, "qasper", "en", nil, nil}}),
		`qasper.parquet:1: field "_id" is empty`: writeParquet(t, filepath.Join(dir, "9", "qasper.parquet"), []modernRow{
			{"q", "c", []string{"a"}, 1, "qasper", "en", nil, new("")}}),
		`qasper.parquet: not a parquet`:   writeFile(t, filepath.Join(dir, "10", "qasper.parquet"), "PAR1 and then nothing PAR1"),
		`qasper.parquet: no rows in it`:   writeParquet(t, filepath.Join(dir, "11", "qasper.parquet"), []modernRow{}),
		`2/qasper.parquet: no rows in it`: writeFile(t, filepath.Join(dir, "12", "qasper.parquet"), ""),
	} {
		_, err := Open("qasper", Options{Own: &LongBenchOptions{Data: filepath.Dir(file)}})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

// Old versions of pyarrow call a list's element item, and everything optional.
func TestParquetListItem(t *testing.T) {
	text := func() parquet.Node { return parquet.Optional(parquet.String()) }
	list := func() parquet.Node {
		return parquet.Optional(parquet.Group{"list": parquet.Repeated(parquet.Group{"item": text()})})
	}
	schema := parquet.NewSchema("schema", parquet.Group{
		"input": text(), "context": text(), "answers": list(), "length": parquet.Optional(parquet.Int(32)),
		"dataset": text(), "language": text(), "all_classes": list(), "_id": text(),
	})
	column := func(path ...string) int {
		leaf, ok := schema.Lookup(path...)
		if !ok {
			t.Fatalf("no column %q", path)
		}
		return leaf.ColumnIndex
	}
	values := func(answers []any, classes any, id any) parquet.Row {
		rows := make(map[int][]parquet.Value)
		put := func(v any, path ...string) {
			c := column(path...)
			switch v := v.(type) {
			case nil:
				rows[c] = []parquet.Value{parquet.NullValue().Level(0, 0, c)}
			case int:
				rows[c] = []parquet.Value{parquet.Int32Value(int32(v)).Level(0, 1, c)}
			case string:
				rows[c] = []parquet.Value{parquet.ByteArrayValue([]byte(v)).Level(0, 1, c)}
			case []any:
				if len(v) == 0 {
					rows[c] = []parquet.Value{parquet.NullValue().Level(0, 1, c)}
				}
				for i, e := range v {
					if e == nil {
						rows[c] = append(rows[c], parquet.NullValue().Level(min(i, 1), 2, c))
					} else {
						rows[c] = append(rows[c], parquet.ByteArrayValue([]byte(e.(string))).Level(min(i, 1), 3, c))
					}
				}
			}
		}
		put("q", "input")
		put("c", "context")
		put(answers, "answers", "list", "item")
		put(12, "length")
		put("trec", "dataset")
		put("en", "language")
		put(classes, "all_classes", "list", "item")
		put(id, "_id")
		var row parquet.Row
		for c := range len(schema.Columns()) {
			row = append(row, rows[c]...)
		}
		return row
	}
	read := func(rows ...parquet.Row) (Task, error) {
		var b bytes.Buffer
		w := parquet.NewWriter(&b, schema)
		if _, err := w.WriteRows(rows); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return Open("trec", Options{Own: &LongBenchOptions{Data: filepath.Dir(writeFile(t, filepath.Join(t.TempDir(), "trec.parquet"), b.String()))}})
	}
	k, err := read(values([]any{"Date", "Year"}, []any{"Date", "Place", ""}, nil), values([]any{""}, []any{"Date"}, "x"))
	if err != nil {
		t.Fatal(err)
	}
	rows := k.(*longbenchTask).rows
	want := []longbenchRow{
		{input: "q", context: "c", answers: []string{"Date", "Year"}, length: 12, dataset: "trec", language: "en", classes: []string{"Date", "Place", ""}, id: "1"},
		{input: "q", context: "c", answers: []string{""}, length: 12, dataset: "trec", language: "en", classes: []string{"Date"}, id: "x"},
	}
	if !reflect.DeepEqual(rows, want) {
		t.Errorf("got %+v\nwant %+v", rows, want)
	}
	for want, row := range map[string]parquet.Row{
		`:1: field "answers": element 2: want a string, got null`: values([]any{"a", nil}, []any{"Date"}, nil),
		`:1: field "answers" is an empty list`:                    values([]any{}, []any{"Date"}, nil),
		`:1: field "answers": want a list of strings, got null`:   values(nil, []any{"Date"}, nil),
		`:1: field "all_classes" names no classes`:                values([]any{"a"}, nil, nil),
	} {
		if want == `:1: field "answers": want a list of strings, got null` {
			c := column("answers", "list", "item")
			for i := range row {
				if row[i].Column() == c {
					row[i] = parquet.NullValue().Level(0, 0, c)
				}
			}
		}
		if _, err := read(row); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

func TestPromptsFile(t *testing.T) {
	for want, text := range map[string]string{
		`:1: neither "prompt" nor "messages"`:                                 `{"answers": ["a"]}`,
		`:1: both "prompt" and "messages"`:                                    `{"prompt": "x", "messages": [], "answers": ["a"]}`,
		`:2: field "answers" is missing: have prompt`:                         "{\"prompt\": \"x\", \"answers\": [\"a\"]}\n{\"prompt\": \"x\"}",
		`:1: field "answers" is an empty list`:                                `{"prompt": "x", "answers": []}`,
		`:1: field "answers": answer 1 is empty`:                              `{"prompt": "x", "answers": [""]}`,
		`:2: field "answers": answer 2 is empty`:                              "{\"prompt\": \"x\", \"answers\": [\"a\"]}\n{\"prompt\": \"x\", \"answers\": [\"a\", \"\"], \"metric\": \"recalled\"}",
		`:1: field "answers": want a list of strings, got a string`:           `{"prompt": "x", "answers": "a"}`,
		`:1: field "prompt": want a string, got a number`:                     `{"prompt": 3, "answers": ["a"]}`,
		`:1: field "prompt" is empty`:                                         `{"prompt": "", "answers": ["a"]}`,
		`:1: field "messages": want a list of {role, content}, got a string`:  `{"messages": "x", "answers": ["a"]}`,
		`:1: field "messages" is an empty list`:                               `{"messages": [], "answers": ["a"]}`,
		`:1: field "messages": message 2: field "content" is missing`:         `{"messages": [{"role": "user", "content": "x"}, {"role": "user"}], "answers": ["a"]}`,
		`:1: field "messages": message 1: want role and content and nothing`:  `{"messages": [{"role": "user", "content": "x", "name": "y"}], "answers": ["a"]}`,
		`:1: field "id": want a string, got a number`:                         `{"prompt": "x", "answers": ["a"], "id": 4}`,
		`:2: id "k" was already used in line 1`:                               "{\"prompt\": \"x\", \"answers\": [\"a\"], \"id\": \"k\"}\n{\"prompt\": \"y\", \"answers\": [\"a\"], \"id\": \"k\"}",
		`:1: field "metric": unknown metric "bleu": have `:                    `{"prompt": "x", "answers": ["a"], "metric": "bleu"}`,
		`:1: unknown field "answer": have answers, classes, id, max_new, mes`: `{"prompt": "x", "answers": ["a"], "answer": "b"}`,
		`:1: field "max_new": 0 new tokens`:                                   `{"prompt": "x", "answers": ["a"], "max_new": 0}`,
		`:1: invalid UTF-8 at byte 13 of the line`:                            "{\"prompt\": \"\xc3\", \"answers\": [\"a\"]}",
		`: no prompts in it`:                                                  "",
	} {
		path := writeFile(t, filepath.Join(t.TempDir(), "p.jsonl"), text)
		if _, err := Open("prompts", Options{Own: &PromptsOptions{File: path}}); err == nil || !strings.HasPrefix(err.Error(), path+want) {
			t.Errorf("want %s\n got %v", path+want, err)
		}
	}
	path := writeFile(t, filepath.Join(t.TempDir(), "p.jsonl"), `{"prompt": "<s>as it is", "answers": ["a", "b"], "id": "first", "metric": "qa_f1", "max_new": 7}
{"messages": [{"role": "user", "content": "hello there"}], "answers": ["c"]}
`)
	k, err := Open("prompts", Options{Own: &PromptsOptions{File: path}, Metric: "recalled", MaxNew: 20})
	if err != nil {
		t.Fatal(err)
	}
	m := Model{Tokenizer: wordwise(), Chat: bracketed}
	a, b := k.Sample(0, m), k.Sample(1, m)
	if a.Err != nil || a.Prompt != "<s>as it is" || len(a.IDs) != 4 || a.ID != "first" || a.Metric != "qa_f1" || a.MaxNew != 7 || len(a.Answers) != 2 {
		t.Errorf("%+v", a)
	}
	if b.Err != nil || b.Prompt != "<s>[INST] hello there [/INST]" || len(b.IDs) != 5 || b.ID != "2" || b.Metric != "recalled" || b.MaxNew != 20 {
		t.Errorf("%+v", b)
	}
	if s := k.Sample(1, Model{Tokenizer: wordwise()}); s.Err == nil || !strings.Contains(s.Err.Error(), `no chat template for "messages"`) {
		t.Errorf("%+v", s)
	}
	if got := Order(k); got[0] != 0 && got[1] != 0 || len(got) != 2 {
		t.Errorf("order %v", got)
	}
	if _, err := Open("prompts", Options{}); err == nil || !strings.Contains(err.Error(), "which file?") {
		t.Error(err)
	}
}

func FuzzRows(f *testing.F) {
	f.Add([]byte(qasperRow("a", nil) + qasperRow(nil, map[string]any{"all_classes": []string{"x"}})))
	f.Add([]byte(`{"input":"\ud800","context":"","answers":[""],"length":1e1,"dataset":"qasper"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		rows := 0
		check := rowChecker{name: "qasper"}
		err := readJSONL("f", bytes.NewReader(text), func(line int, row longbenchRow) error {
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

func FuzzPrompts(f *testing.F) {
	f.Add([]byte(`{"prompt": "x", "answers": ["a"], "id": "k", "metric": "qa_f1"}`))
	f.Add([]byte(`{"messages": [{"role": "user", "content": "x"}], "answers": ["a"], "classes": [], "max_new": 3}`))
	m := Model{Tokenizer: wordwise(), Chat: bracketed}
	f.Fuzz(func(t *testing.T, text []byte) {
		path := writeFile(t, filepath.Join(t.TempDir(), "p.jsonl"), string(text))
		k, err := Open("prompts", Options{Own: &PromptsOptions{File: path}})
		if err != nil {
			if !strings.HasPrefix(err.Error(), path+":") {
				t.Fatalf("an error without the file: %v", err)
			}
			return
		}
		seen := map[string]bool{}
		for i := range k.Len() {
			if s := k.Sample(i, m); s.ID == "" || seen[s.ID] || len(s.Answers) == 0 || s.MaxNew < 1 || (s.Err == nil) != (len(s.IDs) > 0) {
				t.Fatalf("%+v", s)
			} else {
				seen[s.ID] = true
			}
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

func FuzzParquet(f *testing.F) {
	b, err := os.ReadFile(writeParquet(f, filepath.Join(f.TempDir(), "x"), []modernRow{{"q", "c", []string{"a", "b"}, 1, "qasper", "en", []string{"x"}, new("i")}}))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		err := parquetRows("f", bytes.NewReader(b), int64(len(b)), func(int, longbenchRow) error { return nil })
		if err != nil && !strings.HasPrefix(err.Error(), "f:") {
			t.Fatalf("an error without the file: %v", err)
		}
	})
}

// Damaged files are errors, whatever the library makes of them, and cost
// little memory.
func TestParquetDamaged(t *testing.T) {
	whole, err := os.ReadFile(writeParquet(t, filepath.Join(t.TempDir(), "x"), []modernRow{{"q", "c", []string{"a", "b"}, 1, "qasper", "en", []string{"x"}, new("i")}}))
	if err != nil {
		t.Fatal(err)
	}
	rng := newRandom("damage")
	refused := 0
	for i := range 1000 {
		b := bytes.Clone(whole)
		if i%4 == 0 {
			b = b[:rng.intn(len(b))]
		}
		for range rng.intn(4) {
			if len(b) > 0 {
				b[rng.intn(len(b))] = byte(rng.intn(256))
			}
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := parquetRows("f", bytes.NewReader(b), int64(len(b)), func(int, longbenchRow) error { return nil })
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > 64<<20 {
			t.Errorf("variant %d: %d MB for a file of %d bytes (%v)", i, n>>20, len(b), err)
		}
		if err != nil {
			refused++
			if !strings.HasPrefix(err.Error(), "f:") {
				t.Errorf("variant %d: an error without the file: %v", i, err)
			}
		}
	}
	if refused < 200 {
		t.Errorf("%d of 1000 damaged files refused", refused)
	}
}

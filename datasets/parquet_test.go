package datasets

import (
	"bytes"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
)

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
		`qasper.parquet: column "input" is compressed with LZ4_RAW: have none, snappy`: writeParquet(t, filepath.Join(dir, "13", "qasper.parquet"), []modernRow{{"q", "c", []string{"a"}, 1, "qasper", "en", nil, nil}}, parquet.Compression(&parquet.Lz4Raw)),
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

// Old versions of pyarrow name a list's element item, and make every field optional.
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

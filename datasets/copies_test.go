package datasets

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"github.com/snapbench/snapbench/bounds"
)

// records reads all rows of a file.
func records(file string, wanted ...string) (rows []map[string]json.RawMessage, lines []int, err error) {
	err = eachRecord(file, wanted, func(line int, fields map[string]json.RawMessage) error {
		rows, lines = append(rows, fields), append(lines, line)
		return nil
	})
	return rows, lines, err
}

// The same rows are the same records in every format.
func TestRecords(t *testing.T) {
	type turn struct {
		Input  string   `parquet:"input"`
		Answer []string `parquet:"answer,list"`
	}
	type row struct {
		ID      int64   `parquet:"id"`
		Context *string `parquet:"context,optional"`
		Numbers []int32 `parquet:"numbers,list"`
		Turns   []turn  `parquet:"turns,list"`
		Share   float64 `parquet:"share"`
		Yes     bool    `parquet:"yes"`
		Unread  []byte  `parquet:"unread"`
	}
	rows := []row{
		{1, new("a \"b\" <c>"), []int32{7, -8}, []turn{{"q", []string{"x", "y"}}, {"r", nil}}, 0.5, true, []byte{0xff}},
		{2, nil, nil, nil, 2, false, nil},
		{3, new(""), []int32{1}, []turn{{"", []string{""}}, {"s", []string{"z"}}, {"t", nil}}, 0, false, nil},
	}
	want := []string{
		`{"id":1,"context":"a \"b\" <c>","numbers":[7,-8],"turns":[{"input":"q","answer":["x","y"]},{"input":"r","answer":[]}],"share":0.5,"yes":true}`,
		`{"id":2,"context":null,"numbers":[],"turns":[],"share":2,"yes":false}`,
		`{"id":3,"context":"","numbers":[1],"turns":[{"input":"","answer":[""]},{"input":"s","answer":["z"]},{"input":"t","answer":[]}],"share":0,"yes":false}`,
	}
	dir := t.TempDir()
	files := []string{
		writeParquet(t, filepath.Join(dir, "a.parquet"), rows),
		writeFile(t, filepath.Join(dir, "a.jsonl"), strings.Join(want, "\n")+"\n"),
		writeFile(t, filepath.Join(dir, "a.jsonl.gz"), gzipped(t, strings.Join(want, "\n"))),
		writeFile(t, filepath.Join(dir, "lines.json"), strings.Join(want, "\n")),
		writeFile(t, filepath.Join(dir, "list.json"), byteOrderMark+" [\n"+strings.Join(want, ",\n\n")+"]\n"),
	}
	for _, file := range files {
		got, lines, err := records(file, "id", "context", "numbers", "turns", "share", "yes")
		if err != nil || len(got) != len(want) || fmt.Sprint(lines) != "[1 2 3]" {
			t.Errorf("%s: %d rows, %v, %v", file, len(got), lines, err)
			continue
		}
		for i, text := range want {
			var one, other any
			b, err := json.Marshal(got[i])
			if err != nil || json.Unmarshal(b, &one) != nil || json.Unmarshal([]byte(text), &other) != nil || !reflect.DeepEqual(one, other) {
				t.Errorf("%s: row %d is %s, want %s (%v)", file, i+1, b, text, err)
			}
		}
	}
}

// Lists and records in old files: elements named item, fields optional at every level.
func TestRecordsOptional(t *testing.T) {
	text := func() parquet.Node { return parquet.Optional(parquet.String()) }
	list := func(of parquet.Node) parquet.Node {
		return parquet.Optional(parquet.Group{"list": parquet.Repeated(parquet.Group{"item": of})})
	}
	schema := parquet.NewSchema("schema", parquet.Group{"turns": list(parquet.Optional(parquet.Group{"answer": list(text()), "input": text()}))})
	level := func(v string, repetition, definition, column int) parquet.Value {
		return parquet.ValueOf(v).Level(repetition, definition, column)
	}
	null := func(repetition, definition, column int) parquet.Value {
		return parquet.Value{}.Level(repetition, definition, column)
	}
	path := filepath.Join(t.TempDir(), "old.parquet")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := parquet.NewWriter(f, schema)
	for _, row := range []parquet.Row{
		// turns: [{answer: [x, null], input: q}, null, {answer: [], input: null}]
		{level("x", 0, 6, 0), null(2, 5, 0), null(1, 2, 0), null(1, 4, 0), level("q", 0, 4, 1), null(1, 2, 1), null(1, 3, 1)},
		{null(0, 0, 0), null(0, 0, 1)}, // null
		{null(0, 1, 0), null(0, 1, 1)}, // []
	} {
		if _, err := w.WriteRows([]parquet.Row{row}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	rows, _, err := records(path, "turns")
	if err != nil || len(rows) != 3 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	for i, want := range []string{`[{"answer":["x",null],"input":"q"},null,{"answer":[],"input":null}]`, `null`, `[]`} {
		if got := string(rows[i]["turns"]); got != want {
			t.Errorf("row %d: %s, want %s", i+1, got, want)
		}
	}
}

// Errors name the file and the line.
func TestBadRecords(t *testing.T) {
	dir := t.TempDir()
	type bytesRow struct {
		A []byte `parquet:"a"`
	}
	type floatRow struct {
		A float64 `parquet:"a"`
	}
	write := func(name, text string) string { return writeFile(t, filepath.Join(dir, name), text) }
	for file, want := range map[string]string{
		write("1.json", "[\n{\"a\": 1},\n\n{\"a\": 1, \"a\": 2}]"):                          `1.json:4: field "a" comes twice`,
		write("2.json", "[{\"a\": 1},\n7]"):                                                 `2.json:2: want a JSON object, got "7"`,
		write("3.json", "[{\"a\": 1},\n{\"a\""):                                             `3.json:2: not JSON: it ends too early`,
		write("4.json", "[{\"a\": 1}]\n{}"):                                                 `4.json:2: text after the list: "{}"`,
		write("5.json", "{\"a\": 1}\n\n{}"):                                                 `5.json:2: empty line`,
		write("6.csv", "a"):                                                                 `6.csv: want a file that ends in .jsonl, .jsonl.gz, .json, .parquet`,
		write("7.jsonl.gz", "a"):                                                            `7.jsonl.gz: unexpected EOF`,
		write("8.parquet", "a"):                                                             `8.parquet: `,
		writeParquet(t, filepath.Join(dir, "9.parquet"), []bytesRow{{[]byte("a")}}):         `9.parquet: column "a": want text or numbers, is BYTE_ARRAY`,
		writeParquet(t, filepath.Join(dir, "10.parquet"), []floatRow{{1}, {nan()}}):         `10.parquet:2: field "a": the number NaN`,
		write("11.json", "[{\"a\": \""+strings.Repeat("x", bounds.MaxLine+70_000)+"\"}]\n"): `11.json:1: not JSON: one object of the list is longer than 64 MiB`,
	} {
		if _, _, err := records(file, "a"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", filepath.Base(file), err, want)
		}
	}
	if _, err := findCopies(dir, "nosuch", "x/*"); err == nil || !strings.Contains(err.Error(), "has no file nosuch, x/* (.jsonl, .jsonl.gz, .json, .parquet)") {
		t.Errorf("%v", err)
	}
	write("12/a.json", "")
	write("12/a.parquet", "")
	if _, err := findCopies(filepath.Join(dir, "12"), "a"); err == nil || !strings.Contains(err.Error(), "is there twice") {
		t.Errorf("%v", err)
	}
}

func nan() float64 { zero := 0.0; return zero / zero }

// Whatever a file holds, it is read as rows or refused with its name, and takes little memory.
func FuzzRecords(f *testing.F) {
	type row struct {
		A string   `parquet:"a"`
		B []string `parquet:"b,list"`
	}
	b, err := os.ReadFile(writeParquet(f, filepath.Join(f.TempDir(), "x"), []row{{"a", []string{"b", "c"}}, {"", nil}}))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b, uint8(3))
	f.Add([]byte(`{"a": "b"}`+"\n"+`{"a": [1, {"b": null}]}`), uint8(0))
	f.Add([]byte(" [\n{\"a\": \"b\"},\n{}]"), uint8(2))
	f.Fuzz(func(t *testing.T, b []byte, format uint8) {
		file := writeFile(t, filepath.Join(t.TempDir(), "f"+copyFormats[int(format)%len(copyFormats)]), string(b))
		n := allocated(func() {
			if _, _, err := records(file, "a", "b"); err != nil && !strings.HasPrefix(err.Error(), file) {
				t.Fatalf("an error without the file: %v", err)
			}
		})
		if n > 512<<20 {
			t.Fatalf("%d MB for a file of %d bytes", n>>20, len(b))
		}
	})
}

package results

import (
	"bytes"
	le "encoding/binary"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
)

func TestParquetRoundTrip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.parquet")
	for _, n := range []int{0, 1, 9, 1000} {
		rows := someRows(n)
		if err := WriteFile(path, rows); err != nil {
			t.Fatal(err)
		}
		got, err := ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != n || n > 0 && !reflect.DeepEqual(got, rows) {
			t.Fatalf("%d rows: they came back different", n)
		}
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm()&0o444 != 0o444 {
		t.Errorf("mode %v: others cannot read it", info.Mode())
	}
	if left, _ := filepath.Glob(path + ".tmp*"); left != nil {
		t.Errorf("left behind: %q", left)
	}
}

func TestParquetBytesAreDeterministic(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	for _, p := range []string{a, b} {
		if err := WriteFile(p, someRows(50)); err != nil {
			t.Fatal(err)
		}
	}
	x, _ := os.ReadFile(a)
	y, _ := os.ReadFile(b)
	if len(x) == 0 || !bytes.Equal(x, y) {
		t.Error("the same rows gave different files")
	}
}

// write makes a parquet file of any struct.
func write[T any](t *testing.T, rows ...T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.parquet")
	if err := parquet.WriteFile(path, rows); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestParquetRefusesOtherSchemas(t *testing.T) {
	type withList struct {
		Row
		Answers []string `parquet:"answers,list"`
	}
	type few struct {
		Model string `parquet:"model"`
	}
	type wrong struct {
		Score string `parquet:"score"`
	}
	type nested struct {
		Score struct {
			X float64 `parquet:"x"`
		} `parquet:"score"`
	}
	newer := filepath.Join(t.TempDir(), "newer.parquet")
	var b bytes.Buffer
	w := parquet.NewGenericWriter[Row](&b, parquet.KeyValueMetadata(keySchema, "99"))
	if _, err := w.Write(someRows(1)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(newer, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, []byte("score\n0.5\n0.25\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	bad := someRows(1)[0]
	bad.Score = new(1.5)
	for _, c := range []struct{ name, path, want string }{
		{"unknown column", write(t, withList{Row: someRows(1)[0]}), `column "answers" is not one of`},
		{"missing column", write(t, few{"m"}), `column "schema" is missing`},
		{"wrong type", write(t, wrong{"0.5"}), `column "score" has type`},
		{"nested", write(t, nested{}), `column "score" is nested`},
		{"newer", newer, "written by a newer snapbench: schema 99"},
		{"not parquet", text, "does not begin with PAR1"},
		{"score out of range", write(t, bad), "score 1.5 is not within 0 to 1"},
		{"absent", filepath.Join(t.TempDir(), "absent"), "no such file"},
		{"folder", t.TempDir(), "a folder"},
	} {
		_, err := ReadFile(c.path)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.path) {
			t.Errorf("%s: error %v, want %q and the path", c.name, err, c.want)
		}
	}
}

// foreign writes rows as another program would: every column nullable, without our metadata, and the named integer
// columns as floats, as pandas does if there are nulls.
func foreign(t *testing.T, rows []Row, floats ...string) []byte {
	t.Helper()
	rt := reflect.TypeFor[Row]()
	fields := make([]reflect.StructField, rt.NumField())
	for i := range fields {
		f := rt.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("parquet"), ",")
		typ := f.Type
		if typ.Kind() != reflect.Pointer && typ.Kind() != reflect.Map {
			typ = reflect.PointerTo(typ)
		}
		if slices.Contains(floats, name) {
			typ = reflect.TypeFor[*float64]()
		}
		fields[i] = reflect.StructField{Name: f.Name, Type: typ, Tag: reflect.StructTag(`parquet:"` + name + `,optional"`)}
	}
	ft := reflect.StructOf(fields)
	var b bytes.Buffer
	w := parquet.NewWriter(&b, parquet.SchemaOf(reflect.New(ft).Interface()))
	for i := range rows {
		v := reflect.New(ft).Elem()
		src := reflect.ValueOf(&rows[i]).Elem()
		for k := range fields {
			from := src.Field(k)
			if from.Kind() == reflect.Pointer {
				if from.IsNil() {
					continue
				}
				from = from.Elem()
			}
			if from.Kind() == reflect.Map {
				v.Field(k).Set(from)
				continue
			}
			p := reflect.New(fields[k].Type.Elem())
			p.Elem().Set(from.Convert(p.Elem().Type()))
			v.Field(k).Set(p)
		}
		if err := w.Write(v.Addr().Interface()); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestParquetReadsWhatOtherProgramsWrite(t *testing.T) {
	rows := someRows(20)
	for _, floats := range [][]string{nil, {"capacity", "kept_min", "cache_bytes", "first_divergence"}} {
		b := foreign(t, rows, floats...)
		got, err := readParquet(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, rows) {
			t.Errorf("%q as floats: the rows came back different", floats)
		}
	}
	// A float is refused in a column that is not nullable, and so is a fraction in an integer column.
	b := foreign(t, rows, "task_version")
	if _, err := readParquet(bytes.NewReader(b), int64(len(b))); err == nil || !strings.Contains(err.Error(), `column "task_version" has type DOUBLE, want int`) {
		t.Errorf("a version as float: %v", err)
	}
	var c Column
	for _, c = range columns {
		if c.Name == "capacity" {
			break
		}
	}
	if err := c.set(reflect.ValueOf(&Row{}).Elem(), parquet.DoubleValue(32.5)); err == nil || !strings.Contains(err.Error(), "32.5 is no whole number") {
		t.Errorf("half a token: %v", err)
	}
}

// TestParquetFlippedBits: a flipped bit is an error or changes no row.
func TestParquetFlippedBits(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.parquet")
	rows := someRows(12)
	if err := WriteFile(path, rows); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	for i := 0; i < len(whole); i += 13 {
		b := bytes.Clone(whole)
		b[i] ^= 1 << (i % 8)
		got, err := readParquet(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			refused++
		} else if !reflect.DeepEqual(got, rows) {
			t.Fatalf("byte %d flipped: other rows and no error", i)
		}
	}
	for n := 0; n < len(whole); n += 13 {
		if _, err := readParquet(bytes.NewReader(whole[:n]), int64(n)); err == nil {
			t.Fatalf("cut to %d of %d bytes: no error", n, len(whole))
		}
	}
	t.Logf("%d flips refused, the others left the rows as they were", refused)
}

// TestParquetEmptyForeign: Arrow and pandas write an empty table as a group without rows, whose columns have a dictionary
// and no data page. It is read as an empty table.
func TestParquetEmptyForeign(t *testing.T) {
	b := foreign(t, someRows(1))
	f, err := parquet.OpenFile(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	m := *f.Metadata()
	m.NumRows, m.RowGroups[0].NumRows = 0, 0
	for i := range m.RowGroups[0].Columns {
		c := &m.RowGroups[0].Columns[i].MetaData
		c.NumValues, c.TotalCompressedSize, c.DictionaryPageOffset, c.DataPageOffset = 0, 0, c.DataPageOffset, 0
	}
	footer, err := thrift.Marshal(new(thrift.CompactProtocol), &m)
	if err != nil {
		t.Fatal(err)
	}
	b = append(b[:len(b)-8-int(le.LittleEndian.Uint32(b[len(b)-8:]))], footer...)
	b = append(le.LittleEndian.AppendUint32(b, uint32(len(footer))), "PAR1"...)
	dir := t.TempDir()
	path := filepath.Join(dir, parquetFile)
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{path, dir} {
		if s, err := Read(p); err != nil || len(s.Rows) != 0 {
			t.Errorf("%s: %d rows, %v", p, len(s.Rows), err)
		}
	}
	if rows, err := ReadFile(path); err != nil || len(rows) != 0 {
		t.Errorf("%d rows, %v", len(rows), err)
	}
}

func FuzzParquet(f *testing.F) {
	path := filepath.Join(f.TempDir(), "r.parquet")
	for _, n := range []int{0, 1, 5} {
		if err := WriteFile(path, someRows(n)); err != nil {
			f.Fatal(err)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		rows, err := readParquet(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		for i := range rows {
			if err := rows[i].check(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

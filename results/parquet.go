package results

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"math"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"
	"github.com/parquet-go/parquet-go/format"

	"github.com/snapbench/snapbench/bounds"
	"github.com/snapbench/snapbench/bounds/pages"
)

// Keys of the parquet file's own metadata.
const (
	keySchema = "snapbench.schema" // Schema
	// keyBody is "N:sha256" of the file's first N bytes, all pages with their headers, which page checksums do not cover.
	keyBody = "snapbench.body.sha256"
	// keyRows is the sha256 of all rows as JSON lines: the footer could be damaged so that columns change places.
	keyRows = "snapbench.rows.sha256"
)

// WriteFile writes rows as parquet, whole or not at all. The order is the caller's (Run.Sort); the same rows give the
// same bytes.
func WriteFile(path string, rows []Row) error {
	for i := range rows {
		if err := rows[i].check(); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	digest, err := digest(rows)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return WriteAtomic(path, func(w io.Writer) error {
		body := &hashWriter{w: w, hash: sha256.New()}
		pw := parquet.NewGenericWriter[Row](body,
			parquet.WriteBufferSize(0), // what is flushed has passed the hash
			parquet.Compression(&zstd.Codec{}),
			parquet.CreatedBy("snapbench", fmt.Sprint(Schema), ""),
		)
		if _, err := pw.Write(rows); err != nil {
			return err
		}
		if err := pw.Flush(); err != nil {
			return err
		}
		pw.SetKeyValueMetadata(keySchema, fmt.Sprint(Schema))
		pw.SetKeyValueMetadata(keyBody, fmt.Sprintf("%d:%x", body.n, body.hash.Sum(nil)))
		pw.SetKeyValueMetadata(keyRows, digest)
		return pw.Close()
	})
}

type hashWriter struct {
	w    io.Writer
	hash hash.Hash
	n    int64
}

func (h *hashWriter) Write(p []byte) (int, error) {
	n, err := h.w.Write(p)
	h.hash.Write(p[:n])
	h.n += int64(n)
	return n, err
}

func digest(rows []Row) (string, error) {
	h := sha256.New()
	enc := json.NewEncoder(h)
	for i := range rows {
		if err := enc.Encode(&rows[i]); err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// ReadFile reads a parquet file of rows, of this schema version or an earlier one, written by snapbench or by another
// program that kept the columns (pandas and DuckDB make every column nullable, which is fine as long as no value is
// missing where one is needed). It reads by the file's own schema and refuses a column that it does not know, lacks,
// or finds with another type: a converter that guesses reads a list as an empty string.
func ReadFile(path string) ([]Row, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, explain(path, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, explain(path, err)
	}
	if info.IsDir() {
		return nil, fmt.Errorf("%s: a folder, want a parquet file", path)
	}
	rows, err := readParquet(f, info.Size())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return rows, nil
}

func readParquet(r io.ReaderAt, size int64) (rows []Row, err error) {
	// The library panics on some damaged files; to a user that is a damaged file like any other.
	defer func() {
		if p := recover(); p != nil {
			rows, err = nil, fmt.Errorf("damaged parquet file: %v", p)
		}
	}()
	budget := bounds.Unpacking(size)
	f, err := pages.Open(r, size, budget)
	if err != nil {
		return nil, err
	}
	if v, ok := f.Lookup(keySchema); ok {
		var n int
		if _, err := fmt.Sscan(v, &n); err != nil || n < 1 {
			return nil, fmt.Errorf("metadata %s: %q is no version", keySchema, v)
		}
		if n > Schema {
			return nil, fmt.Errorf("written by a newer snapbench: schema %d, this one reads 1 to %d", n, Schema)
		}
	}
	if err := checkBody(f, r, size); err != nil {
		return nil, err
	}
	fields, err := matchColumns(f.Schema())
	if err != nil {
		return nil, err
	}
	total := f.NumRows()
	if total < 0 || total > math.MaxInt32 {
		return nil, fmt.Errorf("damaged parquet file: %d rows", total)
	}
	buf := make([]parquet.Row, 64)
	for _, g := range f.RowGroups() {
		if g.NumRows() == 0 { // what other programs make of an empty table: a group whose pages the library looks for in vain
			continue
		}
		if err := readGroup(g, fields, buf, budget, &rows); err != nil {
			return nil, err
		}
	}
	if int64(len(rows)) != total {
		return nil, fmt.Errorf("damaged parquet file: %d rows, its footer says %d", len(rows), total)
	}
	if want, ok := f.Lookup(keyRows); ok {
		got, err := digest(rows)
		if err != nil {
			return nil, err
		}
		if got != want {
			return nil, fmt.Errorf("damaged: the rows' sha256 is %s, the file says %s", got, want)
		}
	}
	for i := range rows {
		if s := rows[i].Schema; s < 1 || s > Schema {
			return nil, fmt.Errorf("row %d: schema %d, this snapbench reads 1 to %d", i, s, Schema)
		}
		rows[i].Schema = Schema
		if err := rows[i].check(); err != nil {
			return nil, fmt.Errorf("row %d: %w", i, err)
		}
	}
	return rows, nil
}

// checkBody refuses, before its rows are read, a file whose pages are not what was written.
func checkBody(f *parquet.File, r io.ReaderAt, size int64) error {
	if v, ok := f.Lookup(keyBody); ok {
		length, want, _ := strings.Cut(v, ":")
		n, err := strconv.ParseInt(length, 10, 64)
		if err != nil || n < 0 || n > size {
			return fmt.Errorf("damaged parquet file: metadata %s: %q", keyBody, v)
		}
		h := sha256.New()
		if _, err := io.Copy(h, io.NewSectionReader(r, 0, n)); err != nil {
			return err
		}
		if got := hex.EncodeToString(h.Sum(nil)); got != want {
			return fmt.Errorf("damaged parquet file: the first %d bytes have sha256 %s, the footer says %s", n, got, want)
		}
	}
	return nil
}

// matchColumns finds for every leaf of a file's schema the field of Row that it fills.
func matchColumns(schema *parquet.Schema) ([]Column, error) {
	want := map[string]Column{}
	for _, c := range columns {
		want[c.Name] = c
	}
	var fields []Column
	for _, path := range schema.Columns() {
		name := path[0]
		c, ok := want[name]
		if !ok {
			return nil, fmt.Errorf("column %q is not one of a results file", name)
		}
		leaf, ok := schema.Lookup(path...)
		if !ok || len(path) != 1 || leaf.Node.Repeated() {
			return nil, fmt.Errorf("column %q is nested, want %s", name, c.Type)
		}
		if !accepts(c, leaf.Node.Type()) {
			return nil, fmt.Errorf("column %q has type %s, want %s", name, leaf.Node.Type(), c.Type)
		}
		if leaf.ColumnIndex != len(fields) {
			return nil, fmt.Errorf("damaged parquet file: column %q is number %d, want %d", name, leaf.ColumnIndex, len(fields))
		}
		fields = append(fields, c)
		delete(want, name)
	}
	for _, c := range columns {
		if _, missing := want[c.Name]; missing && !c.Nullable {
			return nil, fmt.Errorf("column %q is missing", c.Name)
		}
	}
	return fields, nil
}

// accepts says whether a column of a file can hold values of a Column's type. A logical type that would change their
// meaning (a date in an integer, a decimal in bytes) is refused. pandas turns integers with nulls into floats, which
// set takes where they are whole, and a column of nulls alone into one without a type.
func accepts(c Column, t parquet.Type) bool {
	var logical any
	if lt := t.LogicalType(); lt != nil {
		logical = lt.Value
	}
	_, isInt := logical.(*format.IntType)
	_, isString := logical.(*format.StringType)
	if _, null := logical.(*format.NullType); null {
		return c.Nullable
	}
	switch c.Type {
	case "int":
		if c.Nullable && t.Kind() == parquet.Double && logical == nil {
			return true
		}
		return (t.Kind() == parquet.Int64 || t.Kind() == parquet.Int32) && (logical == nil || isInt)
	case "float":
		return (t.Kind() == parquet.Double || t.Kind() == parquet.Float) && logical == nil
	case "string":
		return t.Kind() == parquet.ByteArray && (logical == nil || isString)
	}
	return false
}

func readGroup(g parquet.RowGroup, fields []Column, buf []parquet.Row, budget *bounds.Budget, rows *[]Row) error {
	rr := g.Rows()
	defer rr.Close()
	for {
		n, err := rr.ReadRows(buf)
		for _, values := range buf[:n] {
			var r Row
			if len(values) != len(fields) {
				return fmt.Errorf("row %d: %d values for %d columns", len(*rows), len(values), len(fields))
			}
			for _, v := range values {
				if v.Column() < 0 || v.Column() >= len(fields) {
					return fmt.Errorf("row %d: damaged: column number %d", len(*rows), v.Column())
				}
				if v.Kind() == parquet.ByteArray {
					if err := budget.Take(int64(len(v.ByteArray()))); err != nil { // a dictionary's texts may be many rows'
						return err
					}
				}
				if err := fields[v.Column()].set(&r, v); err != nil {
					return fmt.Errorf("row %d: column %q: %w", len(*rows), fields[v.Column()].Name, err)
				}
			}
			*rows = append(*rows, r)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("damaged parquet file after row %d: %w", len(*rows), err)
		}
		if n == 0 {
			return fmt.Errorf("damaged parquet file after row %d: no progress", len(*rows))
		}
	}
}

// set stores a parquet value in the column's field.
func (c Column) set(r *Row, v parquet.Value) error {
	f := reflect.ValueOf(r).Elem().Field(c.field)
	if v.IsNull() {
		if !c.Nullable {
			return errors.New("null where a value is needed")
		}
		return nil
	}
	if f.Kind() == reflect.Pointer {
		f.Set(reflect.New(f.Type().Elem()))
		f = f.Elem()
	}
	switch v.Kind() {
	case parquet.Int32:
		f.SetInt(int64(v.Int32()))
	case parquet.Int64:
		f.SetInt(v.Int64())
	case parquet.Float:
		f.SetFloat(float64(v.Float()))
	case parquet.Double:
		if x := v.Double(); f.CanInt() {
			if x != math.Trunc(x) || math.Abs(x) > 1<<53 {
				return fmt.Errorf("%v is no whole number", x)
			}
			f.SetInt(int64(x))
		} else {
			f.SetFloat(x)
		}
	case parquet.ByteArray:
		f.SetString(string(bytes.ToValidUTF8(slices.Clone(v.ByteArray()), []byte("\uFFFD"))))
	default:
		return fmt.Errorf("a value of kind %s", v.Kind())
	}
	return nil
}

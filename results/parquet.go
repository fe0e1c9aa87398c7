package results

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"

	"github.com/snapbench/snapbench/bounds"
	"github.com/snapbench/snapbench/bounds/pages"
	"github.com/snapbench/snapbench/inputs"
)

// Keys of the parquet file's own metadata.
const (
	keySchema = "snapbench.schema" // Schema
	// keyBody is "N:sha256" of the file's first N bytes: all pages with their headers. Page checksums do not cover headers.
	keyBody = "snapbench.body.sha256"
	// keyRows is the sha256 of all rows as JSON lines. It detects a damaged footer that exchanges columns.
	keyRows = "snapbench.rows.sha256"
)

// WriteFile writes rows as parquet, all of the file or nothing. It keeps the caller's order (see [Run.Sort]). The same
// rows give the same bytes.
func WriteFile(path string, rows []Row) error {
	if err := checkAll(rows); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return WriteAtomic(path, func(w io.Writer) error { return writeParquet(w, rows) })
}

func checkAll(rows []Row) error {
	for i := range rows {
		if err := rows[i].check(); err != nil {
			return err
		}
	}
	return nil
}

// ExportParquet writes the bytes that [WriteFile] writes to a file.
func ExportParquet(w io.Writer, rows []Row) error {
	if err := checkAll(rows); err != nil {
		return err
	}
	return writeParquet(w, rows)
}

// writeParquet writes rows that were checked.
func writeParquet(w io.Writer, rows []Row) error {
	digest, err := digest(rows)
	if err != nil {
		return err
	}
	body := &hashWriter{w: w, hash: sha256.New()}
	pw := parquet.NewGenericWriter[Row](body,
		parquet.WriteBufferSize(0), // so that the hash covers all that Flush wrote
		parquet.Compression(&zstd.Codec{}),
		parquet.CreatedBy("snapbench", fmt.Sprint(Schema), ""),
	)
	for batch := range slices.Chunk(rows, 256) {
		if _, err := pw.WriteRows(parquetRows(batch)); err != nil {
			return err
		}
	}
	if err := pw.Flush(); err != nil {
		return err
	}
	pw.SetKeyValueMetadata(keySchema, fmt.Sprint(Schema))
	pw.SetKeyValueMetadata(keyBody, fmt.Sprintf("%d:%x", body.n, body.hash.Sum(nil)))
	pw.SetKeyValueMetadata(keyRows, digest)
	return pw.Close()
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

func digest[T Row | row1](rows []T) (string, error) {
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
// program that kept the columns. (pandas and DuckDB make every column nullable; that is accepted if no required value
// is null.) It reads by the file's own schema and refuses an unknown column, a missing one, or one of another type: a
// converter that guesses would read a list as an empty string.
func ReadFile(path string) ([]Row, error) {
	f, err := inputs.Open(path)
	if err != nil {
		return nil, Explain(path, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, Explain(path, err)
	}
	rows, err := readParquet(f, info.Size())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return rows, nil
}

func readParquet(r io.ReaderAt, size int64) (rows []Row, err error) {
	// The library panics on some damaged files.
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
	total := f.NumRows()
	if total < 0 || total > math.MaxInt32 {
		return nil, fmt.Errorf("damaged parquet file: %d rows", total)
	}
	var version int
	if ofSchema1(f.Schema()) {
		version = 1
		var old []row1
		if old, err = readRows[row1](f, columns1, budget); err == nil {
			rows = upgrade(old)
			findFullCaches(rows)
		}
	} else {
		version = Schema
		rows, err = readRows[Row](f, columns, budget)
	}
	if err != nil {
		return nil, err
	}
	for i := range rows {
		if s := rows[i].Schema; s != version {
			return nil, fmt.Errorf("row %d: schema %d, its columns are those of schema %d (this snapbench reads 1 to %d)", i, s, version, Schema)
		}
		rows[i].Schema = Schema
		rows[i].renamed()
		if err := rows[i].check(); err != nil {
			return nil, fmt.Errorf("row %d: %w", i, err)
		}
	}
	return rows, nil
}

// readRows reads all rows of a file whose columns are T's.
func readRows[T Row | row1](f *parquet.File, columns []Column, budget *bounds.Budget) ([]T, error) {
	leaves, err := matchColumns(f.Schema(), columns)
	if err != nil {
		return nil, err
	}
	var rows []T
	buf := make([]parquet.Row, 64)
	for _, g := range f.RowGroups() {
		if g.NumRows() == 0 { // other programs write this for an empty table, and the library fails to find its pages
			continue
		}
		if err := readGroup(g, leaves, buf, budget, &rows); err != nil {
			return nil, err
		}
	}
	if n := f.NumRows(); int64(len(rows)) != n {
		return nil, fmt.Errorf("damaged parquet file: %d rows, its footer says %d", len(rows), n)
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
	return rows, nil
}

// checkBody refuses a file whose pages have changed since they were written, before rows are read.
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

package datasets

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/snapbench/snapbench/bounds"
	"github.com/snapbench/snapbench/inputs"
)

// copyFormats are the formats of files with a user's copy of a benchmark's rows, by the end of their names.
var copyFormats = []string{".jsonl", ".jsonl.gz", ".json", ".parquet"}

// findCopies returns the files under a folder, or the one file, whose names match the first of the patterns that any file
// matches. Patterns are those of path.Match without the ending, seen from the folder: "data/qa1/4k" finds
// data/qa1/4k.json. Parts of one table are in order.
func findCopies(data string, patterns ...string) ([]string, error) {
	info, err := os.Stat(data)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{data}, nil
	}
	for _, pattern := range patterns {
		var found []string
		for _, format := range copyFormats {
			names, err := filepath.Glob(filepath.Join(escapeGlob(data), filepath.FromSlash(pattern)+format))
			if err != nil {
				return nil, fmt.Errorf("pattern %q: %w", pattern, err)
			}
			if len(names) > 0 && len(found) > 0 {
				return nil, fmt.Errorf("%s is there twice: %s and %s", pattern, found[0], names[0])
			}
			found = append(found, names...)
		}
		if len(found) > 0 {
			slices.Sort(found)
			return found, nil
		}
	}
	return nil, fmt.Errorf("%s has no file %s (%s): %w", data, strings.Join(patterns, ", "), strings.Join(copyFormats, ", "), os.ErrNotExist)
}

// escapeGlob makes a path stand for itself in a pattern.
func escapeGlob(path string) string {
	return strings.NewReplacer(`*`, `[*]`, `?`, `[?]`, `[`, `[[]`).Replace(path)
}

// eachRecord calls row for every row of a file, with its line or, in a list or a table, its number from 1. Of a parquet file it has only the fields wanted.
// Errors name the file and the line.
func eachRecord(file string, wanted []string, row func(line int, fields map[string]json.RawMessage) error) error {
	f, err := inputs.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	budget := bounds.Unpacking(info.Size())
	counted := func(line int, fields map[string]json.RawMessage) error {
		if err := budget.TakeRow(len(fields)); err != nil {
			return err
		}
		return row(line, fields)
	}
	switch {
	case strings.HasSuffix(file, ".parquet"):
		return parquetRecords(file, f, info.Size(), budget, wanted, counted)
	case strings.HasSuffix(file, ".gz"):
		z, err := gzip.NewReader(f)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		return jsonRecords(file, budget.Reader(z), counted)
	case slices.Contains(copyFormats, path.Ext(file)):
		return jsonRecords(file, f, counted)
	}
	return fmt.Errorf("%s: want a file that ends in %s", file, strings.Join(copyFormats, ", "))
}

// jsonRecords reads a file of JSON objects, one a line, or one list of such objects.
func jsonRecords(file string, r io.Reader, row func(line int, fields map[string]json.RawMessage) error) error {
	in := bufio.NewReaderSize(r, 1<<16)
	begin, err := in.Peek(1 << 10) // a list may begin after a byte order mark and white space
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("%s: %w", file, err)
	}
	begin = bytes.TrimLeft(bytes.TrimPrefix(begin, []byte(byteOrderMark)), " \t\r\n")
	if len(begin) > 0 && begin[0] == '[' {
		return listRecords(file, in, row)
	}
	return eachLine(file, in, row)
}

const byteOrderMark = "\xEF\xBB\xBF"

// listRecords reads the objects of one JSON list, each of which may be as long as a line. The line of an error
// is that on which the object begins.
func listRecords(file string, in *bufio.Reader, row func(line int, fields map[string]json.RawMessage) error) error {
	if begin, err := in.Peek(len(byteOrderMark)); err == nil && string(begin) == byteOrderMark {
		in.Discard(len(byteOrderMark))
	}
	source := &listReader{r: in, left: bounds.MaxLine}
	dec := json.NewDecoder(source)
	if _, err := dec.Token(); err != nil {
		return &RowError{file, source.line(dec), "not JSON: " + cut(err).Error()}
	}
	for n := 1; dec.More(); n++ {
		var value json.RawMessage
		source.left = bounds.MaxLine
		if err := dec.Decode(&value); err != nil {
			return &RowError{file, source.line(dec), "not JSON: " + cut(err).Error()}
		}
		fields, err := object(value)
		if err == nil {
			err = row(n, fields)
		}
		if err != nil {
			return &RowError{file, source.line(dec) - bytes.Count(value, []byte("\n")), err.Error()}
		}
	}
	if _, err := dec.Token(); err != nil {
		return &RowError{file, source.line(dec), "not JSON: " + cut(err).Error()}
	}
	rest, err := io.ReadAll(io.LimitReader(io.MultiReader(dec.Buffered(), source), 1<<20))
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if rest = bytes.TrimSpace(rest); len(rest) > 0 {
		return &RowError{file, source.lines + 1, fmt.Sprintf("text after the list: %.40q", rest)}
	}
	return nil
}

// listReader counts lines, and fails where one object of a list is longer than a line may be.
type listReader struct {
	r     io.Reader
	left  int
	lines int // ended so far
}

func (l *listReader) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, fmt.Errorf("one object of the list is longer than %d MiB, the most that is read", bounds.MaxLine>>20)
	}
	n, err := l.r.Read(p[:min(len(p), l.left)])
	l.left -= n
	l.lines += bytes.Count(p[:n], []byte("\n"))
	return n, err
}

// line is that of what a decoder takes next.
func (l *listReader) line(dec *json.Decoder) int {
	ahead, err := io.ReadAll(dec.Buffered())
	if err != nil { // of a buffer in memory
		panic(err)
	}
	return 1 + l.lines - bytes.Count(bytes.TrimLeft(ahead, " \t\r\n,"), []byte("\n"))
}

// readCopies reads the rows of files, which are parts of one table.
func readCopies[T any](files, wanted []string, parse func(n int, fields map[string]json.RawMessage) (T, error)) ([]T, error) {
	var rows []T
	for _, file := range files {
		err := eachRecord(file, wanted, func(_ int, fields map[string]json.RawMessage) error {
			r, err := parse(len(rows)+1, fields)
			rows = append(rows, r)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	if len(rows) == 0 {
		return nil, fmt.Errorf("%s: no rows in it", files[0])
	}
	return rows, nil
}

package predictions

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/snapbench/snapbench/bounds"
)

// eachCSV calls row for every row of a table with a header, with the fields of the columns wanted. Errors name file
// and line.
func eachCSV(file string, r io.Reader, budget *bounds.Budget, wanted []string, row func(line int, fields []string) error) error {
	in := bufio.NewReader(r)
	if mark, err := in.Peek(3); err == nil && bytes.Equal(mark, []byte("\xEF\xBB\xBF")) {
		in.Discard(len(mark))
	}
	limited := &recordReader{r: in}
	c := csv.NewReader(limited)
	c.ReuseRecord = true
	next := func() ([]string, int, error) {
		limited.left = bounds.MaxLine
		fields, err := c.Read()
		if err == io.EOF {
			return nil, 0, err
		}
		var bad *csv.ParseError
		if errors.As(err, &bad) {
			return nil, 0, &RowError{file, bad.Line, bad.Err.Error()}
		}
		if err != nil {
			return nil, 0, fmt.Errorf("%s: %w", file, err)
		}
		line, _ := c.FieldPos(0)
		for i, f := range fields {
			if !utf8.ValidString(f) {
				return nil, 0, &RowError{file, line, fmt.Sprintf("column %d: invalid UTF-8 at byte %d", i+1, invalidAt([]byte(f)))}
			}
		}
		return fields, line, nil
	}
	header, _, err := next()
	if err == io.EOF {
		return fmt.Errorf("%s: no rows", file)
	}
	if err != nil {
		return err
	}
	columns := make([]int, len(wanted))
	for i, name := range wanted {
		if columns[i] = slices.Index(header, name); columns[i] < 0 {
			return &RowError{file, 1, fmt.Sprintf("no column %q: have %q", name, header)}
		}
	}
	for n := 0; ; n++ {
		fields, line, err := next()
		if err == io.EOF && n == 0 {
			return fmt.Errorf("%s: no rows", file)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := budget.TakeRow(len(wanted)); err != nil {
			return &RowError{file, line, err.Error()}
		}
		picked := make([]string, len(wanted))
		for i, k := range columns {
			picked[i] = strings.Clone(fields[k])
		}
		if err := row(line, picked); err != nil {
			return &RowError{file, line, err.Error()}
		}
	}
}

// recordReader fails where one row of a table is longer than a line may be.
type recordReader struct {
	r    io.Reader
	left int
}

func (r *recordReader) Read(p []byte) (int, error) {
	if r.left <= 0 {
		return 0, bounds.ErrLongLine
	}
	n, err := r.r.Read(p[:min(len(p), r.left)])
	r.left -= n
	return n, err
}

// eachObject calls row for every line of a file of JSON objects, of which at least one must be there. Errors name file
// and line.
func eachObject(file string, r io.Reader, budget *bounds.Budget, row func(line int, fields map[string]json.RawMessage) error) error {
	in := bufio.NewReaderSize(r, 1<<16)
	rows := 0
	for line := 1; ; line++ {
		text, end := bounds.ReadLine(in)
		if end != nil && end != io.EOF {
			return &RowError{file, line, end.Error()}
		}
		if text = bytes.TrimSpace(text); len(text) > 0 {
			var fields map[string]json.RawMessage
			err := budget.TakeRow(3)
			switch {
			case err != nil:
			case !utf8.Valid(text):
				err = fmt.Errorf("invalid UTF-8 at byte %d", invalidAt(text))
			case kind(text) != "an object":
				err = fmt.Errorf("expected an object, found %s", kind(text))
			default:
				if err = json.Unmarshal(text, &fields); err != nil {
					err = fmt.Errorf("not JSON: %w", err)
				} else {
					err = row(line, fields)
				}
			}
			if err != nil {
				return &RowError{file, line, err.Error()}
			}
			rows++
		} else if end == nil {
			return &RowError{file, line, "an empty line"}
		}
		if end == io.EOF {
			break
		}
	}
	if rows == 0 {
		return fmt.Errorf("%s: no rows", file)
	}
	return nil
}

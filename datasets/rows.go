package datasets

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/snapbench/snapbench/bounds"
)

// RowError is a row that breaks its schema.
type RowError struct {
	File string
	Line int // from 1; in parquet the number of the row
	Msg  string
}

func (e *RowError) Error() string { return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Msg) }

// eachLine calls row for every line of a JSONL file. Only the last lines may be blank. Errors
// name file and line.
func eachLine(file string, r io.Reader, row func(line int, fields map[string]json.RawMessage) error) error {
	in := bufio.NewReaderSize(r, 1<<16)
	blank := 0 // first blank line of a run
	for n := 1; ; n++ {
		line, err := bounds.ReadLine(in)
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("%s:%d: %w", file, n, err)
		}
		end := err != nil
		if n == 1 {
			line = bytes.TrimPrefix(line, []byte(byteOrderMark)) // the byte order mark that some programs begin files with
		}
		switch trimmed := bytes.TrimSpace(line); {
		case len(trimmed) > 0:
			if blank > 0 {
				return &RowError{file, blank, "empty line"}
			}
			fields, err := object(trimmed)
			if err == nil {
				err = row(n, fields)
			}
			if err != nil {
				return &RowError{file, n, err.Error()}
			}
		case len(line) > 0 && blank == 0:
			blank = n
		}
		if end {
			return nil
		}
	}
}

// object reads one JSON object. Unlike encoding/json it refuses invalid UTF-8 and duplicate
// keys.
func object(line []byte) (map[string]json.RawMessage, error) {
	if i := invalidUTF8(line); i >= 0 {
		return nil, fmt.Errorf("invalid UTF-8 at byte %d of the line", i+1)
	}
	dec := json.NewDecoder(bytes.NewReader(line))
	if t, err := dec.Token(); err != nil {
		return nil, fmt.Errorf("not JSON: %w", cut(err))
	} else if t != json.Delim('{') {
		return nil, fmt.Errorf("want a JSON object, got %.40q", line)
	}
	fields := map[string]json.RawMessage{}
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return nil, fmt.Errorf("not JSON: %w", cut(err))
		}
		key := t.(string) // the decoder allows nothing else here
		if _, twice := fields[key]; twice {
			return nil, fmt.Errorf("field %q comes twice", key)
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, fmt.Errorf("field %q: not JSON: %w", key, cut(err))
		}
		fields[key] = value
	}
	if _, err := dec.Token(); err != nil {
		return nil, fmt.Errorf("not JSON: %w", cut(err))
	}
	if rest := bytes.TrimSpace(line[dec.InputOffset():]); len(rest) > 0 {
		return nil, fmt.Errorf("text after the JSON object: %.40q", rest)
	}
	return fields, nil
}

// cut makes the error of a text that ends too early say so.
func cut(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("it ends too early")
	}
	return err
}

// kindOf names the type of a JSON value.
func kindOf(value json.RawMessage) string {
	switch {
	case len(value) == 0:
		return "nothing"
	case value[0] == '"':
		return "a string"
	case value[0] == '{':
		return "an object"
	case value[0] == '[':
		return "a list"
	case value[0] == 'n':
		return "null"
	case value[0] == 't' || value[0] == 'f':
		return "a truth value"
	}
	return "a number"
}

// stringField reads a required string.
func stringField(fields map[string]json.RawMessage, name string) (string, error) {
	value, ok := fields[name]
	if !ok {
		return "", missing(fields, name)
	}
	var s string
	if kindOf(value) != "a string" || json.Unmarshal(value, &s) != nil {
		return "", fmt.Errorf("field %q: want a string, got %s", name, kindOf(value))
	}
	return s, nil
}

// stringsField reads a required list of strings.
func stringsField(fields map[string]json.RawMessage, name string) ([]string, error) {
	value, ok := fields[name]
	if !ok {
		return nil, missing(fields, name)
	}
	var list []json.RawMessage
	if kindOf(value) != "a list" || json.Unmarshal(value, &list) != nil {
		return nil, fmt.Errorf("field %q: want a list of strings, got %s", name, kindOf(value))
	}
	out := make([]string, len(list))
	for i, v := range list {
		if kindOf(v) != "a string" || json.Unmarshal(v, &out[i]) != nil {
			return nil, fmt.Errorf("field %q: element %d: want a string, got %s", name, i+1, kindOf(v))
		}
	}
	return out, nil
}

// intField reads a required whole number that is not negative.
func intField(fields map[string]json.RawMessage, name string) (int, error) {
	value, ok := fields[name]
	if !ok {
		return 0, missing(fields, name)
	}
	var n int
	if kindOf(value) != "a number" || json.Unmarshal(value, &n) != nil || n < 0 {
		return 0, fmt.Errorf("field %q: want a whole number from 0, got %.40s", name, value)
	}
	return n, nil
}

func missing(fields map[string]json.RawMessage, name string) error {
	have := slices.Sorted(maps.Keys(fields))
	if len(have) == 0 {
		return fmt.Errorf("field %q is missing", name)
	}
	return fmt.Errorf("field %q is missing: have %s", name, strings.Join(have, ", "))
}

// ids gives the rows of a file their ids and refuses duplicates.
type ids struct {
	lines map[string]int
}

func (d *ids) add(id string, line int) error {
	if d.lines == nil {
		d.lines = map[string]int{}
	}
	if first, taken := d.lines[id]; taken {
		return fmt.Errorf("id %q was already used in line %d", id, first)
	}
	d.lines[id] = line
	return nil
}

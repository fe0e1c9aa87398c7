// Package predictions reads the prediction files that LongBench harnesses write,
// one SET.jsonl or SET.jsonl.gz per set, and grades them as the benchmark's own
// program does. Start with [ReadDir] and [Set.Score].
//
// A line is a JSON object with at least
//
//	pred         what the model wrote
//	answers      the accepted answers
//	all_classes  the class names of classification sets, else null
//	length       the length of the context in words or characters; only
//	             the length buckets need it
package predictions

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/snapbench/snapbench/bounds"
	"github.com/snapbench/snapbench/inputs"
	"github.com/snapbench/snapbench/metrics"
)

// Row is one graded answer of a model.
type Row struct {
	Line    int // in the file, from 1
	Pred    string
	Answers []string
	Classes []string // nil where all_classes is null
	Length  int      // -1 where the row has none
}

// Set is one prediction file.
type Set struct {
	// Name is the file's name without its ending, such as qasper or qasper_e.
	Name string
	// LongBenchSet is the set of the benchmark it answers.
	metrics.LongBenchSet
	File string
	Rows []Row // at least one
}

// RowError is a malformed row.
type RowError struct {
	File string
	Line int
	Msg  string
}

func (e *RowError) Error() string { return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Msg) }

// maxErrors is how many malformed rows of a file are reported one by one.
const maxErrors = 20

// ReadDir reads every SET.jsonl and SET.jsonl.gz of a directory and returns the
// sets in the order of [metrics.LongBench]. It ignores files with other endings;
// a .jsonl whose name is not a set's, or a set with two files, is an error. The
// error lists the malformed rows of every file, up to 20 in each.
func ReadDir(dir string) ([]Set, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("predictions: %w", err)
	}
	var sets []Set
	var errs []error
	seen := map[string]string{}
	for _, entry := range entries {
		name, ok := stem(entry.Name())
		if !ok || entry.IsDir() {
			continue
		}
		path := filepath.Join(dir, entry.Name())
		if other, twice := seen[name]; twice {
			errs = append(errs, fmt.Errorf("predictions: the set %s is in both %s and %s", name, other, path))
			continue
		}
		seen[name] = path
		set, err := ReadFile(path)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		sets = append(sets, set)
	}
	if len(seen) == 0 {
		return nil, fmt.Errorf("predictions: no SET.jsonl or SET.jsonl.gz in %s: sets are %s", dir, setNames())
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	order := map[string]int{}
	for i, s := range metrics.LongBench {
		order[s.Name] = i
	}
	slices.SortStableFunc(sets, func(a, b Set) int {
		if d := order[a.LongBenchSet.Name] - order[b.LongBenchSet.Name]; d != 0 {
			return d
		}
		return strings.Compare(a.Name, b.Name)
	})
	return sets, nil
}

// stem removes the ending from a prediction file's name.
func stem(file string) (name string, ok bool) {
	return strings.CutSuffix(strings.TrimSuffix(file, ".gz"), ".jsonl")
}

func setNames() string {
	names := make([]string, len(metrics.LongBench))
	for i, s := range metrics.LongBench {
		names[i] = s.Name
	}
	return strings.Join(names, ", ") + ", and those of LongBench-E with _e after their name"
}

// ReadFile reads one prediction file; its name says which set it is.
func ReadFile(path string) (Set, error) {
	name, ok := stem(filepath.Base(path))
	if !ok {
		return Set{}, fmt.Errorf("predictions: %s is neither a .jsonl nor a .jsonl.gz file", path)
	}
	base, e := strings.CutSuffix(name, "_e")
	set := Set{Name: name, File: path}
	if set.LongBenchSet, ok = metrics.LongBenchByName(base); !ok || e && !set.E {
		return Set{}, fmt.Errorf("predictions: unknown set %q in %s: have %s", name, path, setNames())
	}
	f, err := inputs.Open(path)
	if err != nil {
		return Set{}, fmt.Errorf("predictions: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return Set{}, fmt.Errorf("predictions: %w", err)
	}
	budget := bounds.Unpacking(info.Size())
	var r io.Reader = f
	if strings.HasSuffix(path, ".gz") {
		unzipped, err := gzip.NewReader(bufio.NewReader(f))
		if err != nil {
			return Set{}, fmt.Errorf("predictions: %s: %w", path, err)
		}
		r = budget.Reader(unzipped)
	}
	set.Rows, err = read(r, path, set.LongBenchSet, budget)
	if err != nil {
		return Set{}, err
	}
	return set, nil
}

// read reads the rows of one set. file is the name for errors.
func read(r io.Reader, file string, set metrics.LongBenchSet, budget *bounds.Budget) ([]Row, error) {
	var rows []Row
	var errs []error
	bad := 0
	in := bufio.NewReaderSize(r, 1<<16)
	for line := 1; ; line++ {
		text, err := bounds.ReadLine(in)
		if err != nil && err != io.EOF {
			errs = append(errs, &RowError{file, line, err.Error()})
			break
		}
		if err == io.EOF && len(text) == 0 {
			break
		}
		row, msg := parse(text, set)
		if msg == "" {
			if err := budget.TakeRow(len(row.Answers) + len(row.Classes)); err != nil {
				return nil, &RowError{file, line, err.Error()}
			}
			row.Line = line
			rows = append(rows, row)
		} else if bad++; bad <= maxErrors {
			errs = append(errs, &RowError{file, line, msg})
		}
		if err == io.EOF {
			break
		}
	}
	if bad > maxErrors {
		errs = append(errs, fmt.Errorf("%s: and %d more malformed rows", file, bad-maxErrors))
	}
	if len(errs) == 0 && len(rows) == 0 {
		return nil, fmt.Errorf("%s: no rows", file)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return rows, nil
}

// parse reads one row; msg says what is wrong with it.
func parse(text []byte, set metrics.LongBenchSet) (row Row, msg string) {
	text = bytes.TrimRight(text, "\r\n")
	if !utf8.Valid(text) {
		return row, fmt.Sprintf("invalid UTF-8 at byte %d", invalidAt(text))
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return row, "an empty line"
	}
	// A map, because encoding/json would take a field Pred for pred.
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(text, &fields); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			return row, fmt.Sprintf("not JSON: %v at byte %d", err, syntax.Offset)
		}
		return row, fmt.Sprintf("expected an object, found %s", kind(text))
	}
	if fields == nil {
		return row, "expected an object, found null"
	}
	for _, name := range []string{"pred", "answers", "all_classes"} {
		if _, ok := fields[name]; !ok {
			return row, fmt.Sprintf("no field %q", name)
		}
	}
	if kind(fields["pred"]) != "a string" || json.Unmarshal(fields["pred"], &row.Pred) != nil {
		return row, fmt.Sprintf("pred: expected a string, found %s", kind(fields["pred"]))
	}
	if row.Answers, msg = list("answers", fields["answers"]); msg != "" {
		return row, msg
	}
	if len(row.Answers) == 0 {
		return row, "answers: an empty list, nothing to compare with"
	}
	if kind(fields["all_classes"]) != "null" {
		if row.Classes, msg = list("all_classes", fields["all_classes"]); msg != "" {
			return row, msg
		}
	}
	if set.Metric == "classification" && len(row.Classes) == 0 {
		return row, fmt.Sprintf("all_classes: %s is graded by the class names, which are missing", set.Name)
	}
	row.Length = -1
	if length, ok := fields["length"]; ok && kind(length) != "null" {
		if kind(length) != "a number" {
			return row, fmt.Sprintf("length: expected a number, found %s", kind(length))
		}
		if json.Unmarshal(length, &row.Length) != nil || row.Length < 0 {
			return row, fmt.Sprintf("length: %s is no count", length)
		}
	}
	return row, ""
}

// list reads a list of strings.
func list(field string, raw json.RawMessage) (values []string, msg string) {
	if kind(raw) != "a list" {
		return nil, fmt.Sprintf("%s: expected a list of strings, found %s", field, kind(raw))
	}
	var items []json.RawMessage
	if err := json.Unmarshal(raw, &items); err != nil {
		return nil, fmt.Sprintf("%s: %v", field, err)
	}
	values = make([]string, len(items))
	for i, item := range items {
		if kind(item) != "a string" || json.Unmarshal(item, &values[i]) != nil {
			return nil, fmt.Sprintf("%s[%d]: expected a string, found %s", field, i, kind(item))
		}
	}
	return values, ""
}

// kind names the type of a JSON value by its first character.
func kind(raw []byte) string {
	raw = bytes.TrimLeft(raw, " \t\r\n")
	if len(raw) == 0 {
		return "nothing"
	}
	switch raw[0] {
	case '"':
		return "a string"
	case '{':
		return "an object"
	case '[':
		return "a list"
	case 't', 'f':
		return "a truth value"
	case 'n':
		return "null"
	}
	return "a number"
}

// invalidAt is the offset of the first byte that is not UTF-8.
func invalidAt(text []byte) int {
	at := 0
	for at < len(text) {
		r, size := utf8.DecodeRune(text[at:])
		if r == utf8.RuneError && size == 1 {
			break
		}
		at += size
	}
	return at
}

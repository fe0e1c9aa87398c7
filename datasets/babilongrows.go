package datasets

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/snapbench/snapbench/metrics"
)

// babilongFiles are the files of a task and length, in the layouts of the two published collections.
func babilongFiles(data, task, length string) ([]string, error) {
	return findCopies(data, "data/"+task+"/"+length, task+"/"+length, length+"/"+task+"-*", "data/"+length+"/"+task+"-*", task+"/"+length+"-*")
}

// babilongThere lists the lengths of a task that a folder has, shortest first.
func babilongThere(data, task string) ([]string, error) {
	lengths := map[string]bool{}
	root, err := filepath.EvalSymlinks(data) // a link would not be walked into
	if err != nil {
		return nil, err
	}
	err = filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		for part := range strings.SplitSeq(filepath.ToSlash(strings.TrimPrefix(path, root)), "/") {
			part, _, _ = strings.Cut(part, ".")
			if part, _, _ = strings.Cut(part, "-"); babilongTokens(part) >= 0 {
				lengths[part] = true
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var there []string
	for length := range lengths {
		if _, err := babilongFiles(data, task, length); err == nil {
			there = append(there, length)
		} else if !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
	}
	if len(there) == 0 {
		return nil, fmt.Errorf("%s has no rows of %s, such as data/%s/4k.json: %w", data, task, task, os.ErrNotExist)
	}
	slices.SortFunc(there, func(a, b string) int { return cmp.Compare(babilongTokens(a), babilongTokens(b)) })
	return there, nil
}

// babilongTokens is about how many tokens a length's name stands for, -1 where it is no length.
func babilongTokens(length string) int {
	for unit, tokens := range map[string]int{"k": 1000, "M": 1_000_000} {
		if digits, ok := strings.CutSuffix(length, unit); ok {
			if n, err := strconv.Atoi(digits); err == nil && n >= 0 && n < 10_000 && strconv.Itoa(n) == digits {
				return n * tokens
			}
		}
	}
	return -1
}

// readBABILong reads the rows of a task; without lengths, of all that are there.
func readBABILong(data, task string, lengths []string) (all []babilongRow, err error) {
	if info, err := os.Stat(data); err != nil {
		return nil, err
	} else if !info.IsDir() {
		return nil, fmt.Errorf("%s: want a folder, which says of what task and length its files are", data)
	}
	if len(lengths) == 0 {
		if lengths, err = babilongThere(data, task); err != nil {
			return nil, err
		}
	}
	for _, length := range lengths {
		if babilongTokens(length) < 0 {
			return nil, &OptionError{fmt.Errorf("--row-lengths: %q: want lengths as the benchmark names them: 0k, 4k, 1M", length)}
		}
		files, err := babilongFiles(data, task, length)
		if err != nil {
			return nil, err
		}
		rows, err := readCopies(files, []string{"input", "question", "target"}, func(n int, fields map[string]json.RawMessage) (row babilongRow, err error) {
			row.length, row.id = length, fmt.Sprintf("%s/%d", length, n)
			if row.input, err = stringField(fields, "input"); err == nil {
				if row.question, err = stringField(fields, "question"); err == nil {
					row.target, err = stringField(fields, "target")
				}
			}
			if err == nil && (row.target == "" || strip(row.question) == "") {
				err = fmt.Errorf(`fields "question" and "target": want some text in each, got %q and %q`, row.question, row.target)
			}
			if err == nil {
				row.classes, err = metrics.BABILongClasses(task, row.question)
			}
			return row, err
		})
		if err != nil {
			return nil, err
		}
		all = append(all, rows...)
	}
	return all, nil
}

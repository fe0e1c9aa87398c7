package datasets

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// SetInfo describes the file of a set.
type SetInfo struct {
	Set    string // the task's name
	File   string // path; for an entry the archive's path, a colon and the entry's name
	Rows   int
	Bytes  int64  // of the file as stored; of an entry, unpacked
	SHA256 string // of the same bytes
	Err    error  // a row that breaks the schema, or a file that can't be read
}

// MarshalJSON writes the error as a text, where there is one.
func (s SetInfo) MarshalJSON() ([]byte, error) {
	line := struct {
		Set    string `json:"set"`
		Rows   int    `json:"rows"`
		Bytes  int64  `json:"bytes"`
		SHA256 string `json:"sha256"`
		File   string `json:"file"`
		Error  string `json:"error,omitempty"`
	}{Set: s.Set, Rows: s.Rows, Bytes: s.Bytes, SHA256: s.SHA256, File: s.File}
	if s.Err != nil {
		line.Error = s.Err.Error()
	}
	return json.Marshal(line)
}

// Sets are the sets of LongBench that a folder or archive has.
type Sets []SetInfo

// List returns the sets of LongBench that a folder or archive has, in the order of
// LongBenchSets. Every row is checked.
func List(data string) (Sets, error) {
	if _, err := os.Stat(data); err != nil {
		return nil, err
	}
	list := Sets{}
	for _, name := range LongBenchSets() {
		file, err := findSet(data, name)
		switch {
		case errors.Is(err, os.ErrNotExist):
			continue
		case err != nil && file.name == "":
			return nil, err
		}
		_, info, err := file.rows(name)
		info.Err = err
		list = append(list, info)
	}
	return list, nil
}

// Print writes a line for each set.
func (s Sets) Print(w io.Writer) error {
	_, err := fmt.Fprintf(w, "%-24s %5s %10s  %-16s %s\n", "set", "rows", "bytes", "sha256", "file")
	for _, set := range s {
		_, err = fmt.Fprintf(w, "%-24s %5d %10d  %-16.16s %s\n", set.Set, set.Rows, set.Bytes, set.SHA256, set.File)
	}
	return err
}

// Rows counts the rows of all sets.
func (s Sets) Rows() (n int) {
	for _, set := range s {
		n += set.Rows
	}
	return n
}

// Err joins the errors of all sets.
func (s Sets) Err() error {
	var failed []error
	for _, set := range s {
		failed = append(failed, set.Err)
	}
	return errors.Join(failed...)
}

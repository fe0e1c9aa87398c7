package cluster

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"time"

	"github.com/snapbench/snapbench/inputs"
	"github.com/snapbench/snapbench/results"
)

// recordFile lies in a run's folder.
const recordFile = "cluster.json"

// Record is what was submitted for a run, so that the same command can attach to it.
type Record struct {
	Engine    string   `json:"engine"`
	Arguments []string `json:"arguments"` // of snapbench, as in Work
	Jobs      []Job    `json:"jobs"`      // the latest last
}

// Job is one submission.
type Job struct {
	ID        string    `json:"id"`
	Parts     []int     `json:"parts"`
	Count     int       `json:"count"`
	Submitted time.Time `json:"submitted"`
	// Had counts the attempts of parts that had ended before, where the job was to make
	// ended parts again: it has ended a part when there are more.
	Had map[int]int `json:"had,omitempty"`
}

// ReadRecord reads a folder's record; the zero Record where there is none.
func ReadRecord(dir string) (Record, error) {
	path := filepath.Join(dir, recordFile)
	data, err := inputs.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Record{}, nil
	}
	if err != nil {
		return Record{}, results.Explain(path, err)
	}
	r, err := parseRecord(data)
	if err != nil {
		return Record{}, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

func parseRecord(data []byte) (r Record, err error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&r); err != nil {
		return Record{}, fmt.Errorf("not a record of submissions: %w", err)
	}
	for i, j := range r.Jobs {
		if j.ID == "" || j.Count < 1 || slices.ContainsFunc(j.Parts, func(p int) bool { return p < 0 || p >= j.Count }) {
			return Record{}, fmt.Errorf("job %d (%q) has parts %v of %d", i+1, j.ID, j.Parts, j.Count)
		}
	}
	return r, nil
}

// Write writes the record into a folder.
func (r Record) Write(dir string) error {
	return results.WriteAtomic(filepath.Join(dir, recordFile), func(w io.Writer) error {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		return enc.Encode(r)
	})
}

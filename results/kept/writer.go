package kept

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"

	"github.com/snapbench/snapbench/inputs"
	"github.com/snapbench/snapbench/results"
)

// Writer adds to the positions.jsonl of a run's folder, whose lock its owner holds. A line is
// {"crc32":"…","prompt":{…}} or {"crc32":"…","row":{…}}, and a prompt stands before the first of its rows.
//
// Positions are written before the rows that they belong to: what a killed process leaves is at most positions of rows
// that are not finished, whose ids nobody asks for, and a torn line, which NewWriter cuts off.
type Writer struct {
	path    string
	file    *os.File
	size    int64 // bytes of complete lines
	written map[string]bool
	failed  error // nothing can be added behind what could not be cut off
}

// NewWriter opens a folder's file for adding, and makes it where there is none.
func NewWriter(dir string) (_ *Writer, err error) {
	w := &Writer{path: filepath.Join(dir, File), written: map[string]bool{}}
	if err := inputs.Check(w.path); err != nil && !os.IsNotExist(err) {
		return nil, results.Explain(w.path, err)
	}
	if w.file, err = os.OpenFile(w.path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o644); err != nil {
		return nil, results.Explain(w.path, err)
	}
	var all int64
	if w.size, all, err = wholeLines(w.file); err == nil && w.size < all {
		err = w.file.Truncate(w.size)
	}
	if err != nil {
		w.file.Close()
		return nil, results.Explain(w.path, err)
	}
	return w, nil
}

// wholeLines returns the length of a file's complete lines, and that of the file.
func wholeLines(f *os.File) (whole, all int64, err error) {
	if all, err = f.Seek(0, io.SeekEnd); err != nil {
		return 0, 0, err
	}
	size := all
	block := make([]byte, 1<<16)
	for size > 0 {
		b := block[:min(size, int64(len(block)))]
		if _, err := f.ReadAt(b, size-int64(len(b))); err != nil {
			return 0, all, err
		}
		if at := bytes.LastIndexByte(b, '\n'); at >= 0 {
			return size - int64(len(b)-at-1), all, nil
		}
		size -= int64(len(b))
	}
	return 0, all, nil
}

// Batch is what is written together: rows of one prompt.
type Batch struct {
	Prompt Prompt
	Key    string // of the prompt, as its rows name it
	Rows   []Row
}

// Write adds batches and returns when they are on the disk.
func (w *Writer) Write(list ...Batch) error {
	var buf []byte
	var err error
	var fresh []string
	for _, b := range list {
		if len(b.Rows) == 0 {
			continue
		}
		if !w.written[b.Key] {
			named := struct {
				Key string `json:"key"`
				Prompt
			}{b.Key, b.Prompt}
			if buf, err = appendLine(buf, "prompt", named); err != nil {
				return fmt.Errorf("%s: %w", w.path, err)
			}
			fresh = append(fresh, b.Key)
		}
		for _, r := range b.Rows {
			if buf, err = appendLine(buf, "row", r); err != nil {
				return fmt.Errorf("%s: row %.12s: %w", w.path, r.ID, err)
			}
		}
	}
	if len(buf) == 0 || w.failed != nil {
		return w.failed
	}
	if _, err = w.file.Write(buf); err == nil {
		err = w.file.Sync()
	}
	if err != nil {
		// What was written of it goes, so that only whole lines are there if the process continues.
		if failed := w.file.Truncate(w.size); failed != nil {
			w.failed = results.Explain(w.path, errors.Join(err, failed))
		}
		return results.Explain(w.path, err)
	}
	w.size += int64(len(buf))
	for _, key := range fresh {
		w.written[key] = true
	}
	return nil
}

// Close closes the file.
func (w *Writer) Close() error { return w.file.Close() }

func appendLine(b []byte, name string, v any) ([]byte, error) {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return b, err
	}
	value := bytes.TrimSuffix(text.Bytes(), []byte("\n"))
	b = fmt.Appendf(b, `{"crc32":"%08x","%s":`, crc32.ChecksumIEEE(value), name)
	b = append(b, value...)
	return append(b, '}', '\n'), nil
}

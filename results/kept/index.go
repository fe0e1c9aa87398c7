package kept

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/snapbench/snapbench/bounds"
	"github.com/snapbench/snapbench/inputs"
	"github.com/snapbench/snapbench/results"
)

// Index says where the positions of rows are. It holds none of them.
type Index struct {
	rows    map[string]place
	prompts map[string]place
}

// place is a line of a file.
type place struct {
	path   string
	from   int64
	length int
}

// Open finds the positions that lie in folders of runs, and in those of their parts. A folder without any, and a path
// that is no folder, has none. The last line of a run that is going on may be torn; any other that is damaged is an
// error with file and line.
func Open(paths ...string) (*Index, error) {
	x := &Index{map[string]place{}, map[string]place{}}
	for _, path := range paths {
		if filepath.Ext(path) == ".parquet" {
			path = filepath.Dir(path)
		}
		files, err := filepath.Glob(filepath.Join(escaped(path), results.PartsDir, "*", "*", File))
		if err != nil {
			return nil, err
		}
		for _, file := range append(files, filepath.Join(path, File)) {
			if err := x.add(file); err != nil {
				return nil, err
			}
		}
	}
	return x, nil
}

// escaped is a path as a pattern that matches it alone.
func escaped(path string) string {
	var b []byte
	for _, c := range []byte(path) {
		if c == '*' || c == '?' || c == '[' || c == '\\' && filepath.Separator != '\\' {
			b = append(b, '\\')
		}
		b = append(b, c)
	}
	return string(b)
}

// add notes where the lines of a file are.
func (x *Index) add(path string) error {
	f, err := inputs.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return results.Explain(path, err)
	}
	defer f.Close()
	in := bufio.NewReaderSize(f, 1<<20)
	var at int64
	for n := 1; ; n++ {
		text, err := bounds.ReadLine(in)
		if err == io.EOF {
			return nil // what is left is torn
		}
		if err == nil {
			err = x.note(place{path, at, len(text)}, text)
		}
		if err != nil {
			return fmt.Errorf("%s:%d: %w (it only says what caches kept, and may be moved away)", path, n, err)
		}
		at += int64(len(text))
	}
}

// line is a line as it lies in the file.
type line struct {
	CRC32  string          `json:"crc32"` // of the bytes of prompt or row, IEEE, eight hex digits
	Prompt json.RawMessage `json:"prompt"`
	Row    json.RawMessage `json:"row"`
}

func parseLine(text []byte) (l line, err error) {
	if err := strict(text, &l); err != nil {
		return l, fmt.Errorf("not a line of kept positions: %w", err)
	}
	value := l.Prompt
	if value == nil {
		value = l.Row
	}
	if l.Prompt != nil && l.Row != nil || value == nil {
		return l, errors.New("not a line of kept positions: want a prompt or a row")
	}
	if got := fmt.Sprintf("%08x", crc32.ChecksumIEEE(value)); got != l.CRC32 {
		return l, fmt.Errorf("damaged: the checksum is %s, the line says %q", got, l.CRC32)
	}
	return l, nil
}

func strict(text []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return err
	}
	if _, err := dec.Token(); err != io.EOF {
		return errors.New("more than one JSON value")
	}
	return nil
}

// note remembers a line. A row that was asked again replaces its earlier one.
func (x *Index) note(p place, text []byte) error {
	l, err := parseLine(text)
	if err != nil {
		return err
	}
	var head struct{ ID, Key string }
	if l.Prompt != nil {
		if err = json.Unmarshal(l.Prompt, &head); err == nil && head.Key == "" {
			err = errors.New("a prompt without a key")
		}
		x.prompts[head.Key] = p
		return err
	}
	if err = json.Unmarshal(l.Row, &head); err == nil && head.ID == "" {
		err = errors.New("a row without an id")
	}
	x.rows[head.ID] = p
	return err
}

// Len counts the rows.
func (x *Index) Len() int { return len(x.rows) }

// Has says whether the positions of a row are there.
func (x *Index) Has(id string) bool {
	_, ok := x.rows[id]
	return ok
}

// Row reads what a row's cache kept.
func (x *Index) Row(id string) (r Row, err error) {
	at, ok := x.rows[id]
	if !ok {
		return r, fmt.Errorf("row %.12s: its positions were not kept", id)
	}
	l, err := at.read()
	if err == nil {
		err = strict(l.Row, &r)
	}
	return r, at.wrong(err)
}

// Prompt reads the prompt that a row is about, and checks the row against it.
func (x *Index) Prompt(r Row) (Prompt, error) {
	var p struct {
		Key string `json:"key"`
		Prompt
	}
	at, ok := x.prompts[r.Prompt]
	if !ok {
		return p.Prompt, fmt.Errorf("the prompt %.40q of row %.12s is not there", r.Prompt, r.ID)
	}
	l, err := at.read()
	if err == nil {
		err = strict(l.Prompt, &p)
	}
	if err == nil {
		err = p.check()
	}
	if err != nil {
		return p.Prompt, at.wrong(err)
	}
	return p.Prompt, x.rows[r.ID].wrong(r.Check(len(p.Tokens)))
}

// read reads a line again.
func (p place) read() (line, error) {
	f, err := os.Open(p.path)
	if err != nil {
		return line{}, err
	}
	defer f.Close()
	text := make([]byte, p.length)
	if _, err := f.ReadAt(text, p.from); err != nil {
		return line{}, err
	}
	return parseLine(text)
}

// wrong says where an error is.
func (p place) wrong(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s, at byte %d: %w (it only says what caches kept, and may be moved away)", p.path, p.from, err)
}

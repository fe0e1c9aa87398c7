package datasets

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/snapbench/snapbench/bounds"
	"github.com/snapbench/snapbench/inputs"
)

// formats are the formats of a set's file, by the end of its name.
var formats = []struct {
	suffix string
	read   func(file string, r io.Reader, budget *bounds.Budget, row func(line int, row longbenchRow) error) error
}{
	{".jsonl", readJSONL},
	{".jsonl.gz", readGzip},
	{".parquet", readParquet},
}

// setFile is a set's file in a folder or an archive.
type setFile struct {
	name   string // for errors: path, or archive and entry
	format int
	size   int64 // in bytes, as stored
	open   func(*bounds.Budget) (io.ReadCloser, error)
}

// findSet finds the file of a set in data, which is a folder or an archive. In a folder the
// subfolder "data" and the archive "data.zip" are looked into as well.
func findSet(data, set string) (setFile, error) {
	info, err := os.Stat(data)
	if err != nil {
		return setFile{}, fmt.Errorf("set %s: %w", set, err)
	}
	if !info.IsDir() {
		if strings.HasSuffix(data, ".zip") {
			return findInZip(data, set)
		}
		return setFile{}, fmt.Errorf("set %s: %q is neither a folder nor a .zip", set, data)
	}
	for _, dir := range []string{data, filepath.Join(data, "data")} {
		var found []setFile
		for i, f := range formats {
			name := filepath.Join(dir, set+f.suffix)
			if info, err := os.Stat(name); err == nil {
				found = append(found, setFile{name, i, info.Size(), func(*bounds.Budget) (io.ReadCloser, error) { return inputs.Open(name) }})
			} else if !errors.Is(err, os.ErrNotExist) {
				return setFile{}, fmt.Errorf("set %s: %w", set, err)
			}
		}
		switch len(found) {
		case 0:
		case 1:
			return found[0], nil
		default:
			return setFile{}, fmt.Errorf("set %s is there twice: %s and %s", set, found[0].name, found[1].name)
		}
	}
	if archive := filepath.Join(data, "data.zip"); exists(archive) {
		return findInZip(archive, set)
	}
	return setFile{}, fmt.Errorf("set %s: no %s.jsonl, .jsonl.gz or .parquet in %s: %w", set, set, data, os.ErrNotExist)
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

// findInZip finds a set's entry in any folder of an archive. Although nothing is unpacked to
// disk, an archive with an entry whose path leads out of it is refused: its other content
// cannot be trusted either.
func findInZip(archive, set string) (setFile, error) {
	if err := inputs.Check(archive); err != nil {
		return setFile{}, err
	}
	z, err := zip.OpenReader(archive)
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return setFile{}, fmt.Errorf("%s: %w", archive, err)
	}
	defer z.Close()
	info, err := os.Stat(archive)
	if err != nil {
		return setFile{}, err
	}
	size := info.Size() // no entry is larger packed, whatever it says
	var found *setFile
	for _, entry := range z.File {
		if !filepath.IsLocal(filepath.FromSlash(strings.TrimSuffix(entry.Name, "/"))) || strings.ContainsAny(entry.Name, "\\:") {
			return setFile{}, fmt.Errorf("%s: entry %q points out of the archive", archive, entry.Name)
		}
		for i, f := range formats {
			if path.Base(entry.Name) != set+f.suffix || !entry.Mode().IsRegular() {
				continue
			}
			if found != nil {
				return setFile{}, fmt.Errorf("set %s is there twice: %s and %s:%s", set, found.name, archive, entry.Name)
			}
			name := entry.Name
			found = &setFile{archive + ":" + name, i, int64(min(entry.CompressedSize64, uint64(size))), func(b *bounds.Budget) (io.ReadCloser, error) { return openEntry(archive, name, b) }}
		}
	}
	if found == nil {
		return setFile{}, fmt.Errorf("set %s: no %s.jsonl, .jsonl.gz or .parquet in %s: %w", set, set, archive, os.ErrNotExist)
	}
	return *found, nil
}

// openEntry opens an archive's entry. Reading it draws on the budget; closing it closes the
// archive.
func openEntry(archive, name string, budget *bounds.Budget) (io.ReadCloser, error) {
	z, err := zip.OpenReader(archive)
	if err != nil {
		return nil, err
	}
	for _, entry := range z.File {
		if entry.Name == name {
			if int64(entry.UncompressedSize64) < 0 {
				return nil, errors.Join(fmt.Errorf("it says that it unpacks to %d bytes", entry.UncompressedSize64), z.Close())
			}
			if err := budget.Fits(int64(entry.UncompressedSize64)); err != nil {
				return nil, errors.Join(err, z.Close())
			}
			r, err := entry.Open()
			if err != nil {
				return nil, errors.Join(err, z.Close())
			}
			return entryReader{budget.Reader(r), r, z}, nil
		}
	}
	return nil, errors.Join(os.ErrNotExist, z.Close())
}

type entryReader struct {
	io.Reader
	entry, archive io.Closer
}

func (e entryReader) Close() error { return errors.Join(e.entry.Close(), e.archive.Close()) }

// readSet reads and checks a set's rows.
func readSet(data, name string) ([]longbenchRow, error) {
	file, err := findSet(data, name)
	if err != nil {
		return nil, err
	}
	rows, _, err := file.rows(name)
	return rows, err
}

// rows reads the file's rows, and hashes its bytes as they are stored.
func (f setFile) rows(name string) (rows []longbenchRow, info SetInfo, err error) {
	info = SetInfo{Set: name, File: f.name}
	set, err := longbenchSet(name)
	if err != nil {
		return nil, info, err
	}
	budget := bounds.Unpacking(f.size)
	r, err := f.open(budget)
	if err != nil {
		return nil, info, fmt.Errorf("%s: %w", f.name, err)
	}
	defer r.Close()
	hash := sha256.New()
	counted := &counter{r: io.TeeReader(r, hash)}
	check := rowChecker{name: name, set: set}
	err = formats[f.format].read(f.name, counted, budget, func(line int, row longbenchRow) error {
		if err := check.check(&row, line); err != nil {
			return err
		}
		if err := budget.TakeRow(len(row.answers) + len(row.classes)); err != nil {
			return err
		}
		rows = append(rows, row)
		return nil
	})
	if err == nil && len(rows) == 0 {
		err = fmt.Errorf("%s: no rows in it", f.name)
	}
	if err != nil {
		return nil, info, err
	}
	// The hash includes what follows the last row, such as gzip's trailer.
	if _, err := io.Copy(io.Discard, counted); err != nil {
		return nil, info, fmt.Errorf("%s: %w", f.name, err)
	}
	info.Rows, info.Bytes, info.SHA256 = len(rows), counted.n, hex.EncodeToString(hash.Sum(nil))
	return rows, info, nil
}

// counter counts bytes read.
type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

func readJSONL(file string, r io.Reader, _ *bounds.Budget, row func(line int, row longbenchRow) error) error {
	return eachLine(file, r, func(line int, fields map[string]json.RawMessage) error {
		parsed, err := parseRow(fields)
		if err != nil {
			return err
		}
		return row(line, parsed)
	})
}

func readGzip(file string, r io.Reader, budget *bounds.Budget, row func(line int, row longbenchRow) error) error {
	z, err := gzip.NewReader(r)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return readJSONL(file, budget.Reader(z), budget, row)
}

func readParquet(file string, r io.Reader, budget *bounds.Budget, row func(line int, row longbenchRow) error) error {
	b, err := io.ReadAll(r) // the format is read from its end
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if len(b) == 0 {
		return nil // no rows, as in an empty file of another format
	}
	return parquetRows(file, bytes.NewReader(b), int64(len(b)), budget, row)
}

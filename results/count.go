package results

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/parquet-go/parquet-go"
)

// CountRows counts a folder's rows without reading them: the lines of its journal, else
// what its parquet's footer says. A line that is being written is not counted.
func CountRows(dir string) (int, error) {
	path := filepath.Join(dir, journalFile)
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return countParquet(filepath.Join(dir, parquetFile))
	}
	if err != nil {
		return 0, Explain(path, err)
	}
	defer f.Close()
	rows, buf := 0, make([]byte, 1<<16)
	for {
		n, err := f.Read(buf)
		rows += bytes.Count(buf[:n], []byte("\n"))
		if err == io.EOF {
			return rows, nil
		}
		if err != nil {
			return 0, Explain(path, err)
		}
	}
}

func countParquet(path string) (int, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, Explain(path, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return 0, Explain(path, err)
	}
	file, err := parquet.OpenFile(f, info.Size(), parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return 0, Explain(path, err)
	}
	return int(file.NumRows()), nil
}

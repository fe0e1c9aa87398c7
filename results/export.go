package results

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/snapbench/snapbench/inputs/lookup"
)

// Exporter returns the function that writes rows in a format, csv, jsonl or parquet; where a
// spreadsheet is to open them, that is [ExportSpreadsheetCSV].
func Exporter(format string, spreadsheet bool) (func(io.Writer, []Row) error, error) {
	switch {
	case format != "csv" && format != "jsonl" && format != "parquet":
		return nil, lookup.Unknown("format", format, "csv", "jsonl", "parquet")
	case spreadsheet && format != "csv":
		return nil, fmt.Errorf("--for-spreadsheet is for csv, not %s", format)
	case spreadsheet:
		return ExportSpreadsheetCSV, nil
	case format == "csv":
		return ExportCSV, nil
	case format == "parquet":
		return ExportParquet, nil
	}
	return ExportJSONL, nil
}

// ExportFile writes rows to a file, which is made, or replaced once all of them are written.
func ExportFile(path string, rows []Row, export func(io.Writer, []Row) error) error {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() { // a pipe, a terminal: it stays what it is
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		return errors.Join(export(f, rows), f.Close())
	}
	return WriteAtomic(path, func(w io.Writer) error { return export(w, rows) })
}

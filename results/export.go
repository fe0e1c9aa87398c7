package results

import (
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

// ExportFile writes rows to a file, which is made or replaced.
func ExportFile(path string, rows []Row, export func(io.Writer, []Row) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := export(f, rows); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

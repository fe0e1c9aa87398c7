package results

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// An export that fails, as on a full disk, leaves the file that was there.
func TestExportFileThatFails(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rows.csv")
	if err := os.WriteFile(path, []byte("earlier"), 0o600); err != nil {
		t.Fatal(err)
	}
	full := errors.New("full")
	err := ExportFile(path, nil, func(w io.Writer, _ []Row) error {
		_, err := io.WriteString(w, "half of i")
		return errors.Join(err, full)
	})
	if !errors.Is(err, full) {
		t.Errorf("%v", err)
	}
	if text, err := os.ReadFile(path); string(text) != "earlier" {
		t.Errorf("%q, %v", text, err)
	}
	if beside, err := os.ReadDir(filepath.Dir(path)); len(beside) != 1 {
		t.Errorf("%d files, %v", len(beside), err)
	}
}

// Formats have names; only CSV has a kind for spreadsheets.
func TestExporter(t *testing.T) {
	rows := someRows(2)
	path := filepath.Join(t.TempDir(), "rows")
	for _, x := range []struct {
		format      string
		spreadsheet bool
		first       string // of what is written, or the error
	}{
		{"csv", false, "schema,"}, {"csv", true, "schema,"}, {"jsonl", false, "{"}, {"parquet", false, "PAR1"}, {"parquet", true, "--for-spreadsheet is for csv, not parquet"},
		{"jsonl", true, "--for-spreadsheet is for csv, not jsonl"}, {"xml", true, `unknown format "xml": have csv, jsonl, parquet`},
	} {
		export, err := Exporter(x.format, x.spreadsheet)
		if err != nil {
			if err.Error() != x.first {
				t.Errorf("%s: %v", x.format, err)
			}
			continue
		}
		if err := ExportFile(path, rows, export); err != nil {
			t.Fatal(err)
		}
		if text, err := os.ReadFile(path); err != nil || !bytes.HasPrefix(text, []byte(x.first)) {
			t.Errorf("%s: %.40q, %v", x.format, text, err)
		}
	}
}

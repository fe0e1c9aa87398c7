package results

import (
	"bytes"
	"encoding/csv"
	"testing"
)

// TestExportForSpreadsheets: no text begins like a formula, and numbers stay numbers. The plain export changes no text.
func TestExportForSpreadsheets(t *testing.T) {
	rows := someRows(2)
	formulas := []string{"=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", "＋1", "－1", "＠1"}
	for _, text := range append(formulas, "plain", " =1", "'=1", "") {
		rows[0].Prediction = text
		var exact, safe bytes.Buffer
		if err := ExportCSV(&exact, rows); err != nil {
			t.Fatal(err)
		}
		if err := ExportSpreadsheetCSV(&safe, rows); err != nil {
			t.Fatal(err)
		}
		want := text
		for _, f := range formulas {
			if f == text {
				want = "'" + text
			}
		}
		if got := cell(t, exact.Bytes(), "prediction"); got != text {
			t.Errorf("%q came out as %q", text, got)
		}
		if got := cell(t, safe.Bytes(), "prediction"); got != want {
			t.Errorf("%q came out as %q for a spreadsheet, want %q", text, got, want)
		}
	}
	rows[0].KLMean = new(-1e-9) // rounding can leave a divergence below zero
	var safe bytes.Buffer
	if err := ExportSpreadsheetCSV(&safe, rows); err != nil {
		t.Fatal(err)
	}
	if got := cell(t, safe.Bytes(), "kl_mean"); got != "-1e-09" {
		t.Errorf("a negative number came out as %q", got)
	}
}

// cell is the named column's cell in the first row of a CSV.
func cell(t *testing.T, file []byte, column string) string {
	t.Helper()
	records, err := csv.NewReader(bytes.NewReader(file)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range records[0] {
		if name == column {
			return records[1][i]
		}
	}
	t.Fatalf("no column %q", column)
	return ""
}

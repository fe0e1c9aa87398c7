package results

import (
	"path/filepath"
	"strings"
	"testing"
)

// A row without a score is whole where its metric is none, and only there.
func TestRowsWithoutAnswers(t *testing.T) {
	row := Row{Schema: Schema, ID: "1", Run: "r", Model: "m", Task: "prompts", Sample: "1", Variant: "full", Policy: "full", Budget: "full",
		Device: "cpu", DType: "float32", Prediction: "text", Metric: NoMetric, Note: "no answers to score by"}
	path := filepath.Join(t.TempDir(), "rows.parquet")
	if err := WriteFile(path, []Row{row}); err != nil {
		t.Fatal(err)
	}
	rows, err := ReadFile(path)
	if err != nil || len(rows) != 1 || rows[0].Score != nil || rows[0].Error != "" {
		t.Fatalf("%+v, %v", rows, err)
	}
	if n, _ := Unscored(rows); n != 0 {
		t.Errorf("%d rows count as failed", n)
	}
	row.Metric = "contains"
	if err := row.check(); err == nil || !strings.Contains(err.Error(), "neither a score nor an error") {
		t.Errorf("without a score: %v", err)
	}
}

// What version 1 of exact graded is read as contains, which it is; version 2 is another metric.
func TestExactWasContains(t *testing.T) {
	score := 1.0
	row := Row{Schema: Schema, ID: "1", Run: "r", Model: "m", Task: "niah", Sample: "1", Variant: "full", Policy: "full", Budget: "full",
		Device: "cpu", DType: "float32", Metric: "exact", Score: &score}
	for version, want := range map[int]string{1: "contains", 2: "exact"} {
		row.MetricVersion = version
		path := filepath.Join(t.TempDir(), "rows.parquet")
		if err := WriteFile(path, []Row{row}); err != nil {
			t.Fatal(err)
		}
		rows, err := ReadFile(path)
		if err != nil || rows[0].Metric != want || rows[0].MetricVersion != version {
			t.Errorf("version %d: %+v, %v", version, rows, err)
		}
	}
}

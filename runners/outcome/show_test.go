package outcome

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/results"
)

// run makes a folder with a row of each score; one below 0 stands for an error.
func run(t *testing.T, finished bool, scores ...float64) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "first")
	j, err := results.Open(dir, results.Run{Question: json.RawMessage(`{"model":"m"}`), Tasks: []string{"niah"}, Variants: []string{"full"}})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	for i, score := range scores {
		r := results.Row{ID: fmt.Sprint(i), Model: "m", Device: "ref", DType: "float32", Policy: "full", Variant: "full", Task: "niah", Sample: fmt.Sprint(i),
			Metric: "exact", MetricVersion: 1, Note: fmt.Sprint("note ", i)}
		if r.Score = &scores[i]; score < 0 {
			r.Score, r.Error = nil, "too large"
		}
		if err := j.Append(r); err != nil {
			t.Fatal(err)
		}
	}
	if finished {
		if err := j.Finish(); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// Show prints the tables, or the summary as it is, and says what a person should know.
func TestShow(t *testing.T) {
	dir := run(t, true, 1, 0, 1, -1, 1, 1)
	var said strings.Builder
	say := func(format string, arguments ...any) { fmt.Fprintf(&said, format+"\n", arguments...) }
	var tables, summary bytes.Buffer
	if err := Show(&tables, say, dir, false); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(tables.String(), "niah") || !strings.Contains(tables.String(), "80.00") {
		t.Errorf("tables:\n%s", &tables)
	}
	for _, want := range []string{"1 of 6 rows have an error and no score; the first: m, niah, sample 3, full: too large", "1 of 6 rows: note ", "and 2 notes more", "in " + dir} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("%s\nwant %q", &said, want)
		}
	}
	if err := Show(&summary, say, dir, true); err != nil {
		t.Fatal(err)
	}
	if file, err := os.ReadFile(filepath.Join(dir, "summary.json")); err != nil || !bytes.Equal(file, summary.Bytes()) {
		t.Errorf("%v; as JSON:\n%s", err, &summary)
	}
	if err := Show(&tables, say, run(t, true, -1, -1), false); err == nil || !strings.HasPrefix(err.Error(), "none of 2 rows could be scored") {
		t.Errorf("without a score: %v", err)
	}
}

// Read says which runs are not finished, and joins them.
func TestRead(t *testing.T) {
	var said strings.Builder
	set, err := Read(&said, []string{run(t, false, 1, 0)})
	if err != nil || len(set.Rows) != 2 || !strings.HasSuffix(said.String(), "is not finished, it has 2 rows so far: its command continues it\n") {
		t.Errorf("%d rows, %v: %q", len(set.Rows), err, said.String())
	}
}

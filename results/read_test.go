package results

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestMerge(t *testing.T) {
	rows := someRows(8)
	a := Set{Name: "a", Rows: rows[:5]}
	again := rows[4]
	again.Run, again.DecodeSeconds = "other", new(9.0)
	b := Set{Name: "b", Rows: append([]Row{again}, rows[5:]...)}
	m, err := Merge(a, b)
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Rows) != 8 {
		t.Errorf("%d rows, want 8", len(m.Rows))
	}
	b.Rows[0].Device += ":1" // another card of the kind
	if m, err = Merge(a, b); err != nil || len(m.Rows) != 8 {
		t.Errorf("%d rows of two cards, %v", len(m.Rows), err)
	}
	again.Prediction = "another"
	b.Rows[0] = again
	if _, err := Merge(a, b); err == nil || !strings.Contains(err.Error(), "different prediction") {
		t.Errorf("error %v", err)
	}
}

func TestReadRefuses(t *testing.T) {
	for dir, want := range map[string]string{
		t.TempDir():                           "not a run",
		filepath.Join(t.TempDir(), "nothing"): "no such file",
	} {
		if _, err := Read(dir); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: error %v, want %q", dir, err, want)
		}
	}
}

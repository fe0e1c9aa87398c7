package runners

import (
	"testing"
	"time"

	"github.com/snapbench/snapbench/results"
)

// A run goes on with the day that its folder was begun with.
func TestDateFor(t *testing.T) {
	dir := t.TempDir()
	if got := DateFor("2001-02-03", dir); got != "2001-02-03" {
		t.Errorf("asked for: %q", got)
	}
	asked, err := results.Ask(question{Date: "1999-12-31"})
	if err != nil {
		t.Fatal(err)
	}
	journal, err := results.Open(dir, results.Run{Question: asked})
	if err != nil {
		t.Fatal(err)
	}
	journal.Close()
	if got := DateFor("", dir); got != "1999-12-31" {
		t.Errorf("of a folder with a run: %q", got)
	}
	before := time.Now().Format(time.DateOnly)
	if got := DateFor("", t.TempDir()); got != before && got != time.Now().Format(time.DateOnly) {
		t.Errorf("of an empty folder: %q, want today", got)
	}
}

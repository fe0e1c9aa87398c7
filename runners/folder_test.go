package runners

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/snapbench/snapbench/results"
)

// template is a chat template that asks for the day, or does not.
type template struct {
	uses bool
	day  time.Time
}

func (c *template) UsesDate() bool         { return c.uses }
func (c *template) SetToday(day time.Time) { c.day = day }

// A folder's name follows from the question without the day; the day is part of the
// question where the template asks for it, and the template is told.
func TestBegin(t *testing.T) {
	t.Chdir(t.TempDir())
	begin := func(f Folder, chat *template) (dir, date string) {
		t.Helper()
		journal, err := (&Job{Name: "needle"}).Begin(f, nil, nil, chat)
		if err != nil {
			t.Fatal(err)
		}
		defer journal.Close()
		run, err := results.ReadRun(journal.Dir())
		if err != nil {
			t.Fatal(err)
		}
		var q question
		if err := json.Unmarshal(run.Question, &q); err != nil {
			t.Fatal(err)
		}
		if run.Command != f.Command || run.Version != f.Version || run.Baseline != f.Baseline {
			t.Errorf("run.json has %q, %q, %q, want %q, %q, %q", run.Command, run.Version, run.Baseline, f.Command, f.Version, f.Baseline)
		}
		return journal.Dir(), q.Date
	}
	plain := &template{}
	dir, date := begin(Folder{Date: "2001-02-03", Command: "snapbench needle", Version: "v1", Baseline: "server"}, plain)
	if date != "" || !plain.day.IsZero() || filepath.Dir(dir) != "runs" || !strings.HasPrefix(filepath.Base(dir), "needle-") {
		t.Errorf("a template without a day: %q, %q, told %v", dir, date, plain.day)
	}
	asks := &template{uses: true}
	if _, date = begin(Folder{Dir: "other", Date: "2001-02-03"}, asks); date != "2001-02-03" || asks.day.Format(time.DateOnly) != date {
		t.Errorf("a template with a day: %q, told %v", date, asks.day)
	}
	t.Chdir(t.TempDir()) // where that run is not
	if again, _ := begin(Folder{Command: "snapbench needle", Version: "v1", Baseline: "server"}, &template{uses: true}); again != dir {
		t.Errorf("today's folder is %q, without a day %q", again, dir)
	}
}

package runners

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/snapbench/snapbench/datasets"
	"github.com/snapbench/snapbench/results"
)

type mute struct{}

func (mute) Plan([]Place)                         {}
func (mute) Within(string, string) func(Progress) { return nil }
func (mute) Finished(datasets.Task, int, Spent)   {}
func (mute) Say(format string, arguments ...any)  {}
func (quick) Describe() Description {
	return Description{Name: "quick", Device: "cpu", DType: "float32", Text: true}
}
func (quick) Check([]Variant) error                   { return nil }
func (quick) Close() error                            { return nil }
func (q quick) Run(ctx context.Context, w Work) error { return q.run(ctx, w) }

// quick is a runner of one function.
type quick struct {
	run func(context.Context, Work) error
}

// plainVariant is a variant without parameters.
type plainVariant string

func (v plainVariant) String() string          { return string(v) }
func (v plainVariant) Policy() string          { return string(v) }
func (v plainVariant) Budget() string          { return "full" }
func (plainVariant) Params() map[string]string { return nil }

// deskJob is a job of n prompts with this answer.
func deskJob(t testing.TB, n int, metric, answer string) (*Job, *results.Journal) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "prompts.jsonl")
	text := ""
	for i := range n {
		text += fmt.Sprintf("{\"id\": \"p%d\", \"prompt\": \"x\", \"answers\": [%q]}\n", i, answer)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	task, err := datasets.Open("prompts", datasets.Options{Metric: metric, Own: &datasets.PromptsOptions{File: path}})
	if err != nil {
		t.Fatal(err)
	}
	j := &Job{Name: "prompts", Tasks: []datasets.Task{task}, Variants: []Variant{plainVariant("full")}, Reader: datasets.Model{Text: true},
		Stop: func(datasets.Sample) Stop { return Stop{} }, Subject: results.Subject{Model: "m", Device: "cpu", DType: "float32"}}
	run, err := j.Describe(nil, []datasets.Options{{}})
	if err != nil {
		t.Fatal(err)
	}
	journal, err := results.Open(filepath.Join(t.TempDir(), "run"), run)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { journal.Close() })
	return j, journal
}

// A runner does not wait while its answers are graded: here no grade comes before all answers are there. All is written when
// the run ends.
func TestGradingBeside(t *testing.T) {
	const n = 3
	dir := t.TempDir()
	grade, answered := filepath.Join(dir, "grade"), filepath.Join(dir, "answered")
	if err := os.WriteFile(grade, []byte("#!/bin/sh\nuntil test -e '"+answered+"'; do sleep 0.01; done\necho 1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat("/bin/sh"); err != nil {
		t.Skip("no shell to grade with")
	}
	j, journal := deskJob(t, n, "command:"+grade, "y")
	answers := 0
	r := quick{func(ctx context.Context, w Work) error {
		return OneByOne(ctx, w, func(context.Context, Request) ([]Completion, error) {
			if answers++; answers == n {
				if err := os.WriteFile(answered, nil, 0o644); err != nil {
					return nil, err
				}
			}
			return []Completion{{Text: "y"}}, nil
		})
	}}
	if err := j.Run(t.Context(), []Runner{r}, journal, mute{}); err != nil {
		t.Fatal(err)
	}
	for _, row := range journal.Rows() {
		if row.Score == nil || *row.Score != 1 {
			t.Errorf("%s: score %v, error %q", row.Sample, row.Score, row.Error)
		}
	}
	if len(journal.Rows()) != n {
		t.Errorf("%d rows of %d", len(journal.Rows()), n)
	}
}

// A grader that ends with its run, as all processes of a job do that is killed, leaves no row with an error, which would not be
// asked again. The other samples' rows are there, and a grader that fails in a run that goes on is a row's error.
func TestGraderEndedWithTheRun(t *testing.T) {
	if _, err := os.Stat("/bin/sh"); err != nil {
		t.Skip("no shell to grade with")
	}
	dir := t.TempDir()
	grade, ended, well := filepath.Join(dir, "grade"), filepath.Join(dir, "ended"), filepath.Join(dir, "well")
	text := "#!/bin/sh\nline=$(cat)\ncase $line in\n*'\"sample\":\"p0\"'*) echo 1; exit;;\n*'\"sample\":\"p2\"'*) exit 1;;\nesac\n" +
		"test -e '" + well + "' && { echo 1; exit; }\nuntil test -e '" + ended + "'; do sleep 0.01; done\nkill -TERM $$\n"
	if err := os.WriteFile(grade, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	j, journal := deskJob(t, 3, "command:"+grade, "y")
	ctx, cancel := context.WithCancel(t.Context())
	answers := 0
	r := quick{func(ctx context.Context, w Work) error {
		return OneByOne(ctx, w, func(context.Context, Request) ([]Completion, error) {
			if answers++; answers == 3 { // the grades of two wait
				cancel()
				if err := os.WriteFile(ended, nil, 0o644); err != nil {
					return nil, err
				}
			}
			return []Completion{{Text: "y"}}, ctx.Err()
		})
	}}
	if err := j.Run(ctx, []Runner{r}, journal, mute{}); !errors.Is(err, context.Canceled) {
		t.Errorf("the end: %v", err)
	}
	if rows := journal.Rows(); len(rows) != 1 || rows[0].Sample != "p0" || rows[0].Error != "" {
		t.Errorf("%d rows: %+v", len(rows), rows)
	}
	if err := os.WriteFile(well, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := j.Run(t.Context(), []Runner{r}, journal, mute{}); err != nil {
		t.Fatal(err)
	}
	if rows := journal.Rows(); len(rows) != 3 || rows[1].Error != "" || *rows[1].Score != 1 || !strings.Contains(rows[2].Error, "exit status 1") {
		t.Errorf("%d rows: %+v", len(rows), rows)
	}
}

// An answer that throws doubt on the run ends it with that error, found beside the runner's work, and its row is kept.
func TestDoubtEndsTheRun(t *testing.T) {
	j, journal := deskJob(t, 60, "exact", "y")
	answered := 0
	r := quick{func(ctx context.Context, w Work) error {
		return OneByOne(ctx, w, func(context.Context, Request) ([]Completion, error) {
			answered++
			time.Sleep(time.Millisecond)
			return []Completion{{Err: errors.New("another cache"), Untrusted: true}}, nil
		})
	}}
	err := j.Run(t.Context(), []Runner{r}, journal, mute{})
	if err == nil || err.Error() != "another cache" || answered > givenAhead+3 {
		t.Errorf("%d of 60 were answered, the end: %v", answered, err)
	}
	if rows := journal.Rows(); len(rows) == 0 || rows[0].Audit != "another cache" {
		t.Errorf("%d rows", len(rows))
	}
}

// Samples are handed out in their order however many are made ready at a time, and each once.
func TestOrderOfMaking(t *testing.T) {
	j, journal := deskJob(t, 200, "exact", "y")
	var mu sync.Mutex
	var order []string
	r := quick{func(ctx context.Context, w Work) error {
		return OneByOne(ctx, w, func(_ context.Context, q Request) ([]Completion, error) {
			mu.Lock()
			defer mu.Unlock()
			order = append(order, fmt.Sprint(q.Sample))
			return []Completion{{Text: "y"}}, nil
		})
	}}
	if err := j.Run(t.Context(), []Runner{r}, journal, mute{}); err != nil {
		t.Fatal(err)
	}
	for i, p := range j.Places() {
		if i >= len(order) || order[i] != fmt.Sprint(p.Number) {
			t.Fatalf("sample %d of %d is not the %d-th of the plan: %v", p.Number, len(order), i, order)
		}
	}
}

// slowly is a task whose first two samples are in the making at the same time, and the second for longer.
type slowly struct {
	datasets.Task
	order  []Place
	begun  sync.WaitGroup
	making atomic.Int32
}

func (s *slowly) Sample(number int, m datasets.Model) datasets.Sample {
	at := slices.IndexFunc(s.order, func(p Place) bool { return p.Number == number })
	if at > 1 {
		return s.Task.Sample(number, m)
	}
	s.making.Add(1)
	defer s.making.Add(-1)
	s.begun.Done()
	s.begun.Wait()
	time.Sleep(time.Duration(1+2*at) * 20 * time.Millisecond)
	return s.Task.Sample(number, m)
}

// A run that has ended makes no sample ready any more, which would look into a journal that the next run writes.
func TestNothingIsMadeBehindTheEnd(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(8)) // two are made at a time
	j, journal := deskJob(t, 3, "exact", "y")
	task, lost := j.Tasks[0], errors.New("fell off the bus")
	for range 10 {
		s := &slowly{Task: task, order: j.Places()}
		s.begun.Add(2)
		j.Tasks[0] = s
		r := quick{func(context.Context, Work) error { s.begun.Wait(); return lost }}
		if err := j.Run(t.Context(), []Runner{r}, journal, mute{}); err != lost {
			t.Errorf("the end: %v", err)
		}
		if n := s.making.Load(); n > 0 {
			t.Fatalf("%d samples are still being made", n)
		}
	}
}

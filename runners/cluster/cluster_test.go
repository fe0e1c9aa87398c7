package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/snapbench/snapbench/results"
	"github.com/snapbench/snapbench/results/parts"
)

// engine is one of this process: its parts are goroutines.
type engine struct {
	mu     sync.Mutex
	jobs   int
	states map[int]State
	asked  [][]int                      // the parts of each submission
	part   func(w Work, part int) State // makes a part
	wait   sync.WaitGroup
	// submitting is asked while parts are submitted, and what it returns is the error; nil: nobody.
	submitting func(context.Context) error
}

func (e *engine) Render(w Work) (string, error) {
	return fmt.Sprintln(strings.Join(w.Command("auto"), " "), w.Parts), nil
}
func (e *engine) Check(context.Context, Work) ([]string, error) { return nil, nil }
func (e *engine) Advice(id string, _ Work) []string             { return []string{"stop " + id} }
func (e *engine) Log(context.Context, string, Work, int) string { return "the last words" }

func (e *engine) Submit(ctx context.Context, w Work) (id string, err error) {
	if e.submitting != nil {
		err = e.submitting(ctx)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.jobs++
	e.asked = append(e.asked, w.Parts)
	for _, i := range w.Parts {
		e.states[i] = Waiting
		e.wait.Go(func() {
			e.set(i, Running)
			e.set(i, e.part(w, i))
		})
	}
	return fmt.Sprint("job-", e.jobs), err
}

func (e *engine) set(i int, s State) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.states[i] = s
}

func (e *engine) States(_ context.Context, _ string, w Work) (map[int]State, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	all := map[int]State{}
	for _, i := range w.Parts {
		if s, ok := e.states[i]; ok {
			all[i] = s
		}
	}
	return all, nil
}

func run() results.Run {
	return results.Run{Question: json.RawMessage(`{"model":"m"}`), Tasks: []string{"t"}, Variants: []string{"full"}, Samples: []int{12}}
}

// answer makes a part of a run of twelve rows.
func answer(w Work, part int) State {
	p := parts.Part{Index: part, Count: w.Count}
	j, err := parts.Begin(w.Out, p, fmt.Sprint("a", time.Now().UnixNano()), run())
	if err != nil {
		return Failed
	}
	defer j.Close()
	for n := range 12 {
		r := results.Row{Model: "m", Task: "t", Sample: fmt.Sprint(n), Variant: "full", Policy: "full", Budget: "full", Device: "cpu", DType: "float32", Metric: "exact", Score: new(1.0)}
		if r.ID = r.Key(); p.Takes(n) && !j.Finished(r.ID) && j.Append(r) != nil {
			return Failed
		}
	}
	if j.FinishPart() != nil {
		return Failed
	}
	return Ended
}

func placement(t *testing.T, e *engine, dir string, count int) (*Placement, *[]string) {
	t.Helper()
	var said []string
	return &Placement{Engine: e, On: "this", Dir: dir, Work: Work{Name: "n", Program: "snapbench", Arguments: []string{"needle"}, Out: dir, Count: count},
		Say: func(f string, a ...any) { said = append(said, fmt.Sprintf(f, a...)) }}, &said
}

// What is submitted is followed to its end and joined; the same again attaches, and
// submits nothing.
func TestPlace(t *testing.T) {
	ctx, dir := t.Context(), filepath.Join(t.TempDir(), "run")
	e := &engine{states: map[int]State{}, part: answer}
	p, _ := placement(t, e, dir, 3)
	var last Status
	p.Told = func(s Status) { last = s }
	f, err := p.Submit(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	joined, err := p.Collect(ctx, f)
	if err != nil || joined == nil || joined.Rows != 12 || last.Rows != 12 || last.Expected != 12 || last.Ended != 3 {
		t.Fatalf("%+v, %v; told %+v", joined, err, last)
	}
	again, said := placement(t, e, dir, 3)
	if f, err = again.Submit(ctx); err != nil || e.jobs != 1 || !strings.Contains(strings.Join(*said, "\n"), "attached") {
		t.Errorf("%d jobs, %v, %q", e.jobs, err, *said)
	}
	if err := f.Wait(ctx); err != nil {
		t.Error(err)
	}
	if joined, err := again.Collect(ctx, f); joined != nil || err != nil {
		t.Errorf("joined again: %+v, %v", joined, err)
	}
	other, _ := placement(t, e, dir, 3)
	other.Work.Arguments = []string{"needle", "--lengths=8k"}
	if _, err := other.Submit(ctx); err == nil || !strings.Contains(err.Error(), "--lengths=8k") {
		t.Errorf("another command: %v", err)
	}
	e.wait.Wait()
}

// Parts that fail are named with the end of a log, and are what the same command submits
// again; other numbers of parts are refused while some are at work.
func TestResubmit(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	fails := map[int]bool{1: true, 3: true}
	hold := make(chan struct{})
	e := &engine{states: map[int]State{}, part: func(w Work, i int) State {
		if fails[i] {
			return Failed
		}
		if hold != nil && i == 2 {
			<-hold
		}
		return answer(w, i)
	}}
	p, _ := placement(t, e, dir, 4)
	f, err := p.Submit(ctx)
	if err != nil {
		t.Fatal(err)
	}
	other, _ := placement(t, e, dir, 7)
	if _, err := other.Submit(ctx); err == nil || !strings.Contains(err.Error(), "--shards 4") || !strings.Contains(err.Error(), "stop job-1") {
		t.Errorf("another number of parts: %v", err)
	}
	close(hold)
	err = f.Wait(ctx)
	var left *UnfinishedError
	if !errors.As(err, &left) || !slices.Equal(left.Parts, []int{1, 3}) || !strings.Contains(err.Error(), "1 (failed), 3 (failed)") || !strings.Contains(err.Error(), "the last words") {
		t.Fatalf("%v", err)
	}
	e.wait.Wait()
	fails, hold = nil, nil
	p, _ = placement(t, e, dir, 4)
	if f, err = p.Submit(ctx); err != nil {
		t.Fatal(err)
	}
	if err := f.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(e.asked[1], []int{1, 3}) || len(e.asked) != 2 {
		t.Errorf("submitted: %v", e.asked)
	}
	if joined, err := p.Collect(ctx, f); err != nil || joined.Rows != 12 {
		t.Errorf("%+v, %v", joined, err)
	}
	e.wait.Wait()
}

// With --retry parts that have ended are made again, and the follower waits for that.
func TestRetry(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	e := &engine{states: map[int]State{}, part: answer}
	again := func(retry bool) {
		t.Helper()
		p, _ := placement(t, e, dir, 2)
		p.Retry = retry
		f, err := p.Submit(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Wait(ctx); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Collect(ctx, f); err != nil {
			t.Fatal(err)
		}
	}
	again(false)
	e.wait.Wait()
	var made atomic.Int32
	e.part = func(w Work, i int) State {
		time.Sleep(50 * time.Millisecond)
		if s := answer(w, i); s != Ended || w.Arguments[len(w.Arguments)-1] != "--retry" {
			return Failed
		}
		made.Add(1)
		return Ended
	}
	again(true)
	if e.jobs != 2 || !slices.Equal(e.asked[1], []int{0, 1}) {
		t.Errorf("%d jobs, the second of %v", e.jobs, e.asked)
	}
	e.wait.Wait()
	if made.Load() != 2 {
		t.Errorf("%d parts made again", made.Load())
	}
	again(false)
	if e.jobs != 2 {
		t.Error("submitted again without --retry")
	}
}

// Ctrl-C ends the following alone.
func TestLeftRunning(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	hold := make(chan struct{})
	e := &engine{states: map[int]State{}, part: func(w Work, i int) State { <-hold; return answer(w, i) }}
	p, _ := placement(t, e, t.TempDir(), 2)
	f, err := p.Submit(ctx)
	if err != nil {
		t.Fatal(err)
	}
	p.Told = nil
	f.Told = func(Status) { cancel() }
	if err := f.Wait(ctx); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	close(hold)
	e.wait.Wait()
	if p, _ = placement(t, e, p.Dir, 2); true {
		if f, err = p.Submit(t.Context()); err != nil || e.jobs != 1 {
			t.Fatalf("%d jobs, %v", e.jobs, err)
		}
		if err := f.Wait(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// What a run does in its folder is tried there, and what cannot hold a run is refused
// with the reason.
func TestCheckFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "folder")
	if _, err := CheckFolder(dir); err != nil {
		t.Error(err)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	for _, path := range []string{"s3://bucket/run", "gs://b/r"} {
		if _, err := CheckFolder(path); err == nil || !strings.Contains(err.Error(), "object stores") {
			t.Errorf("%s: %v", path, err)
		}
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := CheckFolder(filepath.Join(file, "run")); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("a file in the way: %v", err)
	}
	if a, err := Token(dir); err != nil || a == "" {
		t.Errorf("%q, %v", a, err)
	} else if b, err := Token(dir); a != b || err != nil {
		t.Errorf("%q, then %q, %v", a, b, err)
	} else if err := parts.CheckToken(dir, func(string) (string, bool) { return a, true }); err != nil {
		t.Error(err)
	} else if err := parts.CheckToken(t.TempDir(), func(string) (string, bool) { return a, true }); err == nil {
		t.Error("another folder has the token")
	}
}

func TestRecord(t *testing.T) {
	dir := t.TempDir()
	if r, err := ReadRecord(dir); err != nil || len(r.Jobs) != 0 {
		t.Errorf("%+v, %v", r, err)
	}
	want := Record{Engine: "slurm", Arguments: []string{"needle", "--lengths=1k"}, Jobs: []Job{{ID: "12", Parts: []int{0, 2}, Count: 3, Submitted: time.Unix(1e9, 0).UTC()}}}
	if err := want.Write(dir); err != nil {
		t.Fatal(err)
	}
	got, err := ReadRecord(dir)
	a, _ := json.Marshal(got)
	b, _ := json.Marshal(want)
	if err != nil || string(a) != string(b) {
		t.Errorf("%s, %v; want %s", a, err, b)
	}
	for _, bad := range []string{"", "{", `{"engine":"slurm","jobs":[{"id":"1","parts":[3],"count":3}]}`, `{"jobs":[{"parts":[],"count":1}]}`, `{"other":1}`} {
		if r, err := parseRecord([]byte(bad)); err == nil {
			t.Errorf("%q is read as %+v", bad, r)
		}
	}
}

func FuzzRecord(f *testing.F) {
	f.Add([]byte(`{"engine":"slurm","arguments":["needle"],"jobs":[{"id":"12","parts":[0,2],"count":3,"submitted":"2026-01-02T03:04:05Z"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := parseRecord(data)
		if err != nil {
			return
		}
		for _, j := range r.Jobs {
			for _, p := range j.Parts {
				if p < 0 || p >= j.Count {
					t.Errorf("part %d of %d", p, j.Count)
				}
			}
		}
	})
}

func TestJobName(t *testing.T) {
	for dir, want := range map[string]string{"/x/runs/LB_1": "snapbench-lb-1", "/é": "snapbench", "/" + strings.Repeat("a", 100): "snapbench-" + strings.Repeat("a", 30)} {
		if got := JobName(dir); got != want {
			t.Errorf("%s: %q, want %q", dir, got, want)
		}
	}
}

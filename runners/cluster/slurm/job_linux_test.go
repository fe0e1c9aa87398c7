package slurm_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/snapbench/snapbench/results"
	"github.com/snapbench/snapbench/runners/cluster"
	_ "github.com/snapbench/snapbench/runners/cluster/slurm"
)

// job is a run whose parts are submitted.
type job struct {
	t      *testing.T
	s      *suite
	engine cluster.Engine
	work   cluster.Work
	want   []string // rows
	id     string
}

// job makes the folder of a run of some parts, as the command does before it submits.
func (s *suite) job(t *testing.T, partition string, count int, q question) *job {
	t.Helper()
	engine, err := cluster.Open("slurm")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	j := &job{t: t, s: s, engine: engine, want: q.rows, work: cluster.Work{
		Name: "snapbench-" + partition, Program: s.program, Arguments: q.arguments, Dir: dir, Out: filepath.Join(dir, "run"),
		Count: count, Grace: 10 * time.Second, EngineArgs: []string{"--partition=" + partition},
	}}
	for i := range count {
		j.work.Parts = append(j.work.Parts, i)
	}
	j.prepare()
	t.Cleanup(j.leave)
	return j
}

// leave waits until Slurm runs nothing of a job any more: its last process may still write
// beside the joined rows, in a folder that is removed next.
func (j *job) leave() {
	j.until("Slurm is done with it", func() bool {
		said := j.s.Command(j.t, "squeue", "--noheader", "--states=RUNNING,COMPLETING", "--format=%Z")
		return !strings.Contains("\n"+said, "\n"+j.work.Dir+"\n")
	})
}

func (j *job) prepare() {
	j.t.Helper()
	if err := os.MkdirAll(j.work.Out, 0o755); err != nil {
		j.t.Fatal(err)
	}
	var err error
	if j.work.Token, err = cluster.Token(j.work.Out); err != nil {
		j.t.Fatal(err)
	}
}

func (j *job) submit(list ...int) {
	j.t.Helper()
	if len(list) > 0 {
		j.work.Parts = list
	}
	ctx, cancel := context.WithTimeout(j.t.Context(), 5*time.Minute)
	defer cancel()
	var err error
	if j.id, err = j.engine.Submit(ctx, j.work); err != nil {
		j.t.Fatal(err)
	}
}

func (j *job) states() map[int]cluster.State {
	j.t.Helper()
	states, err := j.engine.States(j.t.Context(), j.id, j.work)
	if err != nil {
		j.t.Fatal(err)
	}
	return states
}

// until waits for something, and shows the logs of the parts where it does not come.
func (j *job) until(what string, done func() bool) {
	j.t.Helper()
	const patience = 5 * time.Minute
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if done() {
			return
		}
	}
	for _, part := range j.work.Parts {
		j.t.Logf("part %d: %s", part, j.engine.Log(j.t.Context(), j.id, j.work, part))
	}
	j.t.Fatalf("within %v it was not so that %s: %v", patience, what, j.states())
}

// ended waits until Slurm does nothing more about a part, and holds it to a state.
func (j *job) ended(part int, want cluster.State) {
	j.t.Helper()
	j.until(fmt.Sprintf("part %d is over", part), func() bool {
		state, ok := j.states()[part]
		return ok && !state.Live()
	})
	if got := j.states()[part]; got != want {
		j.t.Fatalf("part %d is %v, want %v; its log:\n%s", part, got, want, j.log(part))
	}
}

func (j *job) log(part int) string {
	return j.engine.Log(j.t.Context(), j.id, j.work, part)
}

func (j *job) logHas(part int, want string) {
	j.t.Helper()
	if log := j.log(part); !strings.Contains(log, want) {
		j.t.Errorf("the log of part %d does not say %q:\n%s", part, want, log)
	}
}

// allEnded waits until every submitted part has ended well.
func (j *job) allEnded() {
	j.t.Helper()
	for _, part := range j.work.Parts {
		j.ended(part, cluster.Ended)
	}
}

// joined holds the run, which its last part must have joined, to that of one process.
func (j *job) joined() {
	j.t.Helper()
	got := rows(j.t, j.work.Out)
	if !slices.Equal(got, j.want) {
		for i := range min(len(got), len(j.want)) {
			if got[i] != j.want[i] {
				j.t.Fatalf("row %d is\n%s\nby one process\n%s", i, got[i], j.want[i])
			}
		}
		j.t.Fatalf("%d rows, by one process %d", len(got), len(j.want))
	}
}

// attempts are those at a part, and how many rows each has.
func (j *job) attempts(part int) (list []string, had map[string]int) {
	j.t.Helper()
	had = map[string]int{}
	dir := filepath.Join(j.work.Out, results.PartsDir, fmt.Sprintf("%d-of-%d", part, j.work.Count))
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		j.t.Fatal(err)
	}
	for _, e := range entries {
		list = append(list, e.Name())
		if n, err := results.CountRows(filepath.Join(dir, e.Name())); err == nil {
			had[e.Name()] = n
		}
	}
	return list, had
}

// hold keeps all parts from ending once one of them has rows, so that it is at work for as long as a test takes to do
// something to it; the test lets go then. A minute is the longest that a grade may take.
func (j *job) hold(part int) (release func()) {
	j.t.Helper()
	path := filepath.Join(j.work.Dir, "hold")
	pattern := filepath.Join(filepath.Base(j.work.Out), results.PartsDir, fmt.Sprintf("%d-of-%d", part, j.work.Count), "*", "journal.jsonl")
	if err := os.WriteFile(path, []byte(pattern), 0o644); err != nil {
		j.t.Fatal(err)
	}
	return func() {
		if err := os.Remove(path); err != nil {
			j.t.Error(err)
		}
	}
}

// atWork waits until an attempt at a part has finished some rows, and has not ended.
func (j *job) atWork(part int) {
	j.t.Helper()
	j.until(fmt.Sprintf("part %d has rows", part), func() bool {
		_, had := j.attempts(part)
		for _, n := range had {
			if n > 0 {
				return true
			}
		}
		return false
	})
}

// node says where a part is.
func (j *job) node(part int) string {
	j.t.Helper()
	return strings.TrimSpace(j.s.Command(j.t, "squeue", "--noheader", "--format=%N", fmt.Sprintf("--jobs=%s_%d", j.id, part)))
}

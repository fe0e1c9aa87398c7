package slurm_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/snapbench/snapbench/results"
	"github.com/snapbench/snapbench/results/parts"
	"github.com/snapbench/snapbench/runners/cluster"
	_ "github.com/snapbench/snapbench/runners/cluster/slurm"
	"github.com/snapbench/snapbench/runners/cluster/slurmtest"
)

// suite is a cluster, the program, and what one process makes of two questions.
type suite struct {
	*slurmtest.Cluster
	program   string
	many, few question
}

// question is a command, and what one process answers.
type question struct {
	arguments []string
	rows      []string // without what differs from run to run
}

// Each scenario has nodes of its own.
var partitions = []slurmtest.Partition{
	{Name: "many", Nodes: 4}, {Name: "dies", Nodes: 2}, {Name: "hangs", Nodes: 2}, {Name: "fails", Nodes: 1}, {Name: "stops", Nodes: 1},
	{Name: "limit", Nodes: 1}, {Name: "hides", Nodes: 2}, {Name: "other", Nodes: 2}, {Name: "busy", Nodes: 1}, {Name: "command", Nodes: 2}, {Name: "whole", Nodes: 2}, {Name: "asked", Nodes: 1}, {Name: "storm", Nodes: 3},
	{Name: "low", Nodes: 1}, {Name: "high", Over: "low"},
}

// ask returns the command that asks so many samples under three variants. Each sample
// takes a tenth of a second.
func ask(depths, trials string) []string {
	return []string{"needle", "--lengths", "384", "--depths", depths, "--trials", trials, "--budgets", "full,48,96", "--windows", "16", "--kernels", "5", "--device", "cpu", "--quiet"}
}

func newSuite(t *testing.T) *suite {
	begun := time.Now()
	s := &suite{Cluster: slurmtest.Start(t, partitions...)}
	t.Logf("the cluster is up within %v", time.Since(begun).Round(time.Millisecond))
	dir := t.TempDir()
	s.program = filepath.Join(dir, "snapbench")
	if said, err := exec.Command("go", "build", "-o", s.program, "github.com/snapbench/snapbench/cmd/snapbench").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	alone := func(samples int, arguments []string) question {
		out := filepath.Join(dir, fmt.Sprint("alone", samples))
		if said, err := exec.Command(s.program, append(slices.Clone(arguments), "--out", out)...).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, said)
		}
		q := question{arguments, rows(t, out)}
		if len(q.rows) != 3*samples {
			t.Fatalf("%d rows by one process, want %d", len(q.rows), 3*samples)
		}
		return q
	}
	s.many, s.few = alone(60, ask("5", "12")), alone(12, ask("3", "4"))
	return s
}

// rows are those of a run, without what differs from run to run.
func rows(t *testing.T, dir string) (list []string) {
	t.Helper()
	set, err := results.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	if set.Partial {
		t.Errorf("%s is not joined", dir)
	}
	for _, r := range set.Rows {
		r.PrefillSeconds, r.DecodeSeconds, r.PeakBytes = nil, nil, nil
		text, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, string(text))
	}
	return list
}

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
	return j
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
	ctx, cancel := context.WithTimeout(j.t.Context(), time.Minute)
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
	const patience = 2 * time.Minute
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

// A real Slurm places, loses, cancels and restarts parts, and what is joined is the run
// of one process.
func TestSlurm(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a cluster and builds the program")
	}
	begun := time.Now()
	s := newSuite(t)
	t.Logf("ready within %v", time.Since(begun).Round(time.Millisecond))
	scenarios := map[string]func(*testing.T, *suite){
		"parts": anyNumberOfParts, "node dies": nodeDies, "node hangs": nodeHangs, "fails": partFails, "cancelled": partCancelled,
		"preempted": preempted, "asked to end": askedToEnd, "time limit": timeLimit, "time too short": timeTooShort, "hidden folder": hiddenFolder, "other folder": otherFolder,
		"storm": storm, "no free node": noFreeNode, "odd names": oddNames, "forgotten": forgotten,
		"command": wholeCommand, "command attaches": commandAttaches, "command submits again": commandSubmitsAgain,
		"command refuses": commandRefuses, "printed": printed, "srun": srun,
	}
	// All at once, whatever -parallel says: most of the time they wait for Slurm.
	var all sync.WaitGroup
	for name, scenario := range scenarios {
		all.Go(func() {
			t.Run(name, func(t *testing.T) {
				begun := time.Now()
				scenario(t, s)
				t.Logf("%v", time.Since(begun).Round(time.Millisecond))
			})
		})
	}
	all.Wait()
}

func anyNumberOfParts(t *testing.T, s *suite) {
	for _, count := range []int{3, 7, 80} {
		j := s.job(t, "many", count, s.many)
		remarks, err := j.engine.Check(t.Context(), j.work)
		if text := strings.Join(remarks, "\n"); err != nil || count == 3 && !strings.Contains(text, "is seen by n1, n2, n3, n4; every other") {
			t.Errorf("%d parts: check: %q, %v", count, text, err)
		}
		begun := time.Now()
		j.submit()
		j.allEnded()
		t.Logf("%d parts: %v", count, time.Since(begun).Round(time.Millisecond))
		j.joined()
	}
	j := s.job(t, "many", 102, s.many)
	if _, err := j.engine.Check(t.Context(), j.work); err == nil || !strings.Contains(err.Error(), "part 101 of 102: this cluster's arrays end at 100") {
		t.Errorf("more parts than an array may have: %v", err)
	}
}

// The part goes to another node, which skips what the dead one had finished.
func nodeDies(t *testing.T, s *suite) {
	j := s.job(t, "dies", 2, s.many)
	j.work.EngineArgs = append(j.work.EngineArgs, "--exclusive")
	j.submit()
	j.atWork(0)
	node := j.node(0)
	s.Kill(t, node)
	j.allEnded()
	list, had := j.attempts(0)
	if len(list) != 2 || had[list[0]] == 0 || had[list[0]]+had[list[1]] != 90 {
		t.Errorf("attempts at part 0: %v with %v rows, want two with 90 together", list, had)
	}
	j.joined()
}

// A node that hangs is taken for dead, so its part is made elsewhere. What it does when it
// thaws changes nothing.
func nodeHangs(t *testing.T, s *suite) {
	j := s.job(t, "hangs", 2, s.many)
	j.work.EngineArgs = append(j.work.EngineArgs, "--exclusive")
	j.submit()
	j.atWork(0)
	node := j.node(0)
	s.Hang(t, node)
	j.until("all parts have ended", func() bool {
		folder, err := parts.Look(j.work.Out)
		return err == nil && len(folder.Unfinished(2)) == 0
	})
	j.allEnded()
	j.joined()
	s.Thaw(t, node)
	before, _ := j.attempts(0)
	time.Sleep(3 * time.Second) // in which it writes what it had in mind
	if after, _ := j.attempts(0); len(before) != 2 || !slices.Equal(before, after) {
		t.Errorf("attempts at part 0: %v, then %v", before, after)
	}
	j.joined()
	if said, err := exec.Command(s.program, "results", "join", j.work.Out).CombinedOutput(); err != nil {
		t.Errorf("joined again: %v\n%s", err, said)
	}
	j.joined()
}

// A part that cannot run fails, with its reason in the log; submitted again it completes
// the run.
func partFails(t *testing.T, s *suite) {
	j := s.job(t, "fails", 3, s.few)
	// A file is where the part's folder would be.
	path := filepath.Join(j.work.Out, results.PartsDir, "1-of-3")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	j.submit()
	j.ended(0, cluster.Ended)
	j.ended(1, cluster.Failed)
	j.ended(2, cluster.Ended)
	j.logHas(1, "1-of-3")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	j.submit(1)
	j.ended(1, cluster.Ended)
	if got := j.states(); len(got) != 1 {
		t.Errorf("submitted again: %v, want part 1 alone", got)
	}
	j.joined()
}

// What a person stops stays stopped, and its rows stay.
func partCancelled(t *testing.T, s *suite) {
	j := s.job(t, "stops", 2, s.many)
	j.work.AtOnce = 1
	j.submit()
	j.atWork(0)
	s.Command(t, "scancel", j.id+"_0")
	j.ended(0, cluster.Failed)
	j.ended(1, cluster.Ended)
	list, had := j.attempts(0)
	if len(list) != 1 || had[list[0]] == 0 || had[list[0]] == 90 {
		t.Fatalf("attempts at part 0: %v with %v rows, want one with some of 90", list, had)
	}
	if got := j.states()[0]; got != cluster.Failed {
		t.Errorf("the part that was cancelled is %v", got)
	}
	j.submit(0)
	j.ended(0, cluster.Ended)
	j.joined()
}

// A part that others push away queues up again, and goes on.
func preempted(t *testing.T, s *suite) {
	j := s.job(t, "low", 1, s.many)
	j.submit()
	j.atWork(0)
	s.Command(t, "sbatch", "--partition=high", "--exclusive", "--output=/dev/null", "--wrap=true")
	j.allEnded()
	if list, had := j.attempts(0); len(list) != 2 || had[list[0]] == 0 || had[list[0]]+had[list[1]] != 180 {
		t.Errorf("attempts %v with %v rows, want two with 180 together", list, had)
	}
	j.joined()
}

// A part that is asked to end does so at a sample's end, queues up again, alone, and goes
// on.
func askedToEnd(t *testing.T, s *suite) {
	j := s.job(t, "asked", 2, s.many)
	j.work.AtOnce = 1
	j.submit()
	j.ended(0, cluster.Ended)
	j.atWork(1)
	s.Command(t, "scancel", "--batch", "--signal=USR1", j.id+"_1")
	j.allEnded()
	if list, _ := j.attempts(0); len(list) != 1 {
		t.Errorf("attempts at part 0, which had ended: %v", list)
	}
	if list, had := j.attempts(1); len(list) != 2 || had[list[0]] == 0 || had[list[0]]+had[list[1]] != 90 {
		t.Errorf("attempts at part 1: %v with %v rows, want two with 90 together", list, had)
	}
	j.logHas(1, "ended as asked with")
	j.joined()
}

// Nodes lose their power and are back seconds later, again and again.
func storm(t *testing.T, s *suite) {
	if os.Getenv("SNAPBENCH_LONG") == "" {
		t.Skip("minutes: SNAPBENCH_LONG=1")
	}
	const kills = 40
	j := s.job(t, "storm", 7, s.many)
	j.submit()
	nodes := s.Nodes("storm")
	over := func() bool {
		states := j.states()
		return len(states) == 7 && !slices.ContainsFunc(j.work.Parts, func(part int) bool { return states[part].Live() })
	}
	starts := 0
	finish := func() {
		j.joined()
		for part := range 7 {
			list, _ := j.attempts(part)
			starts += len(list) - 1
		}
	}
	for range kills {
		if over() { // once more, from the first row
			finish()
			j = s.job(t, "storm", 7, s.many)
			j.submit()
		}
		time.Sleep(time.Duration(rand.IntN(3000)) * time.Millisecond)
		node := nodes[rand.IntN(len(nodes))]
		s.Kill(t, node)
		time.Sleep(time.Duration(rand.IntN(2000)) * time.Millisecond)
		s.Return(t, node, "")
	}
	j.allEnded()
	finish()
	if t.Logf("%d times a part was started again", starts); starts < kills/10 {
		t.Errorf("of %d kills %d met a part", kills, starts)
	}
}

// Before its time limit a part ends at a sample's end and queues up again.
func timeLimit(t *testing.T, s *suite) {
	j := s.job(t, "limit", 1, s.many)
	j.work.Arguments = slices.Clone(j.work.Arguments)
	j.work.Arguments[2] = "1k"
	// The least limit is a minute, of which the grace leaves some seconds.
	j.work.EngineArgs, j.work.Grace = append(j.work.EngineArgs, "--time=1"), 56*time.Second
	j.submit()
	j.until("the part was started twice", func() bool { list, _ := j.attempts(0); return len(list) >= 2 })
	if _, had := j.attempts(0); len(had) < 2 {
		j.atWork(0)
	}
	j.logHas(0, "ended as asked with")
	// It has shown what it should; the rest of its samples take a while.
	if os.Getenv("SNAPBENCH_LONG") == "" {
		s.Command(t, "scancel", j.id)
		j.ended(0, cluster.Failed)
		return
	}
	j.ended(0, cluster.Ended)
	if n := len(rows(t, j.work.Out)); n != 180 {
		t.Errorf("%d rows, want 180", n)
	}
}

// Where the time does not suffice for one sample a part fails: it would be started again
// for ever.
func timeTooShort(t *testing.T, s *suite) {
	j := s.job(t, "limit", 1, question{arguments: []string{"needle", "--lengths", "15k", "--depths", "1", "--budgets", "full", "--device", "cpu", "--quiet"}})
	j.work.Grace = 8 * time.Second
	j.submit()
	j.until("the part has begun", func() bool { _, had := j.attempts(0); return len(had) > 0 })
	s.Command(t, "scancel", "--batch", "--signal=USR1", j.id+"_0")
	j.ended(0, cluster.Failed)
	j.logHas(0, "give the part more time")
	if list, had := j.attempts(0); len(list) != 1 || had[list[0]] != 0 {
		t.Errorf("attempts %v with rows %v", list, had)
	}
}

// A folder that a node does not see is found before anything is submitted, and by the
// part itself where it was not.
func hiddenFolder(t *testing.T, s *suite) {
	j := s.job(t, "hides", 1, s.few)
	node := s.Nodes("hides")[1]
	s.Kill(t, node)
	s.Return(t, node, "mount -t tmpfs tmpfs "+j.work.Out)
	j.until("the node is back", func() bool {
		return strings.Count(s.Command(t, "sinfo", "--noheader", "--Node", "--partition=hides", "--states=idle", "--format=%N"), "\n") == 2
	})
	_, err := j.engine.Check(t.Context(), j.work)
	path := filepath.Join(j.work.Out, parts.TokenFile)
	if err == nil || !strings.Contains(err.Error(), "node "+node+" does not see the run's folder") || !strings.Contains(err.Error(), path) {
		t.Errorf("check: %v, want node %s and %s", err, node, path)
	}
}

// A folder of a node's own under the name of the run's is no better.
func otherFolder(t *testing.T, s *suite) {
	j := s.job(t, "other", 1, s.few)
	node := s.Nodes("other")[0]
	s.Kill(t, node)
	own := fmt.Sprintf("mount -t tmpfs tmpfs %[1]s && mkdir %[1]s/job && echo 1234 > %[1]s/%[2]s && mount --bind %[1]s/job %[1]s/job", j.work.Out, parts.TokenFile)
	s.Return(t, node, own)
	j.until("the node is back", func() bool {
		return strings.Count(s.Command(t, "sinfo", "--noheader", "--Node", "--partition=other", "--states=idle", "--format=%N"), "\n") == 2
	})
	_, err := j.engine.Check(t.Context(), j.work)
	if want := fmt.Sprintf("node %s has another folder under the name of the run's", node); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), `is "1234" there`) {
		t.Errorf("check: %v, want %q", err, want)
	}
	// Only this node is asked to run it, and nobody asked the node before.
	j.work.EngineArgs = append(j.work.EngineArgs, "--nodelist="+node)
	j.submit()
	j.ended(0, cluster.Failed)
	if list, _ := j.attempts(0); len(list) != 0 {
		t.Errorf("attempts here: %v", list)
	}
}

func noFreeNode(t *testing.T, s *suite) {
	id := strings.TrimSpace(s.Command(t, "sbatch", "--parsable", "--partition=busy", "--exclusive", "--output=/dev/null", "--wrap=sleep 100"))
	defer s.Command(t, "scancel", id)
	j := s.job(t, "busy", 1, s.few)
	j.until("the node is busy", func() bool {
		return strings.TrimSpace(s.Command(t, "squeue", "--noheader", "--format=%T", "--jobs="+id)) == "RUNNING"
	})
	remarks, err := j.engine.Check(t.Context(), j.work)
	if text := strings.Join(remarks, "\n"); err != nil || !strings.Contains(text, "could not be asked now (Unable to allocate resources: ") || !strings.Contains(text, "each part checks it") {
		t.Errorf("%q, %v", text, err)
	}
	j.work.EngineArgs = []string{"--partition=nowhere"}
	if _, err := j.engine.Submit(t.Context(), j.work); err == nil || !strings.Contains(err.Error(), "invalid partition specified: nowhere") {
		t.Errorf("a partition that is not there: %v", err)
	}
}

// Names of folders and arguments reach the part as they are.
func oddNames(t *testing.T, s *suite) {
	j := s.job(t, "command", 1, s.few)
	j.work.Dir = filepath.Join(t.TempDir(), `it's "100%" #1 $HOME`)
	j.work.Out = filepath.Join(j.work.Dir, "a  run %j")
	j.prepare()
	text := `{"id": "one", "prompt": "One and one is", "answers": ["2"]}` + "\n"
	if err := os.WriteFile(filepath.Join(j.work.Dir, "it's mine.jsonl"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	j.work.Arguments = []string{"prompts", "it's mine.jsonl", "--budgets", "full", "--max-new", "4", "--device", "cpu"}
	j.work.EngineArgs = append(j.work.EngineArgs, `--comment=a "quoted" \comment #1`)
	j.submit()
	j.ended(0, cluster.Ended)
	if n := len(rows(t, j.work.Out)); n != 1 {
		t.Errorf("%d rows, want 1", n)
	}
	if said := s.Command(t, "scontrol", "show", "job", j.id); !strings.Contains(said, `Comment=a "quoted" \comment #1`) {
		t.Errorf("%s", said)
	}
}

// A job that Slurm does not know, and one of another name, have no parts.
func forgotten(t *testing.T, s *suite) {
	j := s.job(t, "command", 1, s.few)
	j.id = "999999"
	if got := j.states(); len(got) != 0 {
		t.Errorf("a job that is not there: %v", got)
	}
	j.id = strings.TrimSpace(s.Command(t, "sbatch", "--parsable", "--partition=command", "--array=0", "--output=/dev/null", "--wrap=true"))
	if got := j.states(); len(got) != 0 {
		t.Errorf("another's job: %v", got)
	}
}

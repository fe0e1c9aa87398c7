package ray

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/snapbench/snapbench/results"
	"github.com/snapbench/snapbench/results/parts"
	"github.com/snapbench/snapbench/runners/cluster"
)

// question is 60 samples under 3 variants of the embedded model.
var question = []string{"needle", "--device", "cpu", "--lengths", "1k,2k", "--depths", "0,50,100", "--trials", "10",
	"--budgets", "full,64,256", "--quiet"}

const questionRows = 180

// bed is a cluster, a program to run on it, and what one process makes of the question.
type bed struct {
	*realCluster
	engine  *engine
	program string
	alone   []results.Row
}

// TestReal runs parts on a real Ray cluster, kills and stops its nodes, and holds the rows
// against those that one process makes.
func TestReal(t *testing.T) {
	start := time.Now()
	c, workers := startCluster(t, 2)
	t.Logf("a cluster of a head and 2 nodes in %.1f s", time.Since(start).Seconds())
	b := &bed{realCluster: c, engine: &engine{env: noEnvironment}, program: filepath.Join(c.dir, "snapbench")}
	if out, err := exec.Command("go", "build", "-o", b.program, "github.com/snapbench/snapbench/cmd/snapbench").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	dir := t.TempDir()
	start = time.Now()
	if out, err := exec.Command(b.program, append(slices.Clone(question), "--out", dir)...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("one process takes %.1f s", time.Since(start).Seconds())
	b.alone = b.rows(t, dir)
	if len(b.alone) != questionRows {
		t.Fatalf("one process makes %d rows, want %d", len(b.alone), questionRows)
	}

	t.Run("parts", func(t *testing.T) {
		for _, n := range []int{3, 7} {
			t.Run(fmt.Sprint(n), func(t *testing.T) { b.testParts(t, n) })
		}
	})
	t.Run("script", b.testScript)
	t.Run("command", b.testCommand)
	t.Run("at once", b.testAtOnce)
	t.Run("failure", b.testFailure)
	t.Run("doomed", b.testDoomed)
	t.Run("stop", b.testStop)
	t.Run("not shared", b.testNotShared)
	t.Run("killed", func(t *testing.T) { b.testKilled(t, workers) })
	workers[0].kill() // is dead, unless -run left that test out
	workers[0] = b.join(t, "successor", "")
	c.waitAlive(t, 3)
	t.Run("hung", func(t *testing.T) { b.testHung(t, workers) })
}

// work is the question in n parts, in a folder of its own.
func (b *bed) work(t *testing.T, n int) cluster.Work {
	t.Helper()
	out := t.TempDir()
	token, err := cluster.Token(out)
	if err != nil {
		t.Fatal(err)
	}
	w := cluster.Work{Name: "test", Program: b.program, Arguments: question, Dir: b.dir, Out: out, Count: n, Token: token,
		EngineArgs: []string{"--address", b.address}}
	for i := range n {
		w.Parts = append(w.Parts, i)
	}
	return w
}

// testCommand gives the command that a person does.
func (b *bed) testCommand(t *testing.T) {
	out := t.TempDir()
	command := func(program string, more ...string) (string, error) {
		c := exec.Command(program, append(slices.Concat(question, []string{"--on", "ray", "--shards", "3", "--out", out}), more...)...)
		c.Env = append(os.Environ(), addressVariable+"="+b.address)
		text, err := c.CombinedOutput()
		return string(text), err
	}
	text, err := command(b.program, "--program", b.broken(t, 3))
	if err == nil || !strings.Contains(text, "1 (failed)") || !strings.Contains(text, "it broke") {
		t.Errorf("with a part that fails: %v\n%s", err, text)
	}
	record, err := cluster.ReadRecord(out)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := command(b.program); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	b.equal(t, out)
	again, err := cluster.ReadRecord(out)
	if err != nil {
		t.Fatal(err)
	}
	if len(record.Jobs) != 1 || len(again.Jobs) != 2 || !slices.Equal(again.Jobs[1].Parts, []int{1}) {
		t.Errorf("submitted were %+v, want all and then part 1", again.Jobs)
	}
}

// broken is a program that fails on part 1 of n, and is snapbench on the others.
func (b *bed) broken(t *testing.T, n int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "broken")
	script := fmt.Sprintf("#!/bin/sh\ncase \"$*\" in *\"--shard 1/%d\") echo it broke >&2; exit 7;; esac\nexec %s \"$@\"\n", n, b.program)
	if err := os.WriteFile(path, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func (b *bed) rows(t *testing.T, dir string) []results.Row {
	t.Helper()
	set, err := results.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(set.Rows, func(a, b results.Row) int { return cmp.Compare(a.ID, b.ID) })
	return set.Rows
}

// equal holds the rows of a folder that is joined against those of one process.
func (b *bed) equal(t *testing.T, dir string) {
	t.Helper()
	got := b.rows(t, dir)
	if len(got) != len(b.alone) {
		t.Fatalf("%d rows, want %d", len(got), len(b.alone))
	}
	for i := range got {
		if got[i].ID != b.alone[i].ID {
			t.Fatalf("row %s, want %s", got[i].ID, b.alone[i].ID)
		}
		if diff := got[i].Agree(&b.alone[i]); diff != "" {
			t.Errorf("row %.12s: %s", got[i].ID, diff)
		}
	}
}

func (b *bed) submit(t *testing.T, w cluster.Work) string {
	t.Helper()
	id, err := b.engine.Submit(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// follow asks for the states of parts until ok is satisfied with them.
func (b *bed) follow(t *testing.T, id string, w cluster.Work, what string, ok func(map[int]cluster.State) bool) {
	t.Helper()
	var states map[int]cluster.State
	for deadline := time.Now().Add(20 * time.Minute); ; {
		var err error
		if states, err = b.engine.States(t.Context(), id, w); err != nil {
			t.Fatal(err)
		}
		if ok(states) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("waited 20 minutes for %s: %v\n%s", what, states, b.engine.Log(t.Context(), id, w, 0))
		}
		time.Sleep(200 * time.Millisecond)
	}
}

func all(s cluster.State, n int) func(map[int]cluster.State) bool {
	return func(states map[int]cluster.State) bool { return count(states, s) == n }
}

func count(states map[int]cluster.State, s cluster.State) (n int) {
	for _, x := range states {
		if x == s {
			n++
		}
	}
	return n
}

func (b *bed) testParts(t *testing.T, n int) {
	w := b.work(t, n)
	start := time.Now()
	remarks, err := b.engine.Check(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("checked in %.1f s: %s", time.Since(start).Seconds(), strings.Join(remarks, "; "))
	if !strings.Contains(strings.Join(remarks, "\n"), "2 nodes have 1 CPU") {
		t.Error("want 2 nodes")
	}
	start = time.Now()
	id := b.submit(t, w)
	b.follow(t, id, w, "the end", all(cluster.Ended, n))
	t.Logf("%d parts in %.1f s", n, time.Since(start).Seconds())
	b.equal(t, w.Out)
	if log := b.engine.Log(t.Context(), id, w, n-1); log == "" {
		t.Error("no log of the last part")
	}
	folder, err := parts.Look(w.Out)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range folder.Attempts {
		if !strings.HasPrefix(a.Name, id+".") {
			t.Errorf("an attempt %q, want one of %s", a.Name, id)
		}
	}
	if len(folder.Attempts) != n {
		t.Errorf("%d attempts at %d parts", len(folder.Attempts), n)
	}
}

// The script that a person gets does, by Ray's own command, what Submit does.
func (b *bed) testScript(t *testing.T) {
	w := b.work(t, 2)
	script, err := b.engine.Render(w)
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command("/bin/sh", "-c", script)
	c.Env = append(os.Environ(), "PATH="+filepath.Join(b.venv, "bin")+":"+os.Getenv("PATH"))
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	_, rest, _ := strings.Cut(script, "--submission-id '")
	id, _, _ := strings.Cut(rest, "'")
	b.follow(t, id, w, "the end", all(cluster.Ended, 2))
	b.equal(t, w.Out)
}

func (b *bed) testAtOnce(t *testing.T) {
	w := b.work(t, 3)
	w.AtOnce = 1
	id := b.submit(t, w)
	most := 0
	b.follow(t, id, w, "the end", func(states map[int]cluster.State) bool {
		most = max(most, count(states, cluster.Running))
		return count(states, cluster.Ended) == 3
	})
	if most != 1 {
		t.Errorf("%d parts at the same time", most)
	}
	b.equal(t, w.Out)
}

// A part that fails does not stop the others, and says why it failed.
func (b *bed) testFailure(t *testing.T) {
	w := b.work(t, 3)
	w.Program = b.broken(t, 3)
	id := b.submit(t, w)
	b.follow(t, id, w, "two ends and a failure", func(states map[int]cluster.State) bool {
		return states[0] == cluster.Ended && states[1] == cluster.Failed && states[2] == cluster.Ended
	})
	if log := b.engine.Log(t.Context(), id, w, 1); !strings.Contains(log, "exit status 7") || !strings.Contains(log, "it broke") {
		t.Errorf("the log of the part that failed: %q", log)
	}
	// Whole again it is submitted for that part alone.
	w.Program, w.Parts = b.program, []int{1}
	id = b.submit(t, w)
	b.follow(t, id, w, "the end of the part", all(cluster.Ended, 1))
	b.equal(t, w.Out)
}

// A part whose worker dies each time does not keep a node busy for ever.
func (b *bed) testDoomed(t *testing.T) {
	w := b.work(t, 1)
	w.Program = filepath.Join(t.TempDir(), "doomed")
	if err := os.WriteFile(w.Program, []byte("#!/bin/sh\nkill -KILL $PPID\nsleep 60\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	id := b.submit(t, w)
	b.follow(t, id, w, "a failure", all(cluster.Failed, 1))
	if log := b.engine.Log(t.Context(), id, w, 0); !strings.Contains(log, "begun 20 times") {
		t.Errorf("the log of the part: %q", log)
	}
	t.Logf("given up after %.1f s", time.Since(start).Seconds())
}

// A job that is stopped leaves no part running, and what it did is not lost.
func (b *bed) testStop(t *testing.T) {
	w := b.work(t, 2)
	id := b.submit(t, w)
	b.waitRows(t, w.Out, 5)
	if err := newClient(b.address).stop(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	b.follow(t, id, w, "parts that are not live", func(states map[int]cluster.State) bool {
		return len(states) == 2 && count(states, cluster.Running)+count(states, cluster.Waiting) == 0
	})
	if log := b.engine.Log(t.Context(), id, w, 0); log == "" {
		t.Error("no log")
	}
	b.wait(t, "the parts' processes to end", func() bool { return !runs(t, w.Out) })
	had := b.count(t, w.Out)
	id = b.submit(t, w)
	b.follow(t, id, w, "the end", all(cluster.Ended, 2))
	b.equal(t, w.Out)
	t.Logf("stopped with %d of %d rows", had, questionRows)
}

// A node that has a folder of its own in the place of the run's is found before anything
// is submitted, and by the part itself where nobody looked.
func (b *bed) testNotShared(t *testing.T) {
	w := b.work(t, 1)
	blind := b.join(t, "blind", w.Out)
	defer func() {
		blind.kill()
		b.waitAlive(t, 3)
	}()
	b.waitAlive(t, 4)
	_, err := b.engine.Check(t.Context(), w)
	if err == nil || !strings.Contains(err.Error(), "1 of 3 nodes") || !strings.Contains(err.Error(), "No such file or directory") {
		t.Errorf("error %v", err)
	}
	t.Log(err)
}

// rows are counted where they are written, without the run's own words about them.
func (b *bed) count(t *testing.T, dir string) (n int) {
	t.Helper()
	folder, err := parts.Look(dir)
	if err != nil {
		return 0 // it changes while it is read
	}
	for _, a := range folder.Attempts {
		if rows, err := results.CountRows(a.Dir); err == nil {
			n += rows
		}
	}
	return n
}

func (b *bed) waitRows(t *testing.T, dir string, n int) {
	t.Helper()
	b.wait(t, fmt.Sprintf("%d rows", n), func() bool { return b.count(t, dir) >= n })
}

// runs says whether a process writes into a run's folder.
func runs(t *testing.T, dir string) bool {
	t.Helper()
	commands, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range commands {
		f, err := os.Open(path)
		if err != nil {
			continue // it has ended
		}
		text, _ := io.ReadAll(f)
		f.Close()
		if strings.Contains(string(text), "--out\x00"+dir+"\x00") {
			return true
		}
	}
	return false
}

// A node dies in the middle of its part: another does the part.
func (b *bed) testKilled(t *testing.T, workers []*realNode) {
	w := b.work(t, 2)
	id := b.submit(t, w)
	b.waitRows(t, w.Out, 20)
	b.follow(t, id, w, "both parts to run", all(cluster.Running, 2))
	had := b.count(t, w.Out)
	killed := time.Now()
	workers[0].kill()
	waited := false
	var noticed time.Duration
	b.follow(t, id, w, "the end", func(states map[int]cluster.State) bool {
		if !waited && count(states, cluster.Waiting) == 1 {
			waited, noticed = true, time.Since(killed)
		}
		return count(states, cluster.Ended) == 2
	})
	if !waited {
		t.Error("the part of the node that died was never waiting again")
	}
	b.equal(t, w.Out)
	b.attempts(t, w.Out, 3)
	t.Logf("killed at %d rows, noticed after %.1f s, ended %.1f s after it", had, noticed.Seconds(), time.Since(killed).Seconds())
}

// attempts holds that so many attempts at parts gave rows.
func (b *bed) attempts(t *testing.T, dir string, n int) {
	t.Helper()
	run, err := results.ReadRun(dir)
	if err != nil {
		t.Fatal(err)
	}
	gave := 0
	for _, a := range run.Attempts {
		if a.Rows > 0 {
			gave++
		}
	}
	if gave != n {
		t.Errorf("%d attempts gave rows, want %d: %+v", gave, n, run.Attempts)
	}
}

// A node hangs in the middle of its part, and goes on when another has done it.
func (b *bed) testHung(t *testing.T, workers []*realNode) {
	w := b.work(t, 2)
	id := b.submit(t, w)
	b.waitRows(t, w.Out, 20)
	b.follow(t, id, w, "both parts to run", all(cluster.Running, 2))
	had := b.count(t, w.Out)
	hung := time.Now()
	if n := workers[1].signal(t, syscall.SIGSTOP); n < 3 {
		t.Fatalf("the node has %d processes", n)
	}
	b.follow(t, id, w, "the end", all(cluster.Ended, 2))
	b.equal(t, w.Out)
	b.attempts(t, w.Out, 3)
	ended := time.Since(hung)
	workers[1].signal(t, syscall.SIGCONT)
	b.wait(t, "the thawed part to end", func() bool { return !runs(t, w.Out) })
	// The thawed process may have added to its attempt: nothing of it may differ.
	if _, err := parts.Join(w.Out, false); err != nil {
		t.Error(err)
	}
	b.equal(t, w.Out)
	t.Logf("hung at %d rows, the others ended %.1f s after it; thawed, rows are equal", had, ended.Seconds())
}

//go:build unix

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/snapbench/snapbench/results"
	"github.com/snapbench/snapbench/results/parts"
	"github.com/snapbench/snapbench/runners"
	"github.com/snapbench/snapbench/runners/console/commands"
)

// Parts that are killed, hang and go on, or end early as asked, at random moments, several
// attempts at one part at the same time, joins in between, killed as well: nothing is
// lost, doubled or changed, and the end is the run of one process. SNAPBENCH_LONG=1 and
// SNAPBENCH_KILLS=n as in TestKilledAndResumed.
func TestPartsKilledAndJoined(t *testing.T) {
	kills := killCount(t, 8)
	if os.Getenv("SNAPBENCH_KILLS") == "" && os.Getenv("SNAPBENCH_LONG") != "" {
		kills = 200
	}
	program, work, model := builtProgram(t), t.TempDir(), tinyModel(t)
	prompts := filepath.Join(work, "prompts.jsonl")
	if err := writePrompts(prompts, 60); err != nil {
		t.Fatal(err)
	}
	command := func(out string, more ...string) *exec.Cmd {
		return exec.Command(program, append([]string{"prompts", prompts, "--model", model, "--device", "cpu", "--metric", "recalled",
			"--budgets", "full,24", "--windows", "8", "--kernels", "3,5", "--max-new", "3", "--quiet", "--out", out}, more...)...)
	}
	calm := filepath.Join(work, "calm")
	began := time.Now()
	if text, err := command(calm).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	took := time.Since(began)
	want := rowsBesidesTimes(t, calm)
	byID := map[string]results.Row{}
	for _, r := range want {
		byID[r.ID] = r
	}

	rng := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 18))
	killed, hung, asked, joins, runs, attempts := 0, 0, 0, 0, 0, 0
	for killed < kills {
		dir := filepath.Join(work, fmt.Sprint("parts", runs))
		runs++
		n, there := 1+rng.IntN(7), 0
		for killed < kills {
			var wait sync.WaitGroup
			for range 1 + rng.IntN(3) {
				c, what := command(dir, "--shard", fmt.Sprintf("%d/%d", rng.IntN(n), n)), rng.IntN(6)
				pause := time.Duration(rng.Float64() * float64(took))
				attempts++
				switch what {
				case 0:
					hung++
				case 1:
					asked++
				default:
					killed++
				}
				wait.Go(func() { disturb(t, c, what, pause) })
			}
			if rng.IntN(3) == 0 {
				c, pause := exec.Command(program, "results", "join", dir), time.Duration(rng.Float64()*float64(200*time.Millisecond))
				joins++
				wait.Go(func() { disturb(t, c, 2, pause) })
			}
			wait.Wait()
			left := rowsOfParts(t, dir)
			if len(left) < there {
				t.Fatalf("%d rows, %d were there before", len(left), there)
			}
			there = len(left)
			for id, r := range left {
				if !reflect.DeepEqual(r, byID[id]) {
					t.Fatalf("a row that no undisturbed run has:\n%+v\n%+v", r, byID[id])
				}
			}
			if rng.IntN(4) == 0 {
				n = 1 + rng.IntN(7) // the run goes on in another number of parts
			}
			if rng.IntN(5) == 0 {
				break
			}
		}
		for i := range n {
			if text, err := command(dir, "--shard", fmt.Sprintf("%d/%d", i, n)).CombinedOutput(); err != nil {
				t.Fatalf("part %d of %d at last: %v\n%s", i, n, err, text)
			}
		}
		if got := rowsBesidesTimes(t, dir); !reflect.DeepEqual(got, want) {
			t.Fatalf("%d rows joined, %d by one process, or others", len(got), len(want))
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d attempts in %d runs of %d rows: %d killed, %d hung and thawed, %d asked to end; %d joins killed at some moment",
		attempts, runs, len(want), killed, hung, asked, joins)
}

// disturb runs a command and, after a pause, stops and continues it, asks it to end, or
// kills it.
func disturb(t *testing.T, c *exec.Cmd, what int, pause time.Duration) {
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	if err := c.Start(); err != nil {
		t.Error(err)
		return
	}
	ended := make(chan struct{})
	var err error
	go func() {
		err = c.Wait()
		close(ended)
	}()
	select {
	case <-time.After(pause):
	case <-ended:
	}
	var status *exec.ExitError
	switch what {
	case 0:
		c.Process.Signal(syscall.SIGSTOP)
		time.Sleep(pause / 2)
		c.Process.Signal(syscall.SIGCONT)
		if <-ended; err != nil {
			t.Errorf("thawed: %v\n%s", err, out.String())
		}
	case 1:
		c.Process.Signal(syscall.SIGUSR1)
		// Before snapbench listens for it, the signal kills it as it would any program.
		if <-ended; err != nil && (!errors.As(err, &status) || status.ExitCode() != exitAgain && status.ExitCode() != exitCannotRun && status.ExitCode() != -1) {
			t.Errorf("asked to end: %v\n%s", err, out.String())
		}
	default:
		c.Process.Kill()
		<-ended
	}
}

// rowsOfParts are the rows of all attempts, each once; two that differ are an error.
func rowsOfParts(t *testing.T, dir string) map[string]results.Row {
	t.Helper()
	folder, err := parts.Look(dir)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]results.Row{}
	for _, a := range folder.Attempts {
		for id, r := range rowsLeft(t, a.Dir) {
			if had, ok := all[id]; ok && !reflect.DeepEqual(had, r) {
				t.Fatalf("two attempts answer differently:\n%+v\n%+v", had, r)
			}
			all[id] = r
		}
	}
	return all
}

// SIGUSR1 ends a run at a sample's end with a status of its own, and the same command
// continues it.
func TestEndedAsAsked(t *testing.T) {
	const samples = 150
	model, work := tinyModel(t), t.TempDir()
	prompts, out := filepath.Join(work, "prompts.jsonl"), filepath.Join(work, "run")
	if err := writePrompts(prompts, samples); err != nil {
		t.Fatal(err)
	}
	journal := filepath.Join(out, "parts", "0-of-1", "one", "journal.jsonl")
	metric, release := held(t, journal)
	command := func(out string) *exec.Cmd {
		c := exec.Command(os.Args[0], "prompts", prompts, "--model", model, "--device", "cpu", "--metric", metric,
			"--budgets", "full,24", "--windows", "8", "--max-new", "4", "--out", out, "--shard", "0/1")
		c.Env = append(os.Environ(), asCommand+"=1", "SNAPBENCH_ATTEMPT=one")
		return c
	}
	c := command(out)
	var stderr bytes.Buffer
	c.Stderr = &stderr
	err := signalled(t, c, journal, syscall.SIGUSR1, release)
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != exitAgain || !strings.Contains(stderr.String(), "rows finished: the same command continues") {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	if n := len(rowsOfParts(t, out)); n == 0 || n >= 2*samples {
		t.Fatalf("%d of %d rows", n, 2*samples)
	}
	for _, dir := range []string{out, filepath.Join(work, "calm")} {
		if text, err := command(dir).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
	}
	if got, want := rowsBesidesTimes(t, out), rowsBesidesTimes(t, filepath.Join(work, "calm")); len(want) != 2*samples || !reflect.DeepEqual(got, want) {
		t.Errorf("%d rows continued, %d undisturbed, or others", len(got), len(want))
	}
}

// What ended early without a single row is not to be started again: it would end so each
// time.
func TestExplainEnd(t *testing.T) {
	for _, c := range []struct {
		err       error
		asked     bool
		had, rows int
		status    int
		want      string
	}{
		{runners.ErrEnough, true, 3, 5, exitAgain, "5 rows"},
		{context.Canceled, true, 3, 5, exitAgain, "5 rows"},
		{runners.ErrEnough, true, 3, 3, 0, "more time"},
		{context.Canceled, false, 3, 5, 0, "interrupted"},
		{errors.New("the card is gone"), true, 3, 5, 0, "the card is gone"},
	} {
		err := commands.End(c.err, c.asked, c.had, c.rows, exitAgain)
		var exit *commands.ExitError
		if errors.As(err, &exit) != (c.status != 0) || exit != nil && exit.Code != c.status || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/snapbench/snapbench/results"
)

// A run that is killed at random moments and continued loses no row, has none twice, changes
// none, and ends with the rows of an undisturbed one, times excepted. SNAPBENCH_LONG=1 kills
// fifty times as often, SNAPBENCH_KILLS=n kills n times.
func TestKilledAndResumed(t *testing.T) { killedAndResumed(t, 12, "cpu", "cpu") }

// The same holds for a run that continues with a different number of devices each time.
func TestTwoDevicesKilledAndResumed(t *testing.T) {
	killedAndResumed(t, 6, "cpu", "cpu,cpu", "cpu,cpu,cpu")
}

// The same holds for the needle test on the embedded model.
func TestNeedleKilledAndResumed(t *testing.T) {
	ask := []string{"needle", "--lengths", "512", "--depths", "5", "--trials", "4", "--budgets", "full,64,128", "--kernels", "5"}
	sufferKills(t, killCount(t, 4), ask, "cpu", "cpu")
}

// killedAndResumed compares a run that is killed, and continued on one of the disturbing
// lists of devices each time, with an undisturbed run.
func killedAndResumed(t *testing.T, kills int, undisturbed string, disturbing ...string) {
	prompts := filepath.Join(t.TempDir(), "prompts.jsonl")
	if err := writePrompts(prompts, 60); err != nil {
		t.Fatal(err)
	}
	ask := []string{"prompts", prompts, "--model", tinyModel(t), "--metric", "recalled", "--budgets", "full,24",
		"--windows", "8", "--kernels", "3,5", "--max-new", "3", "--fidelity"}
	sufferKills(t, killCount(t, kills), ask, undisturbed, disturbing...)
}

func killCount(t *testing.T, kills int) int {
	t.Helper()
	if text := os.Getenv("SNAPBENCH_KILLS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	switch {
	case os.Getenv("SNAPBENCH_LONG") != "":
		return 50 * kills
	case testing.Short():
		return 3
	}
	return kills
}

// sufferKills runs the built program, kills it, looks at what it left, and starts it
// again, run after run.
func sufferKills(t *testing.T, kills int, ask []string, undisturbed string, disturbing ...string) {
	program := builtProgram(t)
	work := t.TempDir()
	command := func(device, out string) *exec.Cmd {
		return exec.Command(program, append(ask, "--device", device, "--out", out)...)
	}
	calm := filepath.Join(work, "calm")
	began := time.Now()
	quiet := command(undisturbed, calm)
	if err := quiet.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	var failed error
	go func() {
		failed = quiet.Wait()
		close(ended)
	}()
	waitFor(filepath.Join(calm, "journal.jsonl"), 1, ended)
	writing := time.Now()
	waitFor(filepath.Join(calm, "results.parquet"), 1, ended)
	written := time.Since(writing)
	if <-ended; failed != nil {
		t.Fatalf("undisturbed: %v", failed)
	}
	took := time.Since(began)
	want := rowsBesidesTimes(t, calm)
	byID := map[string]results.Row{}
	for _, r := range want {
		byID[r.ID] = r
	}

	rng := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 7))
	killed, interrupted, runs, before, atWork, after := 0, 0, 0, 0, 0, 0
	for killed < kills {
		disturbed := filepath.Join(work, fmt.Sprint("disturbed", runs))
		runs++
		there := 0
		for {
			c := command(disturbing[rng.IntN(len(disturbing))], disturbed)
			if killed == kills {
				if out, err := c.CombinedOutput(); err != nil {
					t.Fatalf("after %d kills: %v\n%s", killed, err, out)
				}
				break
			}
			// Half of the kills come at any time, the others in the short time in which
			// rows are written.
			journal, wait := "", time.Duration(rng.Float64()*float64(took))
			if rng.IntN(2) == 0 {
				journal, wait = filepath.Join(disturbed, "journal.jsonl"), time.Duration(rng.Float64()*float64(written))
			}
			signal := syscall.SIGKILL
			if rng.IntN(8) == 0 {
				signal = syscall.SIGINT
			}
			finished, err := endAfter(c, journal, wait, signal)
			if err != nil {
				t.Fatalf("after %d kills: %v", killed, err)
			}
			if finished {
				break
			}
			if killed++; signal == syscall.SIGINT {
				interrupted++
			}
			left := rowsLeft(t, disturbed)
			if len(left) < there {
				t.Fatalf("kill %d: %d rows, %d were there before", killed, len(left), there)
			}
			switch {
			case len(left) == len(want):
				after++
			case len(left) > there:
				atWork++
			default:
				before++
			}
			there = len(left)
			for id, r := range left {
				if !reflect.DeepEqual(r, byID[id]) {
					t.Fatalf("kill %d: a row that no undisturbed run has:\n%+v\n%+v", killed, r, byID[id])
				}
			}
		}
		if got := rowsBesidesTimes(t, disturbed); !reflect.DeepEqual(got, want) {
			t.Fatalf("after %d kills: %d rows, %d undisturbed, or others", killed, len(got), len(want))
		}
		if err := os.RemoveAll(disturbed); err != nil {
			t.Fatal(err)
		}
	}
	if kills >= 50 && (before == 0 || atWork == 0 || after == 0) {
		t.Error("no kill came at one of the three times")
	}
	t.Logf("%d kills (%d of them SIGINT) in %d runs of %d rows: %d before the first new row, %d while rows were written, %d behind the last",
		killed, interrupted, runs, len(want), before, atWork, after)
}

// endAfter starts the command and sends it the signal after a while, counted from its start
// or, with a file, from when it first writes to that. It says whether the command had
// finished by itself, without an error.
func endAfter(c *exec.Cmd, file string, wait time.Duration, signal syscall.Signal) (finished bool, err error) {
	size := int64(0)
	if info, err := os.Stat(file); err == nil {
		size = info.Size()
	}
	if err = c.Start(); err != nil {
		return false, err
	}
	ended := make(chan struct{})
	go func() {
		err = c.Wait()
		close(ended)
	}()
	if file != "" {
		waitFor(file, size+1, ended)
	}
	select {
	case <-ended:
		return err == nil, err
	case <-time.After(wait):
		c.Process.Signal(signal)
		<-ended
		return err == nil, nil
	}
}

// waitFor waits until a file has so many bytes or the program has ended.
func waitFor(file string, size int64, ended <-chan struct{}) {
	for {
		if info, err := os.Stat(file); err == nil && info.Size() >= size {
			return
		}
		select {
		case <-ended:
			return
		case <-time.After(200 * time.Microsecond):
		}
	}
}

// rowsLeft returns the rows, by ID, of a folder after a kill; there may be none yet.
func rowsLeft(t *testing.T, dir string) map[string]results.Row {
	t.Helper()
	for _, name := range []string{"journal.jsonl", "results.parquet"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			rows := map[string]results.Row{}
			for _, r := range rowsBesidesTimes(t, dir) {
				if _, double := rows[r.ID]; double {
					t.Fatalf("row %s twice", r.ID)
				}
				rows[r.ID] = r
			}
			return rows
		}
	}
	return nil
}

func rowsBesidesTimes(t *testing.T, dir string) []results.Row {
	t.Helper()
	set, err := results.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	for i := range set.Rows {
		r := &set.Rows[i]
		// Measurements: times, and the peak, which depends on the samples that were left.
		r.PrefillSeconds, r.DecodeSeconds, r.PeakBytes = nil, nil, nil
		r.TTFTSeconds, r.TokenSecondsP50, r.TokenSecondsP95 = nil, nil, nil
	}
	return set.Rows
}

// builtProgram builds what a user would.
func builtProgram(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "snapbench.exe")
	if text, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return path
}

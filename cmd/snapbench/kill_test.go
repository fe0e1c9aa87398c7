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

// A run that is killed at random moments and continued loses no row, has none twice, and
// ends with the results of an undisturbed one, times excepted. SNAPBENCH_KILLS sets the
// number of kills (12 by default, 3 with -short).
func TestKilledAndResumed(t *testing.T) { killedAndResumed(t, 12, "cpu", "cpu") }

// The same holds for a run that continues with a different number of devices each time.
func TestTwoDevicesKilledAndResumed(t *testing.T) {
	killedAndResumed(t, 6, "cpu", "cpu,cpu", "cpu,cpu,cpu")
}

// killedAndResumed compares a run that is killed, and continued on one of the disturbing
// lists of devices each time, with an undisturbed run.
func killedAndResumed(t *testing.T, kills int, undisturbed string, disturbing ...string) {
	if testing.Short() {
		kills = 3
	}
	if s := os.Getenv("SNAPBENCH_KILLS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		kills = n
	}
	model := tinyModel(t)
	work := t.TempDir()
	prompts := filepath.Join(work, "prompts.jsonl")
	if err := writePrompts(prompts, 2*kills+10); err != nil {
		t.Fatal(err)
	}
	command := func(device, out string) *exec.Cmd {
		c := exec.Command(os.Args[0], "prompts", prompts, "--model", model, "--device", device, "--metric", "recalled",
			"--budgets", "full,24,40", "--windows", "8", "--kernels", "3,5", "--max-new", "6", "--fidelity", "--out", out)
		c.Env = append(os.Environ(), asCommand+"=1")
		return c
	}
	calm := filepath.Join(work, "calm")
	began := time.Now()
	if out, err := command(undisturbed, calm).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	took := max(400*time.Millisecond, time.Since(began))
	want := rowsBesidesTimes(t, calm)
	check := func(dir string) {
		t.Helper()
		got := rowsBesidesTimes(t, dir)
		if len(got) != len(want) {
			t.Fatalf("%d rows after kills, %d undisturbed", len(got), len(want))
		}
		for i := range got {
			if !reflect.DeepEqual(got[i], want[i]) {
				t.Errorf("row %d differs:\n%+v\nundisturbed:\n%+v", i, got[i], want[i])
			}
		}
	}

	rng := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 7))
	disturbed := filepath.Join(work, "disturbed")
	killed, finishedAfter := 0, 0
	for killed < kills {
		if _, err := os.Stat(filepath.Join(disturbed, "results.parquet")); err == nil {
			// It ended before all kills were done: begin again.
			check(disturbed)
			finishedAfter++
			disturbed = filepath.Join(work, fmt.Sprint("disturbed", finishedAfter))
		}
		c := command(disturbing[rng.IntN(len(disturbing))], disturbed)
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- c.Wait() }()
		select {
		case <-time.After(10*time.Millisecond + time.Duration(rng.Int64N(int64(took*3/4)))):
			signal := syscall.SIGKILL
			if rng.IntN(4) == 0 {
				signal = syscall.SIGINT
			}
			c.Process.Signal(signal)
			<-done
			killed++
		case err := <-done:
			if err != nil {
				t.Fatalf("undisturbed: %v", err)
			}
		}
	}
	if out, err := command(disturbing[0], disturbed).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	check(disturbed)
	t.Logf("%d kills, %d rows, begun again %d times", killed, len(want), finishedAfter)
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
	}
	return set.Rows
}

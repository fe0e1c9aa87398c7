package slurm_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/snapbench/snapbench/results"
	"github.com/snapbench/snapbench/runners/cluster"
)

// on is the command of a job's run that submits and follows it.
func (j *job) on(more ...string) *exec.Cmd {
	ctx, cancel := context.WithTimeout(j.t.Context(), 10*time.Minute)
	j.t.Cleanup(cancel)
	c := exec.CommandContext(ctx, j.s.program, slices.Concat(slices.DeleteFunc(slices.Clone(j.work.Arguments), func(arg string) bool { return arg == "--quiet" }),
		[]string{"--on", "slurm", "--shards", fmt.Sprint(j.work.Count), "--engine-args", strings.Join(j.work.EngineArgs, " "), "--out", j.work.Out}, more)...)
	c.Dir = j.work.Dir
	return c
}

// says runs a command and holds it to an exit status and to what it says.
func (j *job) says(c *exec.Cmd, status int, want ...string) {
	j.t.Helper()
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	if c.Process == nil {
		if err := c.Start(); err != nil {
			j.t.Fatal(err)
		}
	}
	c.Wait()
	if got := c.ProcessState.ExitCode(); got != status {
		j.t.Fatalf("status %d, want %d:\n%s", got, status, out.String())
	}
	for _, w := range want {
		if !strings.Contains(out.String(), w) {
			j.t.Errorf("it does not say %q:\n%s", w, out.String())
		}
	}
}

// submitted are the jobs that a run's folder knows.
func (j *job) submitted() []cluster.Job {
	j.t.Helper()
	record, err := cluster.ReadRecord(j.work.Out)
	if err != nil {
		j.t.Fatal(err)
	}
	return record.Jobs
}

// One command submits, follows, and shows what was joined, also where it runs inside of
// another job.
func wholeCommand(t *testing.T, s *suite) {
	j := s.job(t, "whole", 3, s.few)
	c := j.on()
	inside := exec.Command("salloc", slices.Concat([]string{"--quiet", "--partition=asked", "--ntasks=1"}, c.Args)...)
	inside.Dir = c.Dir
	j.says(inside, 0, "3 of 3 parts submitted as ", "squeue -r -j ", "is seen by "+strings.Join(s.Nodes("whole"), ", "), "niah", "12  100.00")
	j.joined()
	j.says(j.on(), 0, "attached to what was submitted", "12  100.00")
	if jobs := j.submitted(); len(jobs) != 1 {
		t.Errorf("%d jobs, want 1", len(jobs))
	}
}

// Ctrl-C leaves the parts at work, and the same command attaches to them.
func commandAttaches(t *testing.T, s *suite) {
	j := s.job(t, "command", 2, s.few)
	release := j.hold(0)
	c := j.on()
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	j.until("the parts are submitted", func() bool { return len(j.submitted()) == 1 })
	if err := c.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	c.Wait()
	release()
	if got := c.ProcessState.ExitCode(); got != 1 || !strings.Contains(out.String(), "left running: the same command attaches") {
		t.Errorf("status %d:\n%s", got, out.String())
	}
	j.says(j.on(), 0, "attached to what was submitted")
	j.joined()
	if jobs := j.submitted(); len(jobs) != 1 {
		t.Errorf("%d jobs, want 1", len(jobs))
	}
}

// The same command submits what failed, and nothing else.
func commandSubmitsAgain(t *testing.T, s *suite) {
	j := s.job(t, "fails", 3, s.few)
	path := filepath.Join(j.work.Out, results.PartsDir, "1-of-3")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	j.says(j.on(), 1, "1 of 3 parts did not end and are not live any more: 1 (failed); the same command submits them again", "1-of-3")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	j.says(j.on(), 0, "1 of 3 parts submitted as ", "12  100.00")
	j.joined()
	if jobs := j.submitted(); len(jobs) != 2 || !slices.Equal(jobs[1].Parts, []int{1}) {
		t.Errorf("jobs %v, want the second with part 1", jobs)
	}
}

// What cannot work is found before anything is submitted.
func commandRefuses(t *testing.T, s *suite) {
	full := s.job(t, "command", 3, s.few)
	if err := syscall.Mount("tmpfs", full.work.Out, "tmpfs", 0, "size=64k"); err != nil {
		t.Fatal(err)
	}
	defer syscall.Unmount(full.work.Out, 0)
	full.says(full.on(), 1, "the disk is full")

	many := s.job(t, "command", 102, s.few)
	many.says(many.on(), 1, "make at most 101 parts of the run")

	args := s.job(t, "command", 3, s.few)
	args.work.EngineArgs = []string{"--array=0-9"}
	args.says(args.on("--print"), 1, `engine argument "--array=0-9": not --array`)

	for _, j := range []*job{full, many, args} {
		if jobs := j.submitted(); len(jobs) != 0 {
			t.Errorf("submitted: %v", jobs)
		}
	}
}

// Without an array srun's tasks are the parts, each with an attempt of its own.
func srun(t *testing.T, s *suite) {
	j := s.job(t, "command", 3, s.few)
	command := slices.Concat([]string{"--partition=command", "--ntasks=3", s.program}, j.work.Arguments, []string{"--out", j.work.Out, "--shard", "auto"})
	s.Command(t, "timeout", slices.Concat([]string{"600", "srun"}, command)...)
	j.joined()
	for part := range 3 {
		if list, _ := j.attempts(part); len(list) != 1 || !strings.HasPrefix(list[0], "slurm-") {
			t.Errorf("attempts at part %d: %v", part, list)
		}
	}
}

// What --print prints is submitted by sbatch as it is, from anywhere.
func printed(t *testing.T, s *suite) {
	j := s.job(t, "command", 3, s.few)
	if err := os.RemoveAll(j.work.Out); err != nil {
		t.Fatal(err)
	}
	script, err := j.on("--print").Output()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "job.sh")
	if err := os.WriteFile(path, script, 0o644); err != nil {
		t.Fatal(err)
	}
	j.work.Name = "snapbench-run"
	j.id = strings.TrimSpace(s.Command(t, "sbatch", "--parsable", path))
	j.allEnded()
	j.joined()
	if _, err := os.Stat(filepath.Join(j.work.Dir, fmt.Sprintf("slurm-%s_0.log", j.id))); err != nil {
		t.Error(err)
	}
}

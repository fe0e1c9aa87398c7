package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Ctrl-C ends a run with status 1 and one line, without tables; the same command
// continues.
func TestInterrupted(t *testing.T)           { interrupted(t, "cpu") }
func TestTwoDevicesInterrupted(t *testing.T) { interrupted(t, "cpu,cpu") }

func interrupted(t *testing.T, device string) {
	model, work := tinyModel(t), t.TempDir()
	prompts := filepath.Join(work, "prompts.jsonl")
	if err := writePrompts(prompts, 400); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(work, "run")
	command := func(out string) *exec.Cmd {
		c := exec.Command(os.Args[0], "prompts", prompts, "--model", model, "--device", device, "--metric", "recalled",
			"--budgets", "full,24", "--windows", "8", "--max-new", "4", "--out", out)
		c.Env = append(os.Environ(), asCommand+"=1")
		return c
	}
	c := command(out)
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	for range 500 { // until there are rows
		if info, err := os.Stat(filepath.Join(out, "journal.jsonl")); err == nil && info.Size() > 0 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if err := c.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	err := c.Wait()
	exit, ok := err.(*exec.ExitError)
	if !ok || exit.ExitCode() != exitCannotRun || !strings.Contains(stderr.String(), "rows finished: the same command continues") || stdout.Len() > 0 {
		t.Fatalf("%v\nstderr %q\nstdout %q; want status %d and a sentence", err, stderr.String(), stdout.String(), exitCannotRun)
	}
	part := rowsBesidesTimes(t, out)
	if len(part) == 0 || len(part) >= 800 {
		t.Fatalf("interrupted with %d of 800 rows", len(part))
	}
	for _, dir := range []string{out, filepath.Join(work, "calm")} {
		if text, err := command(dir).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
	}
	if got, want := rowsBesidesTimes(t, out), rowsBesidesTimes(t, filepath.Join(work, "calm")); !reflect.DeepEqual(got, want) {
		t.Errorf("%d rows continued, %d undisturbed, or others", len(got), len(want))
	}
}

package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
)

// held returns a grader of prompts that, once a file has rows, gives no grade until release is called: a run whose answers
// it grades is in the middle until then, however slow the test or the machine is.
func held(t *testing.T, journal string) (metric string, release func()) {
	t.Helper()
	dir := t.TempDir()
	grade, released := filepath.Join(dir, "grade"), filepath.Join(dir, "released")
	write(t, grade, fmt.Sprintf("#!/bin/sh\nwhile test -s '%s' && ! test -e '%s'; do sleep 0.02; done\necho 1\n", journal, released))
	if err := os.Chmod(grade, 0o755); err != nil {
		t.Fatal(err)
	}
	return "command:" + grade, func() { write(t, released, "") }
}

// Ctrl-C ends a run with status 1 and one line, without tables; the same command
// continues.
func TestInterrupted(t *testing.T)           { interrupted(t, "cpu") }
func TestTwoDevicesInterrupted(t *testing.T) { interrupted(t, "cpu,cpu") }

func interrupted(t *testing.T, device string) {
	const samples = 150 // far more than are answered ahead of their grades
	model, work := tinyModel(t), t.TempDir()
	prompts := filepath.Join(work, "prompts.jsonl")
	if err := writePrompts(prompts, samples); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(work, "run")
	journal := filepath.Join(out, "journal.jsonl")
	metric, release := held(t, journal)
	command := func(out string) *exec.Cmd {
		c := exec.Command(os.Args[0], "prompts", prompts, "--model", model, "--device", device, "--metric", metric,
			"--budgets", "full,24", "--windows", "8", "--max-new", "4", "--out", out)
		c.Env = append(os.Environ(), asCommand+"=1")
		return c
	}
	c := command(out)
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	err := signalled(t, c, journal, syscall.SIGINT, release)
	exit, ok := err.(*exec.ExitError)
	if !ok || exit.ExitCode() != exitCannotRun || !strings.Contains(stderr.String(), "rows finished: the same command continues") || stdout.Len() > 0 {
		t.Fatalf("%v\nstderr %q\nstdout %q; want status %d and a sentence", err, stderr.String(), stdout.String(), exitCannotRun)
	}
	part := rowsBesidesTimes(t, out)
	if len(part) == 0 || len(part) >= 2*samples {
		t.Fatalf("interrupted with %d of %d rows", len(part), 2*samples)
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

// signalled starts a command, sends it a signal when its journal has rows, lets its grader go on, and returns how it ended.
func signalled(t *testing.T, c *exec.Cmd, journal string, s syscall.Signal, release func()) (err error) {
	t.Helper()
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		err = c.Wait()
		close(ended)
	}()
	waitFor(journal, 1, ended)
	if err := c.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
	release()
	<-ended
	return err
}

package slurm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/snapbench/snapbench/runners/cluster"
)

// fakeSbatch puts a script on the PATH as sbatch. What the package says to the real one is tested with a real Slurm; this is
// for moments that a real one does not give.
func fakeSbatch(t *testing.T, script string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "sbatch"), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
}

func fakeWork(t *testing.T) cluster.Work {
	return cluster.Work{Name: "snapbench-run", Program: "snapbench", Arguments: []string{"needle"}, Dir: "/", Out: t.TempDir(), Parts: []int{0, 1}, Count: 2, Grace: time.Minute}
}

// Where it is not known whether there is a job, the user is told how to see that; where it is known, nothing is in doubt.
func TestSubmitInDoubt(t *testing.T) {
	const doubt = "a job may have been submitted all the same: squeue --name=snapbench-run lists it"
	for _, c := range []struct{ name, script, id, err string }{
		{"submitted", `cat >/dev/null; echo 42`, "42", ""},
		{"submitted to a federation", `cat >/dev/null; echo '42;far'`, "42", ""},
		{"refused", `cat >/dev/null; echo 'sbatch: error: Batch job submission failed: Invalid partition' >&2; exit 1`, "", "Invalid partition"},
		{"the answer is lost", `cat >/dev/null; echo 'sbatch: error: Batch job submission failed: Socket timed out on send/recv operation' >&2; exit 1`, "", doubt},
		{"killed", `cat >/dev/null; kill -KILL $$`, "", doubt},
		{"no number", `cat >/dev/null; echo what`, "", "want the number of a job"},
	} {
		t.Run(c.name, func(t *testing.T) {
			fakeSbatch(t, c.script)
			id, err := engine{}.Submit(t.Context(), fakeWork(t))
			if id != c.id || c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
				t.Errorf("%q, %v; want %q, %q", id, err, c.id, c.err)
			}
			if c.err != doubt && err != nil && strings.Contains(err.Error(), "may have been submitted") {
				t.Errorf("%v, which is in no doubt", err)
			}
		})
	}
}

// A submission that is ended may have come through: if sbatch has said so, that counts.
func TestSubmitEnded(t *testing.T) {
	for say, want := range map[string]string{"": "", "echo 42": "42"} {
		asked := filepath.Join(t.TempDir(), "asked")
		fakeSbatch(t, fmt.Sprintf("cat >/dev/null; %s\ntouch %s\nexec sleep 600", say, asked))
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			defer cancel()
			for t.Context().Err() == nil {
				if _, err := os.Stat(asked); err == nil {
					return
				}
				time.Sleep(time.Millisecond)
			}
		}()
		id, err := engine{}.Submit(ctx, fakeWork(t))
		if id != want || want == "" && (!errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "may have been submitted")) || want != "" && err != nil {
			t.Errorf("having said %q: %q, %v", want, id, err)
		}
	}
}

// A Ctrl-C in the terminal does not reach Slurm's commands: what sbatch submits would not be known.
func TestSbatchIsApart(t *testing.T) {
	fakeSbatch(t, `cat >/dev/null; set -- $(cat /proc/$$/stat); echo $5`)
	id, err := engine{}.Submit(t.Context(), fakeWork(t))
	if err != nil || id == fmt.Sprint(syscall.Getpgrp()) {
		t.Errorf("sbatch is in the process group %s, as this program is: %v", id, err)
	}
}

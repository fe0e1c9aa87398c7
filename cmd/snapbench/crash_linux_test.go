package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/snapbench/snapbench/runners/console/crash"
)

// crashTest in the environment of the test binary makes it crash at once, in the
// named way, as the program would.
const crashTest = "SNAPBENCH_TEST_CRASH"

func init() {
	if how := os.Getenv(crashTest); how != "" {
		crash.BySignal()
		end(how)
	}
}

func end(how string) {
	switch how {
	case "panic":
		panic("a mistake")
	case "panic of a goroutine":
		var wait sync.WaitGroup
		wait.Go(func() { panic("a mistake") })
		wait.Wait()
	case "stack overflow":
		var deeper func(n int) int
		deeper = func(n int) int { return deeper(n+1) + 1 }
		deeper(0)
	case "fatal error":
		new(sync.Mutex).Unlock()
	case "out of memory":
		limit := syscall.Rlimit{Cur: 2 << 30, Max: 2 << 30}
		if err := syscall.Setrlimit(syscall.RLIMIT_AS, &limit); err != nil {
			panic(err)
		}
		var kept [][]byte
		for len(kept) < 1000 {
			kept = append(kept, bytes.Repeat([]byte{1}, 64<<20))
		}
	case "SIGQUIT":
		syscall.Kill(os.Getpid(), syscall.SIGQUIT)
		time.Sleep(time.Minute)
	}
}

// A crash ends by a signal: its status is none of those that mean something.
func TestCrashStatus(t *testing.T) {
	for how, want := range map[string]string{
		"panic": "panic: a mistake", "panic of a goroutine": "panic: a mistake", "stack overflow": "stack overflow",
		"fatal error": "fatal error: sync: unlock", "out of memory": "out of memory", "SIGQUIT": "SIGQUIT",
	} {
		t.Run(how, func(t *testing.T) {
			c := exec.Command(os.Args[0], "--version")
			c.Env = append(os.Environ(), crashTest+"="+how)
			c.Dir = t.TempDir()
			text, err := c.CombinedOutput()
			if !aborted(err) || !strings.Contains(string(text), want) {
				t.Errorf("%v, want SIGABRT and %q in\n%.2000s", err, want, text)
			}
			if left, _ := os.ReadDir(c.Dir); len(left) > 0 {
				t.Errorf("it left %v", left)
			}
		})
	}
}

// The built program runs out of memory at work: it says so with status 1 or crashes by
// SIGABRT, never with 2, and the same command then gives the rows of an undisturbed
// run.
func TestBuiltProgramOutOfMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program")
	}
	program := builtProgram(t)
	model, work := tinyModel(t), t.TempDir()
	prompts := filepath.Join(work, "prompts.jsonl")
	if err := writePrompts(prompts, 40); err != nil {
		t.Fatal(err)
	}
	command := func(out string) *exec.Cmd {
		return exec.Command(program, "prompts", prompts, "--model", model, "--device", "cpu", "--budgets", "full,24",
			"--windows", "8", "--max-new", "4", "--quiet", "--out", out)
	}
	calm := filepath.Join(work, "calm")
	if text, err := command(calm).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	want := rowsBesidesTimes(t, calm)

	const tries, most = 12, 60
	ended := map[string]int{}
	for i := 0; i < tries || ended["SIGABRT"] == 0 && i < most; i++ { // one that is done before it is bounded lacks nothing
		more := uint64(2*(i%tries)) << 20
		out := filepath.Join(work, fmt.Sprint(i))
		c := command(out)
		var text bytes.Buffer
		c.Stdout, c.Stderr = &text, &text
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		for end := time.Now().Add(2 * time.Minute); !works(out); time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("it does not begin:\n%s", text.String())
			}
		}
		room := addressSpace(t, c.Process.Pid) + more
		limit := unix.Rlimit{Cur: room, Max: unix.RLIM_INFINITY}
		if err := unix.Prlimit(c.Process.Pid, unix.RLIMIT_AS, &limit, nil); err != nil && err != unix.ESRCH { // it has ended
			t.Fatal(err)
		}
		err := c.Wait()
		var exit *exec.ExitError
		switch {
		case err == nil:
			ended["answered"]++
		case aborted(err):
			ended["SIGABRT"]++
		case errors.As(err, &exit) && exit.ExitCode() == exitCannotRun:
			ended["status 1"]++
		default:
			t.Errorf("with %d MiB more: %v\n%.2000s", more>>20, err, text.String())
		}
		if text, err := command(out).CombinedOutput(); err != nil {
			t.Fatalf("continued: %v\n%s", err, text)
		}
		if got := rowsBesidesTimes(t, out); !reflect.DeepEqual(got, want) {
			t.Errorf("with %d MiB more and then continued: %d rows, %d undisturbed, or others", more>>20, len(got), len(want))
		}
	}
	if ended["SIGABRT"] == 0 {
		t.Errorf("%v: it never lacked memory", ended)
	}
	t.Logf("tries: %v", ended)
}

// works says whether a run has begun; it may be over.
func works(dir string) bool {
	for _, name := range []string{"journal.jsonl", "results.parquet"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			return true
		}
	}
	return false
}

// addressSpace is what a process has mapped, in bytes.
func addressSpace(t *testing.T, pid int) uint64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		t.Fatal(err)
	}
	var pages uint64
	if _, err := fmt.Sscan(string(text), &pages); err != nil {
		t.Fatal(err)
	}
	return pages * uint64(os.Getpagesize())
}

func aborted(err error) bool {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return false
	}
	status, ok := exit.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGABRT
}

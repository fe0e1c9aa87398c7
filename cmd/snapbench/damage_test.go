package main

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
)

// Several processes at the same folder: one writes, the others are refused and say
// so, and the rows are those of one process alone.
func TestTwoWriters(t *testing.T) {
	model, work := tinyModel(t), t.TempDir()
	prompts := filepath.Join(work, "prompts.jsonl")
	if err := writePrompts(prompts, 60); err != nil {
		t.Fatal(err)
	}
	command := func(out string) *exec.Cmd {
		c := exec.Command(os.Args[0], "prompts", prompts, "--model", model, "--device", "cpu", "--metric", "recalled",
			"--budgets", "full,24", "--windows", "8", "--max-new", "3", "--quiet", "--out", out)
		c.Env = append(os.Environ(), asCommand+"=1")
		return c
	}
	calm := filepath.Join(work, "calm")
	if text, err := command(calm).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	want := rowsBesidesTimes(t, calm)
	tries := 5
	if os.Getenv("SNAPBENCH_LONG") != "" {
		tries = 100
	}
	const writers = 4
	refused := 0
	for i := range tries {
		out := filepath.Join(work, fmt.Sprint(i))
		answered, turned := startedTogether(t, writers, func() *exec.Cmd { return command(out) })
		if refused += turned; answered == 0 {
			t.Error("all were refused")
		}
		if got := rowsBesidesTimes(t, out); !reflect.DeepEqual(got, want) {
			t.Fatalf("%d writers: %d rows, %d of one alone, or others", writers, len(got), len(want))
		}
		if err := os.RemoveAll(out); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d tries of %d writers, %d refused", tries, writers, refused)
}

// While one process writes, which its grader holds up, all others are refused.
func TestWriterIsAlone(t *testing.T) {
	model, work := tinyModel(t), t.TempDir()
	prompts, out := filepath.Join(work, "prompts.jsonl"), filepath.Join(work, "run")
	if err := writePrompts(prompts, 30); err != nil {
		t.Fatal(err)
	}
	journal := filepath.Join(out, "journal.jsonl")
	metric, release := held(t, journal)
	command := func() *exec.Cmd {
		c := exec.Command(os.Args[0], "prompts", prompts, "--model", model, "--device", "cpu", "--metric", metric,
			"--budgets", "full", "--max-new", "3", "--quiet", "--out", out)
		c.Env = append(os.Environ(), asCommand+"=1")
		return c
	}
	first := command()
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	begun := make(chan struct{})
	go func() { ended <- first.Wait(); close(begun) }()
	waitFor(journal, 1, begun)
	if answered, refused := startedTogether(t, 3, command); answered > 0 || refused != 3 {
		t.Errorf("%d wrote, too, and %d of 3 were refused", answered, refused)
	}
	release()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if rows := rowsBesidesTimes(t, out); len(rows) != 30 {
		t.Errorf("%d rows", len(rows))
	}
}

// startedTogether runs a command in several processes at the same time. It counts those that answered and those that were
// refused since another wrote; another end is an error.
func startedTogether(t *testing.T, n int, command func() *exec.Cmd) (answered, refused int) {
	t.Helper()
	var wait sync.WaitGroup
	var mu sync.Mutex
	for range n {
		wait.Go(func() {
			text, err := command().CombinedOutput()
			mu.Lock()
			defer mu.Unlock()
			var exit *exec.ExitError
			switch {
			case err == nil:
				answered++
			case errors.As(err, &exit) && exit.ExitCode() == exitCannotRun && bytes.Contains(text, []byte("another snapbench is writing")):
				refused++
			default:
				t.Errorf("%v\n%s", err, text)
			}
		})
	}
	wait.Wait()
	return answered, refused
}

// One flipped bit in any file of a model, or in the prompts, is an error or another
// question: a finished run is never taken for that of the changed files.
func TestFlippedBitsOfModelAndPrompts(t *testing.T) {
	work := t.TempDir()
	good := tinyModel(t)
	model := filepath.Join(work, "tiny")
	prompts := filepath.Join(work, "prompts.jsonl")
	if err := writePrompts(prompts, 2); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(model, os.DirFS(good)); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(work, "out")
	command := func() (int, string) {
		var stdout, stderr bytes.Buffer
		code := run([]string{"prompts", prompts, "--model", model, "--device", "cpu", "--budgets", "full,24", "--windows", "8",
			"--max-new", "2", "--quiet", "--out", out}, &stdout, &stderr)
		return code, stderr.String()
	}
	if code, said := command(); code != exitPass {
		t.Fatal(said)
	}
	want := rowsBesidesTimes(t, out)
	tries := 30
	if os.Getenv("SNAPBENCH_LONG") != "" {
		tries = 1000
	}
	rng := rand.New(rand.NewPCG(15, 5))
	flips, other := 0, 0
	for _, path := range []string{
		filepath.Join(model, "model.safetensors"), filepath.Join(model, "config.json"), filepath.Join(model, "tokenizer.json"),
		filepath.Join(model, "tokenizer_config.json"), prompts,
	} {
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for range tries {
			flipped := bytes.Clone(whole)
			at, bit := rng.IntN(len(whole)), rng.IntN(8)
			flipped[at] ^= 1 << bit
			if err := os.WriteFile(path, flipped, 0o644); err != nil {
				t.Fatal(err)
			}
			code, said := command()
			if path == prompts && bytes.Equal(bytes.TrimSpace(flipped), bytes.TrimSpace(whole)) {
				continue // another white space at the end asks nothing else
			}
			if code != exitCannotRun || !strings.Contains(said, "snapbench: ") {
				t.Errorf("%s, byte %d, bit %d: status %d, %q", filepath.Base(path), at, bit, code, said)
			}
			flips++
			if strings.Contains(said, "holds another run") {
				other++
			}
			if got := rowsBesidesTimes(t, out); !reflect.DeepEqual(got, want) {
				t.Fatalf("%s, byte %d, bit %d: the finished rows changed", filepath.Base(path), at, bit)
			}
		}
		if err := os.WriteFile(path, whole, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if code, said := command(); code != exitPass {
		t.Errorf("mended: %s", said)
	}
	t.Logf("%d flipped bits: %d refused as those of another run, %d as damaged", flips, other, flips-other)
}

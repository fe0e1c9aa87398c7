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

// On a full disk a run stops with status 1 and says why. Finished rows stay; with more
// space the same command continues, and its results are those of a run that always had
// enough.
func TestFullDisk(t *testing.T) {
	disk := t.TempDir()
	size := func(kilobytes int) string { return fmt.Sprintf("size=%dk", kilobytes) }
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, size(64)); err != nil {
		t.Skipf("a small disk cannot be mounted here (it takes root): %v", err)
	}
	defer syscall.Unmount(disk, 0)

	model, work := tinyModel(t), t.TempDir()
	prompts := filepath.Join(work, "prompts.jsonl")
	if err := writePrompts(prompts, 40); err != nil {
		t.Fatal(err)
	}
	command := func(out string) (string, error) {
		c := exec.Command(os.Args[0], "prompts", prompts, "--model", model, "--device", "cpu", "--metric", "recalled",
			"--budgets", "full,24,40", "--windows", "8", "--kernels", "3,5", "--max-new", "6", "--quiet", "--out", out)
		c.Env = append(os.Environ(), asCommand+"=1")
		var stderr bytes.Buffer
		c.Stderr = &stderr
		err := c.Run()
		return stderr.String(), err
	}
	calm := filepath.Join(work, "calm")
	if said, err := command(calm); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}

	dir := filepath.Join(disk, "run")
	before, refused := 0, 0
	for kilobytes := 64; ; kilobytes += 48 {
		if kilobytes > 4096 {
			t.Fatal("4 MB do not suffice")
		}
		if err := syscall.Mount("tmpfs", disk, "tmpfs", syscall.MS_REMOUNT, size(kilobytes)); err != nil {
			t.Fatal(err)
		}
		said, err := command(dir)
		if err == nil {
			break
		}
		refused++
		exit, ok := err.(*exec.ExitError)
		if !ok || exit.ExitCode() != exitCannotRun || !strings.Contains(said, "the disk is full") {
			t.Fatalf("at %d kB: %v, %q; want status %d and the disk named", kilobytes, err, said, exitCannotRun)
		}
		rows := len(rowsBesidesTimes(t, dir))
		if rows < before {
			t.Fatalf("at %d kB: %d rows, %d were there", kilobytes, rows, before)
		}
		before = rows
	}
	if refused < 3 || before == 0 {
		t.Errorf("refused %d times with %d rows: the disk was never full", refused, before)
	}
	if got, want := rowsBesidesTimes(t, dir), rowsBesidesTimes(t, calm); !reflect.DeepEqual(got, want) {
		t.Errorf("%d rows after %d times on a full disk, %d undisturbed, or others", len(got), refused, len(want))
	}
	if _, err := os.Stat(filepath.Join(dir, "journal.jsonl")); err == nil {
		t.Error("the journal is still there")
	}
}

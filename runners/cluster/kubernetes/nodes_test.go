//go:build linux

package kubernetes_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/snapbench/snapbench/results"
	"github.com/snapbench/snapbench/results/parts"
	"github.com/snapbench/snapbench/runners/cluster/kubernetes/kubetest"
)

// asked is the run of these tests: 60 samples under three variants.
var asked = []string{"needle", "--lengths", "512,1k,2k", "--depths", "5", "--trials", "4", "--budgets", "full,64,128", "--device", "cpu"}

// TestNodes runs the program itself, as a user does, on nodes that run containers.
func TestNodes(t *testing.T) {
	c := kubetest.Start(t)
	c.Nodes(3)
	program := c.Build("github.com/snapbench/snapbench/cmd/snapbench")
	c.Load(c.Image("localhost/snapbench:test", program, "sh", "cat", "mkdir", "tar", "sleep"))
	shared := t.TempDir()
	c.Claim("runs", "ReadWriteMany", shared)

	began := time.Now()
	alone := filepath.Join(t.TempDir(), "alone")
	if out, err := exec.Command(program, append(asked, "--out", alone)...).CombinedOutput(); err != nil {
		t.Fatalf("one process: %v\n%s", err, out)
	}
	want := read(t, alone)
	t.Logf("one process: %d rows in %.1f s", len(want), time.Since(began).Seconds())

	on := func(shards int, more ...string) []string {
		return append(append([]string{}, asked...), append([]string{"--on", "kubernetes", "--image", "localhost/snapbench:test", "--shards", fmt.Sprint(shards)}, more...)...)
	}
	t.Run("three parts, and again", func(t *testing.T) {
		out := filepath.Join(shared, "three")
		f := start(t, program, on(3, "--claim", "runs="+shared, "--out", out)...)
		f.ends(t)
		equal(t, out, want)
		again := start(t, program, on(3, "--claim", "runs="+shared, "--out", out)...)
		again.ends(t)
		if text := again.told.String(); !strings.Contains(text, "attached to what was submitted") {
			t.Errorf("the same command again submits again:\n%s", text)
		}
	})
	t.Run("a claim that this machine does not see", func(t *testing.T) {
		here := filepath.Join(t.TempDir(), "unseen")
		f := start(t, program, on(3, "--claim", "runs", "--out", here)...)
		f.ends(t)
		equal(t, here, want)
		if _, err := os.Stat(filepath.Join(shared, "unseen", results.PartsDir)); err != nil {
			t.Errorf("the run is not in the claim: %v", err)
		}
	})
	t.Run("a node dies", func(t *testing.T) {
		out := filepath.Join(shared, "dies")
		f := start(t, program, on(3, "--claim", "runs="+shared, "--out", out)...)
		name := midway(t, c, f, out)
		died := time.Now()
		c.Dies(name)
		f.ends(t)
		t.Logf("node %s died, and the run was joined %.0f s later", name, time.Since(died).Seconds())
		equal(t, out, want)
		if n := attempts(t, out); n < 4 {
			t.Errorf("%d attempts at three parts, though a node died", n)
		}
		c.Returns(name)
	})
	t.Run("a node hangs and thaws", func(t *testing.T) {
		out := filepath.Join(shared, "hangs")
		f := start(t, program, on(3, "--claim", "runs="+shared, "--out", out)...)
		name := midway(t, c, f, out)
		hung := time.Now()
		c.Hangs(name)
		f.ends(t)
		t.Logf("node %s hung, and the run was joined %.0f s later", name, time.Since(hung).Seconds())
		equal(t, out, want)
		c.Thaws(name)
		c.Until("the thawed node's pods are gone", func() bool {
			return c.Kubectl("", "get", "pods", "--field-selector=status.phase=Running", "--output=name") == ""
		})
		equal(t, out, want)
	})
	t.Run("a part fails, and is submitted again", func(t *testing.T) {
		out := filepath.Join(shared, "fails")
		// The program finds a file where its part's folder should be.
		if err := os.MkdirAll(filepath.Join(out, results.PartsDir), 0o755); err != nil {
			t.Fatal(err)
		}
		hindrance := filepath.Join(out, results.PartsDir, "1-of-2")
		if err := os.WriteFile(hindrance, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		f := start(t, program, on(2, "--claim", "runs="+shared, "--out", out)...)
		if err := f.wait(); err == nil || !strings.Contains(f.told.String(), "1 (failed)") || !strings.Contains(f.told.String(), "1-of-2") {
			t.Fatalf("a part that cannot be written: %v\n%s", err, &f.told)
		}
		if err := os.Remove(hindrance); err != nil {
			t.Fatal(err)
		}
		f = start(t, program, on(2, "--claim", "runs="+shared, "--out", out)...)
		f.ends(t)
		if !strings.Contains(f.told.String(), "1 of 2 parts submitted") {
			t.Errorf("submitted were other parts than the one that failed:\n%s", &f.told)
		}
		equal(t, out, want)
	})
	t.Run("mistakes are found before anything is submitted", func(t *testing.T) {
		jobs := c.Kubectl("", "get", "jobs", "--output=name")
		elsewhere := t.TempDir()
		for _, m := range []struct {
			what, want string
			args       []string
		}{
			{"the claim is not what is mounted here", "a pod does not see the run's folder", []string{"--claim", "runs=" + elsewhere, "--out", filepath.Join(elsewhere, "lb")}},
			{"no such image", "cannot begin", []string{"--image", "localhost/nothing:1", "--claim", "runs=" + shared, "--out", filepath.Join(shared, "image")}},
			{"no such claim", "no claim", []string{"--claim", "rums=" + shared, "--out", filepath.Join(shared, "claim")}},
		} {
			f := start(t, program, on(2, m.args...)...)
			if err := f.wait(); err == nil || !strings.Contains(f.told.String(), m.want) {
				t.Errorf("%s: %v, want %q in\n%s", m.what, err, m.want, &f.told)
			}
		}
		if now := c.Kubectl("", "get", "jobs", "--output=name"); now != jobs {
			t.Errorf("Jobs were %s, and are %s", jobs, now)
		}
	})
	t.Run("an evicted pod ends cleanly", func(t *testing.T) {
		out := filepath.Join(shared, "evicted")
		f := start(t, program, on(1, "--claim", "runs="+shared, "--out", out)...)
		midway(t, c, f, out)
		pod := strings.TrimSpace(c.Kubectl("", "get", "pods", "--field-selector=status.phase=Running", "--output=name"))
		asked := time.Now()
		c.Kubectl("", "delete", pod, "--wait=true")
		t.Logf("the pod ended %.1f s after it was asked to", time.Since(asked).Seconds())
		if took := time.Since(asked); took > 25*time.Second {
			t.Errorf("the pod ended %v after it was asked to: it did not hear", took)
		}
		f.ends(t)
		equal(t, out, want)
		if n := attempts(t, out); n != 2 {
			t.Errorf("%d attempts at a part that was evicted once", n)
		}
	})
}

// following is the program while it follows a run.
type following struct {
	cmd  *exec.Cmd
	told bytes.Buffer
	end  chan error
}

func start(t *testing.T, program string, args ...string) *following {
	t.Helper()
	f := &following{cmd: exec.Command(program, args...), end: make(chan error, 1)}
	f.cmd.Stdout, f.cmd.Stderr = &f.told, &f.told
	if err := f.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { f.end <- f.cmd.Wait() }()
	t.Cleanup(func() { f.cmd.Process.Signal(syscall.SIGKILL) })
	return f
}

func (f *following) wait() error {
	select {
	case err := <-f.end:
		return err
	case <-time.After(8 * time.Minute):
		f.cmd.Process.Kill()
		<-f.end
		return fmt.Errorf("not within 8 minutes")
	}
}

func (f *following) ends(t *testing.T) {
	t.Helper()
	if err := f.wait(); err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(f.cmd.Args, " "), err, &f.told)
	}
}

// midway returns a node on which a part has rows and is not done.
func midway(t *testing.T, c *kubetest.Cluster, f *following, out string) (name string) {
	t.Helper()
	c.Until("a part has rows and is not done", func() bool {
		folder, err := parts.Look(out)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range folder.Attempts {
			n, err := results.CountRows(a.Dir)
			if err != nil || a.Finished || n < 6 {
				continue
			}
			name, err = c.Try("", "get", "pod", a.Name, "--output=jsonpath={.spec.nodeName}")
			return err == nil && name != ""
		}
		select {
		case err := <-f.end:
			t.Fatalf("the run ended first: %v\n%s", err, &f.told)
		default:
		}
		return false
	})
	return name
}

func attempts(t *testing.T, out string) int {
	t.Helper()
	folder, err := parts.Look(out)
	if err != nil {
		t.Fatal(err)
	}
	return len(folder.Attempts)
}

func read(t *testing.T, dir string) map[string]results.Row {
	t.Helper()
	set, err := results.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]results.Row{}
	for _, r := range set.Rows {
		if _, twice := rows[r.ID]; twice {
			t.Errorf("%s has row %s twice", dir, r.ID)
		}
		rows[r.ID] = r
	}
	return rows
}

// equal holds a joined run against that of one process.
func equal(t *testing.T, dir string, want map[string]results.Row) {
	t.Helper()
	got := read(t, dir)
	if len(got) != len(want) {
		t.Errorf("%s has %d rows, one process makes %d", dir, len(got), len(want))
	}
	for id, w := range want {
		g, ok := got[id]
		if !ok {
			t.Fatalf("%s has no row %s", dir, id)
		}
		if diff := g.Agree(&w); diff != "" {
			t.Fatalf("%s: row %s: %s", dir, id, diff)
		}
	}
}

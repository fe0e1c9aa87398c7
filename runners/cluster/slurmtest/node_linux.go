package slurmtest

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// daemon is a process of the cluster. A shell holds it, and kills it as soon as it is told
// to or this test is no more: then its standard input ends.
type daemon struct {
	shell *exec.Cmd
	power io.Closer
	pid   int
}

const holder = `"$@" </dev/null >/dev/null 2>&1 & echo $!; read -r _; kill -KILL $!; wait`

// daemon starts a process that ends with the test.
func (c *Cluster) daemon(name string, command ...string) *daemon {
	c.t.Helper()
	shell := exec.Command("sh", append([]string{"-c", holder, "sh"}, command...)...)
	shell.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is the test's
	in, err := shell.StdinPipe()
	must(c.t, err)
	out, err := shell.StdoutPipe()
	must(c.t, err)
	must(c.t, shell.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	must(c.t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	must(c.t, err)
	d := &daemon{shell, in, pid}
	if !strings.HasPrefix(name, "n") {
		c.t.Cleanup(d.end)
	}
	return d
}

func (d *daemon) end() {
	d.power.Close()
	d.shell.Wait()
}

// Return gives a node power: it starts, with no memory of what it did before. prepare is
// a shell command that is run before, in the node's own mount namespace.
func (c *Cluster) Return(node, prepare string) {
	c.t.Helper()
	must(c.t, os.MkdirAll(c.path("run", node), 0o755))
	d := c.daemon(node, "unshare", "--pid", "--fork", "--kill-child=KILL", "--mount", "--mount-proc",
		"sh", "-c", prepare+"\nexec slurmd -D -N "+node)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running[node] = d
}

// Kill ends a node and everything that runs on it, at once, without a word to anyone.
func (c *Cluster) Kill(node string) {
	c.mu.Lock()
	d := c.running[node]
	delete(c.running, node)
	c.mu.Unlock()
	if d == nil {
		c.t.Errorf("node %s has no power", node)
		return
	}
	d.end()
}

// powered returns the nodes that run.
func (c *Cluster) powered() (list []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for node := range c.running {
		list = append(list, node)
	}
	return list
}

// Hang stops everything that runs on a node, in the middle of whatever it does.
func (c *Cluster) Hang(t testing.TB, node string) {
	t.Helper()
	c.signal(t, node, syscall.SIGSTOP)
}

// Thaw lets a node that hangs go on.
func (c *Cluster) Thaw(t testing.TB, node string) {
	t.Helper()
	c.signal(t, node, syscall.SIGCONT)
}

// signal sends a signal to every process of a node, until there are no new ones.
func (c *Cluster) signal(t testing.TB, node string, s syscall.Signal) {
	t.Helper()
	c.mu.Lock()
	d := c.running[node]
	c.mu.Unlock()
	if d == nil {
		t.Fatalf("node %s has no power", node)
	}
	first, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", d.pid, d.pid))
	must(t, err)
	namespace, err := os.Readlink(filepath.Join("/proc", strings.TrimSpace(string(first)), "ns", "pid"))
	must(t, err)
	var done []int
	for range 100 {
		fresh := 0
		for _, pid := range members(namespace) {
			if !slices.Contains(done, pid) && syscall.Kill(pid, s) == nil {
				done = append(done, pid)
				fresh++
			}
		}
		if fresh == 0 {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("node %s has new processes all the time", node)
}

// members returns the processes of a namespace.
func members(namespace string) (list []int) {
	paths, _ := filepath.Glob("/proc/[0-9]*/ns/pid")
	for _, path := range paths {
		if got, err := os.Readlink(path); err == nil && got == namespace {
			if pid, err := strconv.Atoi(strings.Split(path, "/")[2]); err == nil {
				list = append(list, pid)
			}
		}
	}
	return list
}

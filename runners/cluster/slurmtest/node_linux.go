package slurmtest

import (
	"bufio"
	"fmt"
	"io"
	"net"
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

// start starts a process of the cluster.
func start(t testing.TB, command ...string) *daemon {
	t.Helper()
	shell := exec.Command("sh", append([]string{"-c", holder, "sh"}, command...)...)
	shell.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is the test's
	in, err := shell.StdinPipe()
	must(t, err)
	out, err := shell.StdoutPipe()
	must(t, err)
	must(t, shell.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	must(t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	must(t, err)
	return &daemon{shell, in, pid}
}

func (d *daemon) end() {
	d.power.Close()
	d.shell.Wait()
}

// Return gives a node power, and waits until its daemon listens. It has no memory of what
// it did before. prepare is a shell command that is run first, in the node's own mount
// namespace.
func (c *Cluster) Return(t testing.TB, node, prepare string) {
	t.Helper()
	c.power(t, node, prepare)
	until(t, node+" listens", func() bool {
		conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", c.ports[node]))
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
}

func (c *Cluster) power(t testing.TB, node, prepare string) {
	t.Helper()
	must(t, os.MkdirAll(c.path("run", node), 0o755))
	d := start(t, "unshare", "--pid", "--fork", "--kill-child=KILL", "--mount", "--mount-proc",
		"sh", "-c", prepare+"\nexec slurmd -D -N "+node)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running[node] = d
}

// Kill ends a node and everything that runs on it, at once, without a word to anyone.
func (c *Cluster) Kill(t testing.TB, node string) {
	t.Helper()
	c.mu.Lock()
	d := c.running[node]
	delete(c.running, node)
	c.mu.Unlock()
	if d == nil {
		t.Fatalf("node %s has no power", node)
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
